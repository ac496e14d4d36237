"""A rebuild's target in BigQuery: a month's partition goes, and what was made comes, in one job a table."""

import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from uuid import uuid4

import polars as pl

from pipelines.clock import Clock
from pipelines.domain.month import Calendar, month_text
from pipelines.domain.ranking import KINDS
from pipelines.rebuilding import columns
from pipelines.rebuilding.decoding import FILE, none_of, read_all
from pipelines.rebuilding.reading import fetch
from pipelines.rebuilding.rejected import ORIGIN
from pipelines.rebuilding.snapshots import rows_in
from pipelines.rebuilding.target import KEPT, Row, Staged, Staging, Stamp, Target, There
from pipelines.storage.archive import Archive, around
from pipelines.storage.files import storage_of
from pipelines.storage.snapshots import kind_of
from pipelines.tables import REBUILT
from pipelines.warehouse.bigquery import REJECTED_LINE, BigQueryWarehouse
from pipelines.warehouse.folder import WarehouseError
from pipelines.warehouse.json_rows import to_json, to_lines

_log = logging.getLogger("heavy_rotation")
_TOP_TENS = "top_ten_snapshots"
# How many files of the archive are in memory when a rebuild catches up.
_FILES_AT_ONCE = 32
# Killed, a rebuild of a laptop leaves its files in the folder for temporary ones under this name.
LOCAL_STAGING = "heavy-rotation-rebuild-"


class LineStaging(Staging):
    """Files of JSON lines under a folder, of this machine or ``gs://``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def write(self, table: str, month: date, rows: pl.DataFrame) -> str:
        """A new file with rows of one month; its path. Raises StorageError."""
        path = f"{self.folder}/{table}/month={month_text(month)}/{uuid4().hex}.json"
        storage_of(self.folder).write_new(path, to_lines(table, rows))
        return path

    def remove(self) -> None:
        """All files, with those of tries that failed. Raises StorageError."""
        storage = storage_of(self.folder)
        for ending in (".json", KEPT):
            for path in storage.files(self.folder, ending):
                storage.remove(path)

    @property
    def place(self) -> str:
        """The folder."""
        return self.folder


class BigQueryTables(Target):
    """The tables of a dataset.

    The stamp of a month is how many rows a table has, and of top tens how many plays they count and how many of them
    are final. A month that has fewer was restored, emptied, or replaced by another rebuild that had read less. Rows
    that a stream adds take none of it away.
    """

    at_once = together = 4

    def __init__(self, warehouse: BigQueryWarehouse, archive: Archive, calendar: Calendar, clock: Clock) -> None:
        self.warehouse = warehouse
        self.archive = archive
        self.calendar = calendar
        self.clock = clock

    @contextmanager
    def staging(self, temporary: str) -> Iterator[Staging]:
        """A folder of its own in the bucket for temporary files, where those go by themselves, or of this machine."""
        in_bucket = temporary.startswith("gs://")
        with (
            nullcontext(temporary.rstrip("/"))
            if in_bucket
            else tempfile.TemporaryDirectory(prefix=LOCAL_STAGING) as root
        ):
            yield LineStaging(f"{root}/rebuild-{uuid4().hex}")

    def there(self) -> There:
        """What every month has, by two queries."""
        found: dict[date, dict[str, list[str]]] = {}
        for table, months in self.warehouse.rows_by_month([table for table in REBUILT if table != _TOP_TENS]).items():
            for month, rows in months.items():
                found.setdefault(month, {})[table] = [str(rows)]
        for month, numbers in self.warehouse.by_month(
            _TOP_TENS, "SUM(plays_in_month), SUM(IF(is_final, 1, 0))"
        ).items():
            found.setdefault(month, {})[_TOP_TENS] = numbers
        return found

    def holds(self, stamp: Stamp, found: Stamp) -> bool:
        """Whether there is as much as was left there, or more."""
        return all(
            len(found.get(table, ())) == len(numbers)
            and all(int(has) >= int(had) for has, had in zip(found[table], numbers, strict=True))
            for table, numbers in stamp.items()
        )

    def replace(
        self, month: date, tables: Sequence[str], staged: Sequence[Staged], old: Stamp, computed_at: datetime
    ) -> Stamp:
        """Load a month's files into its partition of each table, or remove the partition."""
        rows: dict[str, int] = {}
        for table in tables:
            if files := [one for one in staged if one.table == table]:
                rows[table] = sum(one.rows for one in files)
                self.warehouse.load(table, [one.path for one in files], month)
            elif old.get(table):
                self.warehouse.remove_month(table, month)
        stamp = {table: [str(count)] for table, count in rows.items()}
        if snapshots := rows.get(_TOP_TENS):
            final = snapshots if self.calendar.is_over(month, computed_at) else 0
            stamp[_TOP_TENS] = [str(rows["play_events"] * len(KINDS)), str(final)]
        return stamp

    def catch_up(self, months: Collection[date], read: Sequence[str], added: Sequence[str], staging: Staging) -> None:
        """Add the snapshots and plays of files that came, and top tens that count these.

        What a stream wrote of their plays may have gone with the months, and it believes that it is there.
        """
        now = self.clock()  # before the marks are read: who is forgotten later takes these rows away
        for table, month, rows in rows_in(self.archive, added, months, now):
            self.warehouse.load(table, [str(staging.write(table, month, rows))])
        read, added = [path for path in read if not kind_of(path)], [path for path in added if not kind_of(path)]
        plays = pl.concat(self._plays(added, months))
        if plays.is_empty():
            return
        listeners = plays.select("user_id", "month").unique()
        touched = listeners["month"].unique().to_list()
        of_all = (
            some.join(listeners, on=["user_id", "month"], how="semi")
            for some in self._plays(around(touched, [*read, *added]), touched)
        )
        heard = columns.each_once(columns.with_keys(pl.concat(of_all, rechunk=True)))
        snapshots = columns.snapshots(heard, self.calendar, now)
        new = columns.with_local_time(columns.with_keys(plays), self.calendar)
        for table, rows in (("play_events", new), ("top_ten_snapshots", snapshots)):
            by_month = rows.partition_by("month", as_dict=True).items()
            self.warehouse.load(table, [str(staging.write(table, m, some)) for (m,), some in by_month])

    def rejected_ids(self) -> set[str]:
        """By a query."""
        return self.warehouse.message_ids(ORIGIN)

    def add_rejected(self, rows: Sequence[Row]) -> None:
        """As a stream does. Two rebuilds at once may both bring the same row."""
        _log.warning(REJECTED_LINE, len(rows))
        if refused := self.warehouse.insert("rejected", [to_json(row) for row in rows]):
            raise WarehouseError(f"BigQuery refused rows of {self.warehouse.name('rejected')}: {min(refused.values())}")

    def _plays(self, paths: Sequence[str], months: Collection[date]) -> Iterator[pl.DataFrame]:
        """The months' plays in these files, of some at a time. One that is unreadable the next rebuild names."""
        yield columns.with_month(none_of(), self.calendar)
        for n in range(0, len(paths), _FILES_AT_ONCE):
            some = paths[n : n + _FILES_AT_ONCE]
            found = read_all(list(zip(some, fetch(self.archive.read_bytes, some), strict=True))).records.drop(FILE)
            plays = columns.with_month(columns.remembered(found, self.archive.marks.lately()), self.calendar)
            yield plays.filter(pl.col("month").is_in(list(months)))
