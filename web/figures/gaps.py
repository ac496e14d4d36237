"""What polling remembers of an account, as far as pages tell it: the last poll, and where plays may be missing.

A document that is not there, or not as it should be, is not known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.domain.instants import parse
from web.figures.documents import document


@dataclass(frozen=True)
class Gap:
    """Plays may be missing after ``start`` and before ``end``, aware instants; or none, where it is doubtful."""

    start: datetime
    end: datetime
    is_doubtful: bool = False


@dataclass(frozen=True)
class Polling:
    """What is remembered of an account: when a poll last went well, and the gaps, oldest first."""

    polled_at: datetime | None = None
    gaps: tuple[Gap, ...] = ()


def polling_of(state: str, user_id: str) -> Polling:
    """``state`` is the producer's folder, or ``gs://bucket/folder``. Raises StorageError where it cannot be read."""
    found = document(state, "cursors", f"{user_id}.json")
    try:
        polled_at = found.get("polled_at")
        gaps = [Gap(parse(gap["from"]), parse(gap["to"]), gap.get("is_doubtful") is True) for gap in found["gaps"]]
        return Polling(parse(polled_at) if polled_at else None, tuple(sorted(gaps, key=lambda gap: gap.start)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return Polling()


def unknown_days(gaps: Iterable[Gap], zone: ZoneInfo) -> frozenset[date]:
    """The local days that a gap touches: without a play, nobody knows whether they have one."""
    days: set[date] = set()
    for gap in gaps:
        first, last = gap.start.astimezone(zone).date(), gap.end.astimezone(zone).date()
        days.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    return frozenset(days)
