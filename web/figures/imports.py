"""What imports read and left out, as the state remembers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pipelines.domain.exports import LeftOut
from pipelines.domain.instants import parse
from pipelines.domain.month import parse_month
from web.figures.documents import document


@dataclass(frozen=True)
class LeftOutRows:
    """Rows that were left out of a month (its first day; None where they tell none) for a reason.

    Of ``rows``, ``skip_known`` say whether they were skipped, and ``skipped`` were.
    """

    month: date | None
    reason: str
    rows: int
    skip_known: int
    skipped: int


@dataclass(frozen=True)
class Import:
    """One import: when (UTC), and counts; ``left_out`` by reason, ``by_month`` by month too, if that was kept."""

    at: datetime
    files: int
    rows: int
    plays: int
    new: int
    left_out: dict[str, int]
    unreadable: int
    by_month: tuple[LeftOutRows, ...] = ()


def imports_of(state: str, user_id: str) -> list[Import]:
    """The newest first; none where nothing is known. Raises StorageError where the state cannot be read."""
    found = document(state, "imports", f"{user_id}.json")
    try:
        return [_import(record) for record in reversed(found["imports"])]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def _import(record: dict[str, Any]) -> Import:
    left_out = {str(reason): int(count) for reason, count in record["left_out"].items()}
    files, rows, plays, new, unreadable = (
        int(record[name]) for name in ("files", "rows", "plays", "new", "unreadable")
    )
    by_month = tuple(map(_left_out, record.get("left_out_by_month", ())))
    return Import(parse(record["at"]), files, rows, plays, new, left_out, unreadable, by_month)


def _left_out(record: dict[str, Any]) -> LeftOutRows:
    month = None if record["month"] is None else parse_month(record["month"])
    return LeftOutRows(month, str(record["reason"]), *(int(record[name]) for name in ("rows", "skip_known", "skipped")))


def left_out_by_month(imports: Sequence[Import]) -> list[LeftOutRows]:
    """What all imports left out, the newest month first.

    A newer export holds what an older one did, so of a month and a reason the import counts that left out most.
    """
    most: dict[tuple[date | None, str], LeftOutRows] = {}
    for one in (one for made in imports for one in made.by_month):
        key = one.month, one.reason
        if key not in most or most[key].rows < one.rows:
            most[key] = one
    return sorted(most.values(), key=lambda one: (one.month or date.min, one.rows), reverse=True)


def too_short(imports: Sequence[Import], first: date, last: date) -> tuple[int, int]:
    """Of rows too short to count, in the months from ``first``'s to ``last``'s: how many say of skipping, and were."""
    months = [
        one
        for one in left_out_by_month(imports)
        if one.reason == LeftOut.SHORT and one.month and first.replace(day=1) <= one.month <= last
    ]
    return sum(one.skip_known for one in months), sum(one.skipped for one in months)
