"""From files of the archive to finished files: each play once, and the top tens of its month.

A lot's own months are finished where they are read. What else is read waits in the staging place as *parts*, by month
and piece, for what belongs to it: the pieces of large months, and plays that lie in another month's folder, as a writer
in another time zone files the first hours of a month. A month that gets such plays is made again, with them.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

import polars as pl

from pipelines.domain.month import Calendar
from pipelines.rebuilding import columns
from pipelines.rebuilding.reading import Read, on_all_cores, read_lot
from pipelines.rebuilding.sharing import Lot, Share
from pipelines.rebuilding.target import Staged, Staging
from pipelines.storage.archive import Archive

# Bytes in memory of a play in a part, against those in its file: the scale of all sizes.
_OF_A_FILE = 45


@dataclass(frozen=True, slots=True)
class Rest:
    """What is to be finished elsewhere of a month's piece: a part, ``path``, of that many plays; or, where a whole
    month was finished, the files that it is of, in case parts come to it."""

    month: date
    piece: int
    now: datetime
    path: str = ""
    plays: int = 0
    lot: Lot | None = None


def finish_share(
    share: Share, archive: Archive, staging: Staging, calendar: Calendar
) -> Iterator[Read | Staged | Rest]:
    """Read a share's lots, and finish what is all there. Raises StorageError."""
    work = partial(_finish_lot, share=share, archive=archive, staging=staging, calendar=calendar)
    for outcome in on_all_cores(work, [(lot.size, lot) for lot in share.lots]):
        yield from outcome


def finish_rest(
    rest: Iterable[Rest], archive: Archive, staging: Staging, calendar: Calendar
) -> Iterator[Read | Staged]:
    """Finish what waits of some pieces, all of which is there. Raises StorageError."""
    pieces: dict[tuple[date, int], list[Rest]] = {}
    for one in rest:
        pieces.setdefault((one.month, one.piece), []).append(one)
    with_parts = [some for some in pieces.values() if any(one.path for one in some)]
    sized = [
        (sum(one.plays * _OF_A_FILE + (one.lot.size if one.lot else 0) for one in some), some) for some in with_parts
    ]
    for outcome in on_all_cores(
        partial(_finish_piece, archive=archive, staging=staging, calendar=calendar),
        sorted(sized, key=_size, reverse=True),
    ):
        yield from outcome


def _size(sized: tuple[int, list[Rest]]) -> int:
    return sized[0]


def _finish_lot(
    lot: Lot, share: Share, archive: Archive, staging: Staging, calendar: Calendar
) -> list[Read | Staged | Rest]:
    read, plays = read_lot(archive, lot.paths, share.asked, calendar, share.now)
    own = lot.months if share.asked is None else lot.months.intersection(share.asked)
    is_own = plays["month"].is_in(list(own))
    outcome: list[Read | Staged | Rest] = [read]
    if not is_own.all():
        outcome += _parts(plays.filter(~is_own) if is_own.any() else plays, share, staging)
        plays = plays.filter(is_own)
    # Of several months together no file lies with two of them, so one month's are few of these.
    outcome += (Rest(month, 0, share.now, lot=lot) for month in sorted(own))
    plays = _rows(plays, calendar)  # under the same name, so that the copies go from memory
    return outcome + _staged(plays, staging, calendar, share.now)


def _finish_piece(rest: list[Rest], archive: Archive, staging: Staging, calendar: Calendar) -> list[Read | Staged]:
    month, now = rest[0].month, rest[0].now
    outcome: list[Read | Staged] = []
    frames = []
    for one in rest:
        if one.path:
            frames.append(pl.read_parquet(io.BytesIO(staging.kept(one.path))))
        if one.lot:
            read, plays = read_lot(archive, one.lot.paths, (month,), calendar, now)
            frames.append(plays)
            if read.gone or read.troubles:  # since it was read before; the rest of it is known
                outcome.append(Read(gone=read.gone, troubles=read.troubles))
    is_again = any(one.lot for one in rest)
    plays = pl.concat(frames, rechunk=True)
    frames.clear()
    plays = _rows(plays, calendar)
    return outcome + _staged(plays, staging, calendar, now, again=is_again)


def _parts(plays: pl.DataFrame, share: Share, staging: Staging) -> Iterator[Rest]:
    pieces = pl.col("month").replace_strict(share.pieces, default=1, return_dtype=pl.UInt64) if share.pieces else 1
    numbered = plays.with_columns(piece=pl.col("user_id").hash() % pieces)
    for (month, piece), some in numbered.partition_by("month", "piece", as_dict=True).items():
        yield Rest(month, piece, share.now, staging.keep(_packed(some.drop("piece"))), some.height)


def _packed(plays: pl.DataFrame) -> bytes:
    """As Parquet, which is three quarters of the work of Arrow's stream, both ways, and two fifths of the bytes."""
    packed = io.BytesIO()
    plays.write_parquet(packed, compression="lz4", statistics=False)
    return packed.getvalue()


def _rows(plays: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    if plays.is_empty():
        return plays
    return columns.with_local_time(columns.each_once(columns.with_keys(plays)), calendar)


def _staged(
    rows: pl.DataFrame, staging: Staging, calendar: Calendar, computed_at: datetime, *, again: bool = False
) -> list[Staged]:
    if rows.is_empty():
        return []

    def write(table: str, made: pl.DataFrame) -> Iterator[Staged]:
        for month, some in _by_month(staging.typed(table, made)):
            yield Staged(table, month, str(staging.write(table, month, some)), some.height, again)

    return [
        *write("play_events", rows),
        *write("top_ten_snapshots", columns.snapshots(rows, calendar, computed_at)),
    ]


def _by_month(rows: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    months = rows["month"].unique().to_list()
    if len(months) == 1:  # there is nothing to part
        yield months[0], rows
        return
    for (month,), some in rows.partition_by("month", as_dict=True).items():
        yield month, some
