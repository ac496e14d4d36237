"""From the archive's files to the plays of months that still take plays."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.window import TimestampedValue

from pipelines.clock import Clock
from pipelines.domain.instants import from_millis
from pipelines.domain.month import FIRST_YEAR, Calendar, following, preceding, with_neighbours
from pipelines.domain.play import Play, UnreadableError, check_times, from_record
from pipelines.storage.archive import Archive, decode, may_have_open_plays, month_of
from pipelines.storage.files import StorageError
from pipelines.streaming.batches import UserPlays, by_user_and_month
from pipelines.tables import play_schema

_log = logging.getLogger("heavy_rotation")
# An alert waits for this line.
PASSED_OVER_LINE = "A file of the archive was passed over, and the tables may lack its plays: %s"

KEPT_BY_PUBSUB = timedelta(days=7)


@dataclass
class ReplayOpenMonths(beam.PTransform):
    """The archive's plays of the months that still take plays, by user and month, read as ``ReadOpenPlays`` does.

    What a job that ended had counted, the next one counts again from here; deduplication takes away what comes
    from Pub/Sub as well. The archive is listed when the job starts, not when its graph is made. What was ingested
    longer ago than a subscription keeps messages is in ``play_events``, unless a job was stuck for so long.
    """

    archive: Archive
    calendar: Calendar
    lateness: timedelta
    clock: Clock

    def expand(self, begin: PBegin) -> PCollection[UserPlays]:
        """At a pipeline's beginning; in the global window."""
        listing = _List(self.archive, self.calendar, self.lateness, self.clock)
        reading = _Read(self.archive, self.calendar, self.lateness, self.clock, rows_of=KEPT_BY_PUBSUB)
        return (
            begin
            | beam.Impulse()
            | "List files" >> beam.ParDo(listing).with_output_types(str)
            | "Spread files" >> beam.Reshuffle()
            | "Read file" >> beam.ParDo(reading).with_output_types(UserPlays)
        )


@dataclass
class ReadOpenPlays(beam.PTransform):
    """Paths of files to the plays in them of months that still take plays, by user and month: of the archive's files,
    and of those of ``play_events`` in a folder, whose plays are there.

    A file that cannot be read is told in the log, counted in the metric ``files_passed_over``, and passed over: it
    must not keep back what comes after it. So are plays of a time that cannot be (``plays_passed_over``), and those
    that were forgotten. Where a
    file has gone since it was listed, its month is listed again, since what it had may be in another one now.
    """

    archive: Archive
    calendar: Calendar
    lateness: timedelta
    clock: Clock
    note_read: Callable[[str], object]

    def expand(self, paths: PCollection[str]) -> PCollection[UserPlays]:
        """Paths in the global window; the same path may come again. ``note_read`` is told of each that was read."""
        reading = _Read(self.archive, self.calendar, self.lateness, self.clock, note_read=self.note_read)
        return paths | "Read file" >> beam.ParDo(reading).with_output_types(UserPlays)


def open_files(archive: Archive, calendar: Calendar, lateness: timedelta, now: datetime) -> list[str]:
    """The files that may have plays of months that still take plays. Raises StorageError."""
    return archive.files(month for month in archive.months() if may_have_open_plays(month, calendar, lateness, now))


def open_months(calendar: Calendar, lateness: timedelta, now: datetime) -> list[date]:
    """The months that still take plays: this one, the next, which clocks may be ahead in, and those before."""
    month, months = following(calendar.month_of(now)), []
    while not calendar.is_closed(month, lateness, now) and month.year >= FIRST_YEAR:
        months.append(month)
        month = preceding(month)
    return months


def plays_of_months_closed_between(
    archive: Archive, calendar: Calendar, lateness: timedelta, since: datetime, now: datetime
) -> Iterator[list[Play]]:
    """The archive's plays of months that took plays at ``since`` and take none at ``now``, a list for each file.

    A stream that ended badly in between may have acknowledged some that no table got, and no replay reads them.
    Raises StorageError.
    """
    month, months = calendar.month_of(since - lateness), []
    while calendar.is_closed(month, lateness, now):
        if not calendar.is_closed(month, lateness, since):
            months.append(month)
        month = following(month)
    for path in archive.files(sorted({near for month in months for near in with_neighbours(month)})):
        try:
            plays = archive.marks.lately().without(archive.read(path))
        except StorageError as error:
            _log.error(PASSED_OVER_LINE, error)
            continue
        if found := [play for play in plays if calendar.month_of(play.played_at) in months]:
            yield found


@dataclass
class _List(beam.DoFn):
    archive: Archive
    calendar: Calendar
    lateness: timedelta
    clock: Clock

    def process(self, _impulse: bytes) -> Iterable[str]:
        return open_files(self.archive, self.calendar, self.lateness, self.clock())


class _Read(beam.DoFn):
    def __init__(
        self,
        archive: Archive,
        calendar: Calendar,
        lateness: timedelta,
        clock: Clock,
        rows_of: timedelta = timedelta.max,
        note_read: Callable[[str], object] = str,
    ) -> None:
        """Plays that were ingested longer ago than ``rows_of`` are there."""
        self.rows_of = rows_of
        self.note_read = note_read
        self.archive = archive
        self.calendar = calendar
        self.lateness = lateness
        self.clock = clock
        self.files_passed_over = Metrics.counter("heavy_rotation", "files_passed_over")
        self.plays_passed_over = Metrics.counter("heavy_rotation", "plays_passed_over")
        self.listed_again: set[str] = set()

    def start_bundle(self) -> None:
        self.listed_again = set()

    def process(self, path: str) -> Iterator[TimestampedValue]:
        yield from self._plays_in(path)
        self.note_read(path)

    def _plays_in(self, path: str) -> Iterator[TimestampedValue]:
        if path.endswith(".parquet"):
            yield from by_user_and_month(self._countable(self._rows(path), path), self.calendar, are_there=True)
            return
        waiting = [path]
        while waiting:
            path = waiting.pop()
            if (data := self._data(path, waiting)) is None:
                continue
            try:
                plays = self.archive.marks.lately().without(decode(path, data))
            except StorageError as error:
                self._pass_over(error)
            else:
                yield from self._by_user_and_month(self._countable(plays, path))

    def _by_user_and_month(self, plays: Iterable[Play]) -> Iterator[TimestampedValue]:
        now = self.clock()
        old: list[Play] = []
        new: list[Play] = []
        for play in plays:
            (old if now - play.ingested_at > self.rows_of else new).append(play)
        yield from by_user_and_month(old, self.calendar, are_there=True)
        yield from by_user_and_month(new, self.calendar)

    def _rows(self, path: str) -> list[Play]:
        """The plays of a file of ``play_events``; none of one that a rebuild has replaced since it was listed, or that
        cannot be read: then rows are added again, which the views allow for."""
        names = [field["name"] for field in play_schema()["fields"]]
        try:
            rows = pl.read_parquet(path, hive_partitioning=False)
        except (OSError, pl.exceptions.PolarsError):
            return []
        rows = rows.select(name for name in names if name in rows.columns)
        rows = rows.with_columns(pl.col("played_at", "ingested_at").dt.epoch("ms"))
        return self.archive.marks.lately().without(map(_play_of_row, rows.iter_rows(named=True)))

    def _data(self, path: str, waiting: list[str]) -> bytes | None:
        """A file's bytes, or None where there are none to be had; then other files to read may be waiting."""
        try:
            return self.archive.read_bytes(path)
        except StorageError as error:
            month = month_of(path)
            there = self.archive.files([month] if month else None)
            if path not in there:
                new = [other for other in there if other not in self.listed_again]
                self.listed_again.update(new)
                waiting += new
            elif path.startswith("gs://"):
                raise  # the bucket does not answer, and the step is tried again
            else:
                self._pass_over(error)
            return None

    def _pass_over(self, error: StorageError) -> None:
        self.files_passed_over.inc()
        _log.error(PASSED_OVER_LINE, error)

    def _countable(self, plays: Iterable[Play], path: str) -> Iterator[Play]:
        now, passed_over = self.clock(), 0
        for play in plays:
            try:
                check_times(play.played_at, play.ingested_at, now)
            except UnreadableError:
                passed_over += 1
                continue
            if not self.calendar.is_closed(self.calendar.month_of(play.played_at), self.lateness, now):
                yield play
        if passed_over:
            self.plays_passed_over.inc(passed_over)
            _log.warning("%d plays of %s are of a time that cannot be, and were passed over", passed_over, path)


def _play_of_row(row: dict[str, Any]) -> Play:
    instants = {name: from_millis(row[name]) for name in ("played_at", "ingested_at")}
    return from_record(row | instants)
