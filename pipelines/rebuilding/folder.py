"""A rebuild's target in a folder: files are moved in, then those are removed that were there before.

Whoever reads finds at every moment the old rows, the new ones, or both, which the views read as one.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

import polars as pl

from pipelines.rebuilding.rejected import ORIGIN
from pipelines.rebuilding.target import KEPT, Row, Staged, Staging, Stamp, Target, There
from pipelines.storage.files import storage_explained
from pipelines.storage.folder import write_unsynced
from pipelines.tables import REBUILT
from pipelines.warehouse.folder import STAGING, FolderWarehouse
from pipelines.warehouse.parquet import to_parquet, typed


class FolderStaging(Staging):
    """A folder inside the warehouse, out of readers' sight."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def typed(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """In the table's columns and types."""
        return typed(table, rows)

    def write(self, table: str, month: date, rows: pl.DataFrame) -> Path:  # noqa: ARG002 - whose name says nothing
        """A new file of one month, of which the disk knows when it is taken in: until then nothing is lost with it."""
        path = self.folder / f"{uuid4().hex}.parquet"
        with storage_explained(path):
            write_unsynced(path, to_parquet(table, rows), stays=True)
        return path

    def keep(self, data: bytes) -> str:
        """A file that the disk need not know of: what is lost with the machine is made again."""
        path = self.folder / f"{uuid4().hex}{KEPT}"
        with storage_explained(path):
            write_unsynced(path, data, stays=False)
        return str(path)

    def kept(self, path: str) -> bytes:
        """Its bytes, and no digest of them."""
        with storage_explained(path):
            return Path(path).read_bytes()

    def remove(self) -> None:
        """The folder goes as a whole, when the command ends."""

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder)


class FolderTables(Target):
    """The tables of a folder. The stamp of a month is the names of its files, which are never used twice."""

    # Most of it is waiting for the disk, which writes for many as fast as for one. The slowest is waited for once in
    # so many months.
    at_once = 8
    together = 64

    def __init__(self, warehouse: FolderWarehouse) -> None:
        self.warehouse = warehouse

    @contextmanager
    def staging(self, temporary: str) -> Iterator[Staging]:  # noqa: ARG002 - a folder has room of its own
        """Alone in the warehouse: another rebuild waits, so that of two no month is made twice, or from less."""
        with storage_explained(self.warehouse.folder), self.warehouse.alone() as is_alone:
            if is_alone:
                for abandoned in self.warehouse.staging_folders():
                    shutil.rmtree(abandoned, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.warehouse.folder))
            try:
                yield FolderStaging(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def there(self) -> There:
        """The names of every month's files."""
        found: dict[date, dict[str, list[str]]] = {}
        for table in REBUILT:
            for month in self.warehouse.months(table):
                if names := self._names(table, month):
                    found.setdefault(month, {})[table] = names
        return found

    def holds(self, stamp: Stamp, found: Stamp) -> bool:
        """Whether the very files are there, perhaps beside others that a stream wrote since."""
        return all(set(names) <= set(found.get(table, ())) for table, names in stamp.items())

    def replace(
        self,
        month: date,
        tables: Sequence[str],
        staged: Sequence[Staged],
        old: Stamp,
        computed_at: datetime,  # noqa: ARG002 - a file says it
    ) -> Stamp:
        """New files first."""
        new = {}
        for table in tables:
            names = [self.warehouse.take(table, month, Path(one.path)) for one in staged if one.table == table]
            if gone := set(old.get(table, ())).difference(names):
                self.warehouse.remove_files(table, month, gone)
            if names:
                new[table] = names
        return new

    def catch_up(self, months: Collection[date], read: Sequence[str], added: Sequence[str], staging: Staging) -> None:
        """What others wrote meanwhile has stayed: only those files were removed that were there before."""

    def rejected_ids(self) -> set[str]:
        """Of each file the two columns that say it."""
        return {row["message_id"] for row in self.warehouse.rows("rejected", ["origin", "message_id"]) if _is_ours(row)}

    def add_rejected(self, rows: Sequence[Row]) -> None:
        """A file for each month among them."""
        self.warehouse.append("rejected", rows)

    def _names(self, table: str, month: date) -> list[str]:
        return [path.name for path in self.warehouse.files(table, month)]


def _is_ours(row: Row) -> bool:
    return bool(row["origin"] == ORIGIN)
