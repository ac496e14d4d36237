"""What the archive does not have, into its files, by month."""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

from pipelines.domain.instants import from_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import Source
from pipelines.storage.archive import Archive
from pipelines.storage.encoding import long, optional_long, pieces_of
from producer.identity.reconciling import DUPLICATE, Identities
from producer.identity.rows import ACCOUNT
from producer.importing.containers import ExportError
from producer.importing.found import Content, Found
from producer.importing.progress import Meter

# The most that a file of the archive gets: all of them are in memory while it is written.
_PLAYS_OF_A_FILE = 50_000
# Compressing, and waiting for a disk or a bucket, go on beside encoding.
_FILES_AT_ONCE = 4
_MOST_PIECES = 2**14


@dataclass(frozen=True)
class Writer:
    """Writes plays of one user, with one time of ingestion."""

    archive: Archive
    calendar: Calendar
    user_id: str
    ingested_at: datetime
    meter: Meter

    def write(self, found: Found, decided: Identities) -> Iterator[str]:
        """Write what the archive does not have; the paths. Raises ExportError and StorageError."""
        months = self._missing_by_month(decided)
        total, done = sum(map(len, months.values())), 0
        encoder = _Encoder(found, decided, self.user_id, self.ingested_at)
        with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
            under_way: deque[Future[str | None]] = deque()
            for month, rows in _some_at_a_time(months):
                self.meter.writing(done / total)
                records = [encoder.record_of(row) for row in rows]
                done += len(records)
                under_way.append(
                    threads.submit(self.archive.write_records, month, records, self.user_id, self.ingested_at)
                )
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

    def _missing_by_month(self, decided: Identities) -> "dict[date, array[int]]":
        """The rows that are to be written."""
        starts = self.calendar.starts
        by_number: dict[int, array[int]] = {}
        for row, (instant, is_archived) in enumerate(zip(decided.instants, decided.archived, strict=True)):
            if instant != DUPLICATE and not is_archived:
                # By the number of the month: a date for each play would take longer than all the rest.
                by_number.setdefault(bisect_right(starts, instant), array("I")).append(row)
        return {self.calendar.month_of(from_millis(starts[number - 1])): rows for number, rows in by_number.items()}


def _some_at_a_time(months: "dict[date, array[int]]") -> "Iterator[tuple[date, array[int]]]":
    for month, rows in sorted(months.items()):
        for first in range(0, len(rows), _PLAYS_OF_A_FILE):
            yield month, rows[first : first + _PLAYS_OF_A_FILE]


class _Encoder:
    """Rows to the archive's records: each in three pieces, its times between them."""

    def __init__(self, found: Found, decided: Identities, user_id: str, ingested_at: datetime) -> None:
        self._found, self._decided = found, decided
        self._user_id, self._ingested_at = user_id, ingested_at
        self._pieces: dict[Content, tuple[bytes, ...]] = {}
        self._known_ids = found.rows.all_tracks.ids_by_names() if ACCOUNT in found.rows.sources else {}

    def record_of(self, row: int) -> bytes:
        """The play of a row, under the instant that was decided."""
        content = self._found.content(row)
        pieces = self._pieces.get(content)
        if pieces is None:
            if len(self._pieces) >= _MOST_PIECES:
                self._pieces.clear()
            pieces = self._pieces[content] = self._pieces_of(row)
        before, between, after = pieces
        played_at, ms_played = long(self._decided.instants[row]), optional_long(self._found.rows.ms_played[row])
        return b"".join((before, played_at, between, ms_played, after))

    def _pieces_of(self, row: int) -> tuple[bytes, ...]:
        exported = self._found.play(row)
        track = exported.track
        if exported.source is Source.ACCOUNT_EXPORT:
            track_id = self._known_ids.get((track.artist or "", track.name), track.id)
            exported = exported._replace(track=track._replace(id=track_id))
        return pieces_of(exported.to_play(self._user_id, self._ingested_at), "played_at", "ms_played")
