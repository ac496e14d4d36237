"""The rows of all files that count, as the first pass found them."""

from array import array
from collections.abc import Iterator

from pipelines.domain.instants import to_millis
from pipelines.domain.play import SOURCE_RANK, Play
from producer.identity.remembered import artist_of
from producer.identity.rows import Rows, Tracks


class Found:
    """Rows in the order of the files, and where each of them is."""

    def __init__(self) -> None:
        self.rows = Rows(Tracks())
        # Where a row is in its file, counted from 0, and where each file's rows end here.
        self._places = array("I")
        self._ends = array("Q")

    def add(self, place: int, play: Play) -> None:
        """One more row of the file that is being read: its place there, and its play as the export has it."""
        track = self.rows.all_tracks.number(play.track_id, artist_of(play), play.track_name)
        self.rows.add(to_millis(play.played_at), SOURCE_RANK[play.source], track, play.ms_played)
        self._places.append(place)

    def end_file(self) -> range:
        """The file is read; its rows."""
        start = self._ends[-1] if self._ends else 0
        self._ends.append(len(self.rows))
        return range(start, len(self.rows))

    def files(self) -> Iterator[range]:
        """The rows of each file."""
        start = 0
        for end in self._ends:
            yield range(start, end)
            start = end

    def place(self, row: int) -> int:
        """Where the row is in its file."""
        return self._places[row]

    def is_same(self, row: int, play: Play) -> bool:
        """Whether the play, read again, is still that of the row, in all that its identity was decided by."""
        rows = self.rows
        return (
            rows.instants[row] == to_millis(play.played_at)
            and rows.sources[row] == SOURCE_RANK[play.source]
            and rows.ms_played[row] == play.ms_played
            and rows.all_tracks.texts[rows.tracks[row]] == (play.track_id, artist_of(play), play.track_name)
        )
