"""What the first pass found, and the second pass: what the archive does not have, read again, into files by month."""

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import SOURCE_RANK, Play, Source, UnreadableError
from pipelines.domain.spotify import LeftOutError, reported_at
from pipelines.storage.archive import Archive
from producer.identity.reconciling import DUPLICATE, Identities
from producer.identity.remembered import artist_of
from producer.identity.rows import ACCOUNT, Rows, Tracks
from producer.importing.containers import ExportError
from producer.importing.exports import ExportFile
from producer.importing.progress import Meter

# Plays held in memory while their months fill up, and so the most that a file of the archive can get.
_HELD_PLAYS = 50_000
# Compressing, and waiting for a disk or a bucket, go on beside the reading.
_FILES_AT_ONCE = 4


class Found:
    """Rows in the order of the files, and where each of them is."""

    def __init__(self) -> None:
        self.rows = Rows(Tracks())
        # Where a row is in its file, counted from 0, and where each file's rows end here.
        self._places = array("I")
        self._ends = array("Q")

    def add(self, place: int, play: Play, reported: datetime | None) -> None:
        """One more row of the file that is being read: its place there, and its play as the export has it.

        ``reported`` is when Spotify learned of the play, if it was heard offline.
        """
        track = self.rows.all_tracks.number(play.track_id, artist_of(play), play.track_name)
        end = to_millis(play.played_at)
        self.rows.add_row(
            end, SOURCE_RANK[play.source], track, play.ms_played, to_millis(reported) if reported else end
        )
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

    def is_same(self, row: int, play: Play, reported: datetime | None) -> bool:
        """Whether the play, read again, is still that of the row, in all that its identity was decided by."""
        rows = self.rows
        return (
            rows.instants[row] == to_millis(play.played_at)
            and rows.reported[row] == to_millis(reported or play.played_at)
            and rows.sources[row] == SOURCE_RANK[play.source]
            and rows.ms_played[row] == play.ms_played
            and rows.all_tracks.texts[rows.tracks[row]] == (play.track_id, artist_of(play), play.track_name)
        )


@dataclass(frozen=True)
class Writer:
    """Writes plays of one user, with one time of ingestion."""

    archive: Archive
    calendar: Calendar
    user_id: str
    ingested_at: datetime
    meter: Meter

    def write(
        self, files: list[ExportFile], found: Found, decided: Identities, missing: Counter[date]
    ) -> Iterator[str]:
        """Write what is missing, so many plays of each month; the paths. Raises ExportError and StorageError."""
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            under_way: deque[Future[str | None]] = deque()
            for month, plays in self._by_month(self._identified(files, found, decided), missing):
                under_way.append(threads.submit(self.archive.write, month, plays))
                if len(under_way) > _FILES_AT_ONCE:
                    yield self._remembered(under_way.popleft().result())
            while under_way:
                yield self._remembered(under_way.popleft().result())

    def _remembered(self, path: str | None) -> str:
        if path is None or self.archive.marks.lately().has(self.user_id, self.ingested_at):
            raise ExportError(
                f"{self.user_id} was forgotten while this import was under way, and nothing of it stays; "
                "to have these plays after all, run the import again"
            )
        return path

    def _identified(self, files: list[ExportFile], found: Found, decided: Identities) -> Iterator[Play]:
        """Each play that the archive does not have once, with its identity."""
        known_ids = found.rows.all_tracks.ids_by_names() if ACCOUNT in found.rows.sources else {}
        for file, rows in zip(files, found.files(), strict=True):
            missing = [row for row in rows if decided.instants[row] != DUPLICATE and not decided.archived[row]]
            for row, play in zip(missing, self._again(file, found, missing), strict=True):
                track_id, instant = play.track_id, decided.instants[row]
                if play.source == Source.ACCOUNT_EXPORT:
                    track_id = known_ids.get((artist_of(play), play.track_name), track_id)
                if instant != found.rows.instants[row] or track_id != play.track_id:
                    play = replace(play, played_at=from_millis(instant), track_id=track_id)
                yield play

    def _again(self, file: ExportFile, found: Found, chosen: list[int]) -> Iterator[Play]:
        """The plays of some rows of a file, which is not read where there are none."""
        changed = ExportError(f"{file.name} changed while it was read; run the import again")
        rows = self.meter.rows("writing", file.size, file.batches() if chosen else ())
        wanted = {found.place(row): row for row in chosen}
        read = file.reader
        for place, content in enumerate(rows):
            row = wanted.pop(place, None)
            if row is None:
                continue
            try:
                play = read(self.user_id, content, self.ingested_at)
            except (LeftOutError, UnreadableError):
                raise changed from None
            if not found.is_same(row, play, reported_at(content)):
                raise changed
            yield play
            if not wanted:
                return
        if wanted:
            raise changed

    def _by_month(self, plays: Iterable[Play], expected: Counter[date]) -> Iterator[tuple[date, list[Play]]]:
        """Plays of one month at a time: a month when it is complete, the fullest when too many are held."""
        held: dict[date, list[Play]] = {}
        missing = expected.copy()
        holding = 0
        for play in plays:
            month = self.calendar.month_of(play.played_at)
            held.setdefault(month, []).append(play)
            holding += 1
            missing[month] -= 1
            if missing[month] and holding < _HELD_PLAYS:
                continue
            if missing[month]:
                month = max(held, key=lambda month: len(held[month]))
            holding -= len(held[month])
            yield month, held.pop(month)
