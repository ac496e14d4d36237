"""Rows that are no plays, by month and reason: what a listener skipped at once can be told beside what counts."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from pipelines.domain.exports import LeftOut
from pipelines.domain.instants import from_millis
from pipelines.domain.month import Calendar, month_text
from pipelines.domain.play import UnreadableError
from pipelines.domain.reading import millis_of

# The month, None where a row tells no time, and the reason.
_Key = tuple[date | None, LeftOut]


@dataclass
class LeftOutByMonth:
    """``rows`` counts all; ``skip_known`` those that say whether they were skipped, and ``skipped`` those that were."""

    rows: Counter[_Key] = field(default_factory=Counter)
    skip_known: Counter[_Key] = field(default_factory=Counter)
    skipped: Counter[_Key] = field(default_factory=Counter)

    def add(self, row: object, reason: LeftOut, calendar: Calendar) -> None:
        """Count a row, which may be anything."""
        told = row if isinstance(row, dict) else {}
        instant = _reported(told)
        key = (calendar.month_of(instant) if instant else None), reason
        self.rows[key] += 1
        self.skip_known[key] += isinstance(told.get("skipped"), bool)
        self.skipped[key] += told.get("skipped") is True

    def as_json(self) -> list[dict[str, Any]]:
        """One object for each month and reason, in their order; ``month`` is ``2026-11`` or null."""
        return [
            {
                "month": month and month_text(month),
                "reason": reason.value,
                "rows": rows,
                "skip_known": self.skip_known[month, reason],
                "skipped": self.skipped[month, reason],
            }
            for (month, reason), rows in sorted(self.rows.items(), key=lambda item: (str(item[0][0] or ""), item[0][1]))
        ]


def _reported(row: dict[Any, Any]) -> datetime | None:
    """When a row of either kind of export was reported, UTC; None where it does not say it, or makes no sense."""
    try:
        if "ts" in row:
            return from_millis(millis_of("ts", row["ts"]))
        ended = datetime.fromisoformat(row["endTime"]).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, UnreadableError):
        return None
    return ended if 1970 < ended.year < 2100 else None
