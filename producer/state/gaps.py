"""Where plays may be missing, and what is left of that once more is known."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from pipelines.domain.instants import parse, rfc3339, to_the_second

# Exports have whole seconds, account data whole minutes: the same play is up to that much earlier there.
_EXPORT_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """A play may be missing after ``start`` and before ``end``. Aware instants, UTC.

    It is doubtful where Spotify's list was not full: it lists less only of who has heard no more, or by mistake.
    """

    start: datetime
    end: datetime
    reported_at: datetime
    is_doubtful: bool = False

    def __str__(self) -> str:
        """What may be missing, and between which instants."""
        between = f"may be missing between {to_the_second(self.start)} and {to_the_second(self.end)}"
        if self.is_doubtful:
            return f"plays {between}, or none: Spotify's list was not full, and did not reach back to the play before"
        return f"at least one play {between}"

    def to_record(self) -> dict[str, Any]:
        """As JSON."""
        record = {"from": rfc3339(self.start), "to": rfc3339(self.end), "told_at": rfc3339(self.reported_at)}
        return record | ({"is_doubtful": True} if self.is_doubtful else {})

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Of JSON. Raises KeyError, TypeError and ValueError."""
        start, end, reported_at = (parse(record[name]) for name in ("from", "to", "told_at"))
        return cls(start, end, reported_at, record.get("is_doubtful") is True)

    def without(self, covered_from: datetime, covered_to: datetime) -> "Gap | None":
        """What is left of it once everything between two instants is there; None where nothing is."""
        is_start_covered = covered_from <= self.start < covered_to + _EXPORT_PRECISION
        is_end_covered = covered_from < self.end < covered_to + _EXPORT_PRECISION
        if is_start_covered and is_end_covered:
            return None
        if is_start_covered:
            return replace(self, start=max(self.start, covered_to))
        return replace(self, end=covered_from) if is_end_covered else self

    def around(self, first: datetime, last: datetime) -> tuple["Gap", ...]:
        """What is left of it, before and after, once every play from one known play to another is there."""
        if last <= self.start or self.end <= first:
            return (self,)
        before = (replace(self, end=first),) if self.start < first else ()
        return (*before, replace(self, start=last)) if last < self.end else before
