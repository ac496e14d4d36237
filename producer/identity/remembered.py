"""What the state remembers of an account's newest plays: those that were listed, and those that were imported.

An export that is imported between two polls, and plays that are polled after they were imported, or are not in the
archive yet, find each other by it. Instants and durations are milliseconds, instants since 1970.
"""

from typing import Any, NamedTuple, Self

from pipelines.domain.play import SOURCE_RANK, Play, Source

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
        return cls(stamp, instant, TrackName(*track))


class ImportedPlay(NamedTuple):
    """A row of an export: the instant of its play, what the row says, and the rank of its source.

    ``is_polled`` says that the instant is one that the API gave to a play.
    """

    instant: int
    end: int
    ms_played: int
    source: int
    is_polled: bool
    track: TrackName

    @property
    def row(self) -> tuple[object, ...]:
        """What the row says."""
        return self.end, self.ms_played, self.source, self.track

    def to_record(self) -> list[Any]:
        """As JSON."""
        return [self.instant, self.end, self.ms_played, _SOURCES[self.source].value, self.is_polled, *self.track]

    @classmethod
    def from_record(cls, record: list[Any]) -> Self:
        """Of JSON. Raises TypeError, ValueError and KeyError."""
        instant, end, ms_played, source, is_polled, *track = record
        return cls(instant, end, ms_played, SOURCE_RANK[Source(source)], is_polled, TrackName(*track))
