"""What the state remembers of an account's newest plays: those that were listed, and those that were imported.

An export that is imported between two polls, and plays that are polled after they were imported, or are not in the
archive yet, find each other by it. Instants and durations are milliseconds, instants since 1970.
"""

from typing import Any, NamedTuple, Self

from pipelines.domain.instants import checked_millis
from pipelines.domain.play import SOURCE_RANK, Play, Source
from pipelines.domain.song import UNKNOWN_NAME

# Twice and four times what Spotify lists at once: lists can lag behind, and exports hold plays that Spotify does not
# list, such as those of private sessions.
POLLED_PLAYS, IMPORTED_PLAYS = 100, 200
_SOURCES = list(SOURCE_RANK)


def artist_of(play: Play) -> str:
    """The main artist's name, empty where there is none."""
    return play.artists[0].name if play.artists else ""


class TrackName(NamedTuple):
    """A track by its id, its main artist and its title."""

    id: str
    artist: str
    name: str

    @classmethod
    def of(cls, play: Play) -> Self:
        """The track that was played."""
        return cls(play.track_id, artist_of(play), play.track_name)

    @classmethod
    def from_record(cls, record: list[Any]) -> Self:
        """Of JSON. Raises TypeError."""
        if not all(isinstance(text, str) for text in record):
            raise TypeError("not a track's texts")
        return cls(*record)

    @property
    def names(self) -> tuple[str, str]:
        """What else it is known by: artist and title, or its id where it has no real names."""
        return (self.artist, self.name) if self.artist and self.name != UNKNOWN_NAME else ("", self.id)

    def is_same(self, other: "TrackName") -> bool:
        """Whether it is the same track: account data has no ids, and Spotify gives a recording several."""
        return self.id == other.id or self.names == other.names


class PolledPlay(NamedTuple):
    """A play that Spotify listed: the API's own instant, and the one under which it is published."""

    stamp: int
    instant: int
    track: TrackName

    def to_record(self) -> list[Any]:
        """As JSON."""
        return [self.stamp, self.instant, *self.track]

    @classmethod
    def from_record(cls, record: list[Any]) -> Self:
        """Of JSON. Raises TypeError and ValueError."""
        stamp, instant, *track = record
        return cls(checked_millis(stamp), checked_millis(instant), TrackName.from_record(track))


class ImportedPlay(NamedTuple):
    """A row of an export: the instant of its play, what the row says, and the rank of its source.

    ``is_polled`` says that the instant is one that the API gave to a play. ``reported`` is when Spotify learned of a
    play that was heard offline; of every other it is the end.
    """

    instant: int
    end: int
    ms_played: int
    source: int
    is_polled: bool
    track: TrackName
    reported: int

    @property
    def row(self) -> tuple[object, ...]:
        """What the row says."""
        return self.end, self.ms_played, self.source, self.track, self.reported

    def to_record(self) -> list[Any]:
        """As JSON."""
        record = [self.instant, self.end, self.ms_played, _SOURCES[self.source].value, self.is_polled, *self.track]
        return record if self.reported == self.end else [*record, self.reported]

    @classmethod
    def from_record(cls, record: list[Any]) -> Self:
        """Of JSON. Raises TypeError, ValueError and KeyError."""
        instant, end, ms_played, source, is_polled, track_id, artist, name, *reported = record
        [reported] = reported or [end]
        instants = checked_millis(instant), checked_millis(end), checked_millis(ms_played)
        track = TrackName.from_record([track_id, artist, name])
        return cls(*instants, SOURCE_RANK[Source(source)], is_polled is True, track, checked_millis(reported))
