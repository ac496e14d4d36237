"""Reading files of the archive, many together: a bucket takes as long for one small file as for ten."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import TypeVar

import polars as pl

from pipelines.domain.month import Calendar
from pipelines.rebuilding import columns
from pipelines.rebuilding.decoding import FILE, read_all
from pipelines.storage.archive import Archive, month_of
from pipelines.storage.files import StorageError, is_bucket

# How many files are fetched from a bucket at once, and of how many the bytes are in memory then.
_AT_ONCE = 16
_TOGETHER = 256
# Bytes of files whose plays are in memory at once, however many threads there are: as much as a listener with a million
# plays in one month has, and a piece of the others beside it.
_IN_HAND = 72 << 20
_MOST_THREADS = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GoneError(StorageError):
    """A file that was listed is not there any more."""


@dataclass(frozen=True, slots=True)
class Read:
    """What came of files that were read: the months that each holds plays or snapshots of, and how many plays of those
    asked for.

    ``passed_over`` counts plays of a time that cannot be, by reason, ``snapshots_passed_over`` such snapshots,
    ``forgotten`` plays of people who were.
    ``troubles`` says of a file why it cannot be read; ``gone`` are files that went after they were listed.
    """

    contents: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    plays: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    forgotten: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    snapshots_passed_over: int = 0


def read_lot(
    archive: Archive, paths: Sequence[str], asked: Iterable[date] | None, calendar: Calendar, now: datetime
) -> tuple[Read, pl.DataFrame]:
    """The plays of files that are of the months asked for, with their ``month``, and what came of the files."""
    there = list(zip(paths, fetch(partial(_bytes_of, archive), paths), strict=True))
    gone = tuple(path for path, data in there if data is None)
    files = [(path, data) for path, data in there if data is not None]
    decoded, troubles = read_all(files)
    plays, passed_over = columns.possible(decoded, now)
    # Read after the plan's instant: who was forgotten before it is known here.
    left = columns.remembered(plays, archive.marks.lately())
    found = columns.with_month(left, calendar)
    wanted = found if asked is None else found.filter(pl.col("month").is_in(list(asked)))
    read = Read(
        _contents(files, troubles, found),
        wanted.height,
        passed_over,
        plays.height - left.height,
        {files[number][0]: why for number, why in troubles.items()},
        gone,
    )
    return read, wanted.drop(FILE)


def read_bytes(archive: Archive, path: str) -> bytes:
    """A listed file as it is. Raises GoneError, and StorageError where it is there and cannot be had."""
    try:
        return archive.read_bytes(path)
    except StorageError as error:
        month = month_of(path)
        if month and path not in archive.files([month]):
            raise GoneError(f"{path} went while it was to be read") from error
        raise


def read_months(archive: Archive, paths: Sequence[str], calendar: Calendar) -> dict[str, tuple[date, ...]]:
    """The months that files hold plays of; those that cannot be read, or are gone, are left out."""
    found: dict[str, tuple[date, ...]] = {}
    for n in range(0, len(paths), _TOGETHER):
        found |= _months(archive, paths[n : n + _TOGETHER], calendar)
    return found


def fetch(get: Callable[[str], Answer], paths: Sequence[str]) -> Iterator[Answer]:
    """What ``get`` gives for each path, in order, from a bucket a few at a time. The first error is raised, once all
    that began has ended."""
    if len(paths) < 2 or not is_bucket(paths[0]):
        yield from map(get, paths)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as threads:
        yield from threads.map(get, paths)


def on_all_cores(work: Callable[[Item], Answer], items: Sequence[tuple[int, Item]]) -> Iterator[Answer]:
    """What ``work`` gives for each item, which come with the bytes of their files; as it is ready, in no order.

    Polars leaves Python to others while it works, so threads use all cores, as far as memory allows. The first error is
    raised, once all that began has ended.
    """
    count = min(_MOST_THREADS, len(items), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
    if count < 2:
        yield from (work(item) for _, item in items)
        return
    waiting, under_way = list(reversed(items)), dict[Future[Answer], int]()
    with ThreadPoolExecutor(count) as threads:
        while waiting or under_way:
            while (
                waiting
                and len(under_way) < count
                and (not under_way or sum(under_way.values()) + waiting[-1][0] <= _IN_HAND)
            ):
                size, item = waiting.pop()
                under_way[threads.submit(work, item)] = size
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                del under_way[done]
                yield done.result()


def _bytes_of(archive: Archive, path: str) -> bytes | None:
    with suppress(GoneError):
        return read_bytes(archive, path)
    return None


def _months(archive: Archive, paths: Sequence[str], calendar: Calendar) -> dict[str, tuple[date, ...]]:
    def bytes_of(path: str) -> bytes | None:
        with suppress(StorageError):
            return archive.read_bytes(path)
        return None

    fetched = zip(paths, fetch(bytes_of, paths), strict=True)
    files = [(path, data) for path, data in fetched if data is not None]
    plays, troubles = read_all(files)
    return _contents(files, troubles, columns.with_month(plays, calendar))


def _contents(
    files: Sequence[tuple[str, bytes]], troubles: Mapping[int, str], plays: pl.DataFrame
) -> dict[str, tuple[date, ...]]:
    found: dict[str, tuple[date, ...]] = {path: () for n, (path, _) in enumerate(files) if n not in troubles}
    for number, month in sorted(plays.select(FILE, "month").unique().rows()):
        found[files[number][0]] += (month,)
    return found
