"""Numbers and times in words."""

from datetime import date, timedelta

import pytest

from web import words


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2025, 1, 1), date(2025, 12, 31), "2025"),
        (date(2024, 1, 1), date(2025, 12, 31), "2024 to 2025"),
        (date(2026, 11, 1), date(2026, 11, 30), "November 2026"),
        (date(2026, 2, 1), date(2026, 3, 31), "February to March 2026"),
        (date(2025, 12, 1), date(2026, 1, 31), "December 2025 to January 2026"),
        (date(2025, 6, 3), date(2025, 6, 9), "3 to 9 Jun 2025"),
        (date(2025, 6, 3), date(2025, 7, 9), "3 Jun to 9 Jul 2025"),
        (date(2025, 6, 3), date(2026, 7, 9), "3 Jun 2025 to 9 Jul 2026"),
        (date(2025, 6, 3), date(2025, 6, 3), "3 Jun 2025"),
    ],
)
def test_a_span(first: date, last: date, said: str) -> None:
    assert words.span(first, last) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(None, "not known"), (0, "0 s"), (40_000, "40 s"), (95 * 60_000, "95 min"), (192 * 60_000, "3.2 h")]
    + [(67 * 3_600_000, "67 h"), (9_999_999 * 3_600_000, "9,999,999 h")],
)
def test_a_time_heard(milliseconds: int | None, said: str) -> None:
    assert words.heard(milliseconds) == said


def test_counts_and_differences() -> None:
    assert [words.count(number, "play") for number in (0, 1, 2, 9_999_999)] == [
        "0 plays",
        "1 play",
        "2 plays",
        "9,999,999 plays",
    ]
    assert [words.signed(number) for number in (-1200, 0, 7)] == ["−1,200", "±0", "+7"]


def test_how_long_ago() -> None:
    assert [words.ago(timedelta(seconds=seconds)) for seconds in (-5, 59, 60, 7200, 86_400 * 3)] == [
        "just now",
        "just now",
        "1 minute ago",
        "2 hours ago",
        "3 days ago",
    ]
