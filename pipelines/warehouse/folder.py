"""A warehouse in a folder: ``<table>/month=YYYY-MM/<unique>.parquet`` and a marker, ``warehouse.json``.

Any number of processes may write and read it at once. A file appears whole or not at all, its name is never
used twice, and it is never changed; the marker says which version of this layout it is, and in which time
zone its months are counted.
"""

import fcntl
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, date
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from uuid import uuid4

from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.storage.files import ChangedError, StorageError, storage_explained, storage_of
from pipelines.storage.folder import make_folder, sync
from pipelines.tables import TABLES

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

VERSION = 1
MARKER = "warehouse.json"
# What a folder's name begins with in which a rebuild has its files until all are there.
STAGING = ".rebuild-"

Row = dict[str, Any]
_log = logging.getLogger("heavy_rotation")


class WarehouseError(StorageError):
    """The folder is not a warehouse that this can be done with. Its text is a sentence that says what to do."""


class FolderWarehouse:
    """The tables in one folder, their months counted in one time zone. Pickles as the two."""

    def __init__(self, folder: str | Path, time_zone: str) -> None:
        """Open for writing; what is missing is made.

        Raises WarehouseError where it is of a newer version or counts months in another time zone, StorageError
        where the folder cannot be written, UnknownTimeZoneError.
        """
        self.folder = Path(folder)
        self.time_zone = Calendar(time_zone).time_zone
        with storage_explained(self.folder):
            if not (self.folder / MARKER).exists():
                marker = json.dumps({"version": VERSION, "time_zone": time_zone}) + "\n"
                with suppress(ChangedError):  # another process was first, and its marker stays
                    storage_of(str(folder)).write_new(str(self.folder / MARKER), marker.encode())
            counted_in = _read_marker(self.folder)
        if counted_in != time_zone:
            raise WarehouseError(
                f"The warehouse {self.folder} counts months in {counted_in}, not {time_zone}: "
                f"use --time-zone {counted_in}, or another folder."
            )

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open for reading; the time zone is the marker's. Writes nothing. Raises StorageError."""
        warehouse = cls.__new__(cls)
        warehouse.folder = Path(folder)
        with storage_explained(folder):
            warehouse.time_zone = _read_marker(warehouse.folder)
        return warehouse

    def append(self, table: str, rows: Sequence[Row]) -> list[Path]:
        """Add rows of native Python values, as ``Play.to_row`` and ``ranking.snapshots`` make them.

        One file for each month among them; each appears whole or not at all. Their paths are returned. Called again
        with the same rows it adds them again, which the views over the tables allow for. Raises StorageError.
        """
        import pyarrow as pa

        from pipelines.warehouse.arrow import arrow_schema

        return [
            self.write(table, month, pa.Table.from_pylist(list(group), arrow_schema(table)))
            for month, group in groupby(sorted(rows, key=_month), _month)
        ]

    def write(self, table: str, month: date, rows: "pa.Table | pl.DataFrame") -> Path:
        """Add a file of one month's rows and return its path. The columns are cast to the table's schema.

        Raises StorageError, and ValueError for rows that the schema does not allow.
        """
        # Who only asks which files there are needs neither Arrow nor Polars, which take a tenth of a second to load.
        from pipelines.warehouse.parquet import to_parquet

        path = self.month_folder(table, month) / f"{uuid4().hex}.parquet"
        storage_of(str(path)).write_new(str(path), to_parquet(table, rows))
        return path

    def files(self, table: str, month: date) -> list[Path]:
        """The files of a month, sorted; none is unfinished. Raises StorageError."""
        with storage_explained(self.folder):
            names = _names(self.month_folder(table, month))
        return [self.month_folder(table, month) / name for name in names if name.endswith(".parquet")]

    def months(self, table: str) -> list[date]:
        """The months that have a folder, sorted; it may be empty. Raises StorageError."""
        with storage_explained(self.folder):
            names = _names(self.folder / table)
        return [month for name in names if (month := _named_month(name))]

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Some columns of every row. For a table that has few. Raises StorageError."""
        import pyarrow.parquet as pq

        for month in self.months(table):
            for path in self.files(table, month):
                with storage_explained(path):
                    found = pq.read_table(path, columns=list(columns), partitioning=None)
                yield from found.to_pylist()

    def take(self, table: str, month: date, path: Path) -> str:
        """Move a file of the same file system in; its name. One that is in already stays. Raises StorageError."""
        target = self.month_folder(table, month) / path.name
        with storage_explained(self.folder):
            make_folder(target.parent)
            with suppress(FileNotFoundError) if target.exists() else nullcontext():
                sync(path)
                path.replace(target)
            sync(target.parent)
        return path.name

    def remove_files(self, table: str, month: date, names: Iterable[str]) -> None:
        """Remove files of a month by their names; one that is not there is removed already. Raises StorageError."""
        self.remove(self.month_folder(table, month) / name for name in names)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Of all who want to be alone here, rebuilds and forgettings, let one in and the others wait for its end.

        Whether it is alone is given: on a file system without locks all come in at once. Raises StorageError.
        """
        with storage_explained(self.folder), (self.folder / MARKER).open("rb") as marker:
            yield _lock(marker, self.folder)

    def staging_folders(self) -> list[Path]:
        """The staging folders of rebuilds, at work or killed. To who is alone here they are of killed ones."""
        with storage_explained(self.folder):
            return sorted(self.folder.glob(f"{STAGING}*"))

    def abandoned(self) -> list[str]:
        """Files that writers that were killed never gave their names; no reader sees them. Raises StorageError."""
        return storage_of(str(self.folder)).abandoned(str(self.folder))

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files; one that is not there is removed already. Raises StorageError."""
        with storage_explained(self.folder):
            gone = list(paths)
            for path in gone:
                path.unlink(missing_ok=True)
            for folder in sorted({path.parent for path in gone if path.parent.exists()}):
                sync(folder)

    def month_folder(self, table: str, month: date) -> Path:
        """Where a month's files are; it may not be there. Raises ValueError for what is no table."""
        if table not in TABLES:
            raise ValueError(f"{table!r} is not a table")
        return self.folder / table / f"month={month_text(month)}"


def _month(row: Row) -> date:
    """A row's month by the pipeline's time zone; a rejected row has none, so its month is UTC's."""
    month: date = row["month"] if "month" in row else row["rejected_at"].astimezone(UTC).date().replace(day=1)
    return month


def _named_month(name: str) -> date | None:
    try:
        return parse_month(name.removeprefix("month=")) if name.startswith("month=") else None
    except ValueError:
        return None


def _lock(marker: IO[bytes], folder: Path) -> bool:
    """Whether the lock was given, after waiting for it. A file system without locks gives none."""
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _log.warning("another rebuild is at work in %s, or a forgetting; this goes on when that has ended", folder)
        fcntl.flock(marker, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:  # nothing was written there yet
        return []


def _read_marker(folder: Path) -> str:
    """The time zone of the warehouse in a folder. Raises WarehouseError, OSError."""
    try:
        marker = json.loads((folder / MARKER).read_bytes())
        version, time_zone = int(marker["version"]), str(marker["time_zone"])
    except (FileNotFoundError, NotADirectoryError):
        if not folder.is_dir():
            raise WarehouseError(
                f"There is no folder {folder}: check the path, or let heavy-rotation import or rebuild make it."
            ) from None
        raise WarehouseError(
            f"{folder} is not a warehouse (it has no {MARKER}): check the path, or let heavy-rotation rebuild make one."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise WarehouseError(
            f"{folder / MARKER} is damaged: move the folder away and run heavy-rotation rebuild."
        ) from None
    if version > VERSION:
        raise WarehouseError(
            f"The warehouse {folder} was written by a newer Heavy Rotation (layout {version}, "
            f"this one knows {VERSION}): upgrade Heavy Rotation."
        )
    return time_zone
