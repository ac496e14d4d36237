"""Which files a warehouse in a folder has, looked up again only where a folder has changed."""

import hashlib
import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from pipelines.tables import TABLES
from pipelines.warehouse.folder import FolderWarehouse

# A folder whose time is as young as this may change once more within the same tick of the file system's clock.
_SETTLED_NANOSECONDS = 2_000_000_000
T = TypeVar("T")
Files = Mapping[date, tuple[Path, ...]]


class Listing:
    """The files of each table by month. Not for two threads at once."""

    def __init__(self, warehouse: FolderWarehouse) -> None:
        self._warehouse = warehouse
        # Of each folder looked into: when it last changed, and what was found in it.
        self._months: dict[str, tuple[int, tuple[date, ...]]] = {}
        self._files: dict[str, tuple[int, tuple[Path, ...]]] = {}
        self._folders: dict[tuple[str, date], str] = {}
        self.files: Mapping[str, Files] = {table: {} for table in TABLES}
        self.version = ""
        # The months that plays have files of, in order, and for each a number that was given to no other files.
        self._months_of_plays: list[date] = []
        self._numbers: tuple[int, ...] = ()
        self._next = count()

    def refresh(self) -> None:
        """Bring ``files`` and ``version`` up to date, for a stat a month that is as it was. Raises StorageError."""
        files = {table: dict(self._of(table)) for table in TABLES}
        if files != self.files or not self.version:
            there, plays = self.files["play_events"], files["play_events"]
            known = dict(zip(self._months_of_plays, self._numbers, strict=True))
            self._months_of_plays = sorted(plays)
            self._numbers = tuple(
                known[month] if there.get(month) == plays[month] else next(self._next)
                for month in self._months_of_plays
            )
            self.files = files
            names = "\n".join(str(file) for table in TABLES for some in files[table].values() for file in some)
            self.version = hashlib.sha256(names.encode()).hexdigest()[:16]

    def version_of(self, spans: Iterable[tuple[date, date]]) -> Hashable:
        """Another value once the files of these months of plays are others; spans of first days, both in them."""
        months = self._months_of_plays
        return tuple(self._numbers[bisect_left(months, first) : bisect_right(months, last)] for first, last in spans)

    def _of(self, table: str) -> Iterator[tuple[date, tuple[Path, ...]]]:
        warehouse = self._warehouse
        months = _looked_up(self._months, str(warehouse.folder / table), partial(warehouse.months, table))
        for month in months:
            if (folder := self._folders.get((table, month))) is None:
                folder = self._folders[table, month] = str(warehouse.month_folder(table, month))
            if files := _looked_up(self._files, folder, partial(warehouse.files, table, month)):
                yield month, files


def _looked_up(known: dict[str, tuple[int, tuple[T, ...]]], folder: str, look: Callable[[], list[T]]) -> tuple[T, ...]:
    """What is in a folder, looked up if it has changed since, or may have."""
    try:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116 - a hundred thousand times an hour
    except FileNotFoundError:
        return ()
    before = known.get(folder)
    if before and before[0] == changed:
        return before[1]
    found = tuple(look())
    known[folder] = changed if time.time_ns() - changed > _SETTLED_NANOSECONDS else 0, found
    return found
