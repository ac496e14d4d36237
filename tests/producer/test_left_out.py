"""What an import leaves out is kept by month and reason, in the calendar's zone, and says what was skipped at once."""

from typing import Any

import pytest

from pipelines.domain.exports import LeftOut
from pipelines.domain.month import Calendar
from producer.importing.left_out import LeftOutByMonth

PARIS = Calendar("Europe/Paris")


def kept(*rows: object) -> list[dict[str, Any]]:
    made = LeftOutByMonth()
    for row in rows:
        made.add(row, LeftOut.SHORT, PARIS)
    return made.as_json()


def test_the_month_is_the_calendars_and_skips_are_counted_where_rows_say_them() -> None:
    assert kept(
        {"ts": "2026-10-31T22:59:59Z", "skipped": True},
        {"ts": "2026-10-31T23:00:00Z", "skipped": False},
        {"ts": "2026-11-02T10:00:00Z", "skipped": None},
        {"endTime": "2026-11-02 10:00"},
    ) == [
        {"month": "2026-10", "reason": LeftOut.SHORT, "rows": 1, "skip_known": 1, "skipped": 1},
        {"month": "2026-11", "reason": LeftOut.SHORT, "rows": 3, "skip_known": 1, "skipped": 0},
    ]


@pytest.mark.parametrize(
    "row", [None, [], {}, {"ts": None}, {"ts": 7}, {"ts": "x"}, {"endTime": 7}, {"endTime": "soon"}]
)
def test_a_row_that_tells_no_time_is_counted_without_a_month(row: object) -> None:
    [one] = kept(row)
    assert (one["month"], one["rows"]) == (None, 1)
