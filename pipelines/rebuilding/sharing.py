"""How the files of a rebuild are shared out: what is read together, and what one worker does.

A play is nearly always in the folder of its month, and copies meet in no other month. So a month whose files are not
too large is read and finished in one place, several small ones together, and none of its plays goes anywhere else. A
larger month is read in slices, whose plays are parted by listener into *pieces* that are finished each by itself.
Snapshots are few, and always in the folder of their month: a kind's month is one lot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from pipelines.rebuilding.planning import Plan
from pipelines.storage.archive import month_of
from pipelines.storage.snapshots import kind_of

# In bytes of files: some 45 a play, which takes ten to fifteen times as many while it is finished.
_SMALL = 4 << 20
_LEAST = 1 << 20
_LARGE = 24 << 20
_SLICE = 6 << 20
_PIECE = 6 << 20
_SHARE = 64 << 20


@dataclass(frozen=True, slots=True)
class Lot:
    """Files that are read together. ``months`` are those that are all there, and are finished where they are read."""

    paths: tuple[str, ...]
    months: frozenset[date]
    size: int


@dataclass(frozen=True, slots=True)
class KindLot:
    """All files of one kind of snapshots and one month, which are finished where they are read."""

    kind: str
    month: date
    paths: tuple[str, ...]
    size: int


AnyLot = TypeVar("AnyLot", Lot, KindLot)


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker does, with what it needs of the plan: the months asked for, None for all, its instant, and into
    how many pieces the large months are parted."""

    lots: tuple[Lot, ...]
    asked: tuple[date, ...] | None
    now: datetime
    pieces: Mapping[date, int]
    of_kinds: tuple[KindLot, ...] = ()


def shares_of(plan: Plan, *, spread: bool) -> Iterator[Share]:
    """The files of a plan in shares for several workers, or in one for a worker that is alone."""
    folders: dict[date, dict[str, int]] = {}
    kinds: dict[tuple[str, date], dict[str, int]] = {}
    for path, size in plan.paths.items():
        month, kind = month_of(path), kind_of(path)
        if month and kind:
            kinds.setdefault((kind, month), {})[path] = size
        elif month:
            folders.setdefault(month, {})[path] = size
    sizes = {month: sum(files.values()) for month, files in folders.items()}
    pieces = {month: -(-size // _PIECE) for month, size in sizes.items() if size > _LARGE}
    small = {month: files for month, files in folders.items() if month not in pieces}
    # An archive of a few lots would leave a core without one.
    together = min(_SMALL, max(_LEAST, sum(sizes.values()) // 8))
    lots = [*_whole_months(small, together), *(lot for month in pieces for lot in _slices(folders[month]))]
    # The largest first: what is left at the end is small, and nobody waits long for another.
    lots.sort(key=lambda lot: lot.size, reverse=True)
    of_kinds = [KindLot(*of, tuple(files), sum(files.values())) for of, files in kinds.items()]
    if not spread:
        yield Share(tuple(lots), plan.months, plan.now, pieces, tuple(of_kinds))
        return
    for some in _up_to(_SHARE, lots):
        yield Share(tuple(some), plan.months, plan.now, pieces)
    for some_of_kinds in _up_to(_SHARE, of_kinds):
        yield Share((), plan.months, plan.now, pieces, tuple(some_of_kinds))


def _whole_months(folders: Mapping[date, Mapping[str, int]], together: int) -> Iterator[Lot]:
    months = [Lot(tuple(files), frozenset([month]), sum(files.values())) for month, files in sorted(folders.items())]
    for some in _evenly(together, months):
        paths = tuple(path for lot in some for path in lot.paths)
        yield Lot(paths, frozenset().union(*(lot.months for lot in some)), sum(lot.size for lot in some))


def _slices(files: Mapping[str, int]) -> Iterator[Lot]:
    for some in _up_to(_SLICE, [Lot((path,), frozenset(), size) for path, size in files.items()]):
        yield Lot(tuple(path for lot in some for path in lot.paths), frozenset(), sum(lot.size for lot in some))


def _evenly(size: int, lots: list[Lot]) -> Iterator[list[Lot]]:
    """In their order, about as many together as have that size, and none so few that its thread ends long before."""
    total, before = max(1, sum(lot.size for lot in lots)), 0
    groups: dict[int, list[Lot]] = {}
    for lot in lots:
        groups.setdefault((2 * before + lot.size) * -(-total // size) // (2 * total), []).append(lot)
        before += lot.size
    yield from groups.values()


def _up_to(size: int, lots: list[AnyLot]) -> Iterator[list[AnyLot]]:
    """In their order, as many together as have that size, but one at least."""
    some: list[AnyLot] = []
    for lot in lots:
        if some and sum(each.size for each in some) + lot.size > size:
            yield some
            some = []
        some.append(lot)
    if some:
        yield some
