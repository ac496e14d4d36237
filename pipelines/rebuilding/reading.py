"""Reading files of the archive, a few side by side: a bucket takes as long for one small file as for ten."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import TypeVar

from pipelines.domain.month import Calendar
from pipelines.rebuilding import columns
from pipelines.storage.archive import Archive, month_of
from pipelines.storage.files import StorageError

# How many files a worker reads at once, and how many it takes together: their bytes are in memory then.
AT_ONCE = 16
TOGETHER = 64

Answer = TypeVar("Answer")


class GoneError(StorageError):
    """A file that was listed is not there any more."""


def read_bytes(archive: Archive, path: str) -> bytes:
    """A listed file as it is. Raises GoneError, and StorageError where it is there and cannot be had."""
    try:
        return archive.read_bytes(path)
    except StorageError as error:
        month = month_of(path)
        if month and path not in archive.files([month]):
            raise GoneError(f"{path} went while it was to be read") from error
        raise


def side_by_side(work: Callable[[str], Answer], paths: Sequence[str]) -> Iterator[Answer]:
    """What ``work`` gives for each path, in order. The first error is raised, once all that began has ended."""
    if len(paths) < 2:
        yield from map(work, paths)
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(paths))) as threads:
        yield from threads.map(work, paths)


def read_months(archive: Archive, paths: Sequence[str], calendar: Calendar) -> dict[str, tuple[date, ...]]:
    """The months that files hold plays of; those that cannot be read, or are gone, are left out."""

    def read(path: str) -> tuple[date, ...] | None:
        with suppress(StorageError):
            return columns.months_of(
                columns.with_local_time(columns.read_plays(path, archive.read_bytes(path)), calendar)
            )
        return None

    found = zip(paths, side_by_side(read, paths), strict=True)
    return {path: months for path, months in found if months is not None}


def in_groups(paths: Iterable[str]) -> Iterator[list[str]]:
    """Paths, as many as are read together."""
    group: list[str] = []
    for path in paths:
        group.append(path)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group
