"""What a rebuild needs of the tables that it makes anew. ``folder`` and ``bigquery`` are such targets.

Classes, not protocols: Beam asks of values in a graph what they are instances of.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

import polars as pl

from pipelines.storage.files import storage_of

# The ending of what steps keep for each other.
KEPT = ".part"
Row = dict[str, Any]
# Of one month by table: texts by which what is there is known again, such as names of files.
Stamp = Mapping[str, Sequence[str]]
# The stamp of every month that has rows.
There = Mapping[date, Stamp]


class Staged(NamedTuple):
    """A finished file of one month that waits, and how many rows it has.

    ``again``: it was made once more, with plays from another month's files, and takes the place of the first.
    """

    table: str
    month: date
    path: str
    rows: int
    again: bool = False


class Staging(ABC):
    """Where finished files wait until all of them are there. Pickles."""

    def typed(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002 - to most it is all one
        """Rows of many months as ``write`` would make those of each: at once it takes a tenth."""
        return rows

    @abstractmethod
    def write(self, table: str, month: date, rows: pl.DataFrame) -> str | Path:
        """A new file with rows of one month of a table; its path. Raises StorageError."""

    def keep(self, data: bytes) -> str:
        """Keep bytes for another step until the end; their path. Raises StorageError."""
        path = f"{self.place}/{uuid4().hex}{KEPT}"
        storage_of(path).write_new(path, data)
        return path

    def kept(self, path: str) -> bytes:
        """The bytes that were kept there. Raises StorageError."""
        return storage_of(path).read(path).data

    @property
    @abstractmethod
    def place(self) -> str:
        """The folder where all this is, of this machine or ``gs://``."""

    @abstractmethod
    def remove(self) -> None:
        """Remove all files, with those of tries that failed. Raises StorageError."""

    @property
    def result(self) -> str:
        """A path, outside of what ``remove`` removes, for what the command is to be told."""
        return f"{self.place}/result"


class Target(ABC):
    """The tables of one warehouse. Pickles. Methods raise StorageError."""

    at_once: ClassVar[int]
    """How many months may be replaced side by side."""
    together: ClassVar[int]
    """How many months one worker is given to replace; when one of them fails, all of these are tried again."""

    @abstractmethod
    def staging(self, temporary: str) -> AbstractContextManager[Staging]:
        """A place for finished files, gone at the end. ``temporary`` is Beam's folder for such things, or empty."""

    @abstractmethod
    def there(self) -> There:
        """What the tables have now."""

    @abstractmethod
    def holds(self, stamp: Stamp, found: Stamp) -> bool:
        """Whether what a rebuild left is still part of what was found."""

    @abstractmethod
    def replace(
        self, month: date, tables: Sequence[str], staged: Sequence[Staged], old: Stamp, computed_at: datetime
    ) -> Stamp:
        """Put files in the place of what these tables had of a month; what they have now. Again it changes nothing."""

    @abstractmethod
    def catch_up(self, months: Collection[date], read: Sequence[str], added: Sequence[str], staging: Staging) -> None:
        """See to it that what is in ``added`` is in the tables as far as somebody wrote it there already.

        Those are files that came to the archive while ``read`` were read and ``months`` replaced.
        """

    @abstractmethod
    def rejected_ids(self) -> set[str]:
        """The ``message_id`` of what the table ``rejected`` has from polling."""

    @abstractmethod
    def add_rejected(self, rows: Sequence[Row]) -> None:
        """Add rows to the table ``rejected``."""
