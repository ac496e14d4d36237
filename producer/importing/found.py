"""The plays that the files of an export hold: some thirty bytes for each, and once what they have in common."""

from array import array
from typing import Generic, TypeVar

from pipelines.domain.exports import ExportedPlay, ExportedTrack, Manner
from pipelines.domain.play import Source
from producer.identity.rows import ACCOUNT, EXTENDED, Rows, Tracks

_SOURCES = list(Source)
_EXTENDED = Source.EXTENDED_EXPORT
# Numbers of what a row says beside its times.
Content = tuple[int, int, int]


T = TypeVar("T")


class _Numbered(Generic[T]):
    """Numbers for values, from 0 on, and the values by their numbers."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number


class Found:
    """Plays of exports, in the order of the files; ``rows`` is what their identities are decided by."""

    def __init__(self) -> None:
        self.rows = Rows(Tracks())
        self._tracks = _Numbered[ExportedTrack]()
        self._manners = _Numbered[Manner]()
        # By those numbers: the track's own among the tracks that are compared, which have no album.
        self._compared = array("i")
        self._track_of = array("I")
        self._manner_of = array("I")

    def add(self, play: ExportedPlay) -> None:
        """One more row."""
        source, ended, reported, ms_played, track, manner = play
        number = self._tracks.number(track)
        if number == len(self._compared):
            self._compared.append(self.rows.all_tracks.number(track.id, track.artist or "", track.name))
        kind = EXTENDED if source is _EXTENDED else ACCOUNT  # a rank's look-up would take longer than all the rest
        self.rows.add_row(ended, kind, self._compared[number], ms_played, reported)
        self._track_of.append(number)
        self._manner_of.append(self._manners.number(manner))

    def content(self, row: int) -> Content:
        """The same for rows whose plays differ in nothing but their times, and how long they took."""
        return self.rows.sources[row], self._track_of[row], self._manner_of[row]

    def play(self, row: int) -> ExportedPlay:
        """The row as it was added."""
        rows, (source, track, manner) = self.rows, self.content(row)
        return ExportedPlay(
            _SOURCES[source],
            rows.instants[row],
            rows.reported[row],
            rows.ms_played[row],
            self._tracks.values[track],
            self._manners.values[manner],
        )
