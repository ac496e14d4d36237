"""From files of snapshots to finished files of their tables: each snapshot once within its month."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import partial

import polars as pl

from pipelines.domain.snapshots import KINDS
from pipelines.rebuilding.columns import possible_instant
from pipelines.rebuilding.decoding import FILE, read_all
from pipelines.rebuilding.reading import Read, fetch, on_all_cores
from pipelines.rebuilding.sharing import KindLot, Share
from pipelines.rebuilding.target import Staged, Staging
from pipelines.storage.archive import Archive, month_of
from pipelines.storage.files import MissingError
from pipelines.storage.snapshots import kind_of
from pipelines.tables import table_of


def finish_kinds(share: Share, archive: Archive, staging: Staging) -> Iterator[Read | Staged]:
    """Read a share's lots of snapshots, and finish them. Raises StorageError."""
    work = partial(_finish_lot, archive=archive, staging=staging, now=share.now)
    for outcome in on_all_cores(work, [(lot.size, lot) for lot in share.of_kinds]):
        yield from outcome


def rows_in(
    archive: Archive, paths: Sequence[str], months: Collection[date], now: datetime
) -> Iterator[tuple[str, date, pl.DataFrame]]:
    """Table, month and rows of the snapshots in these files that are of these months. A file that is unreadable, or
    gone, the next rebuild names."""
    of: dict[tuple[str, date], list[str]] = {}
    for path in paths:
        if (kind := kind_of(path)) and (month := month_of(path)) and month in months:
            of.setdefault((kind, month), []).append(path)
    for (kind, month), some in of.items():
        _, rows = _read(archive, kind, month, some, now)
        if not rows.is_empty():
            yield table_of(kind), month, rows


def _finish_lot(lot: KindLot, archive: Archive, staging: Staging, now: datetime) -> list[Read | Staged]:
    read, rows = _read(archive, lot.kind, lot.month, lot.paths, now)
    if rows.is_empty():
        return [read]
    table = table_of(lot.kind)
    return [read, Staged(table, lot.month, str(staging.write(table, lot.month, rows)), rows.height)]


def _read(archive: Archive, kind: str, month: date, paths: Sequence[str], now: datetime) -> tuple[Read, pl.DataFrame]:
    """The rows of a month's files, in the order of time, and what came of the files."""
    there = list(zip(paths, fetch(partial(_bytes_of, archive), paths), strict=True))
    files = [(path, data) for path, data in there if data is not None]
    found, unreadable = read_all(files, kind)
    troubles = {files[number][0]: why for number, why in unreadable.items()}
    possible = found.filter(possible_instant(pl.col("taken_at"), now))
    rows = possible.with_columns(month=pl.col("taken_at").dt.date().dt.month_start())
    elsewhere = rows.filter(pl.col("month") != month)[FILE].unique().to_list()
    troubles |= {files[number][0]: _misfiled(files[number][0]) for number in elsewhere}
    read = Read(
        contents={path: (month,) for path, _ in files if path not in troubles},
        troubles=troubles,
        gone=tuple(path for path, data in there if data is None),
        snapshots_passed_over=found.height - possible.height,
    )
    return read, _each_once(rows.filter(~pl.col(FILE).is_in(elsewhere)).drop(FILE), kind)


def _bytes_of(archive: Archive, path: str) -> bytes | None:
    with suppress(MissingError):
        return archive.read_bytes(path)
    return None


def _each_once(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Of the copies with one identity the earliest: they differ in no more."""
    identity = list(KINDS[kind].identified_by)
    return rows.sort("taken_at", maintain_order=True).unique(identity, keep="first", maintain_order=True)


def _misfiled(path: str) -> str:
    return f"{path} has snapshots of another month than its folder's, by UTC; move it out of the archive"
