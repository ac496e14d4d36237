"""Months without plays between months that have some."""

from datetime import date

import pytest

from pipelines.domain.holes import holes, holes_text, how_to_fill


def months(text: str) -> list[date]:
    return [date.fromisoformat(f"{word}-01") for word in text.split()]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ("", ""),
        ("2026-01", ""),
        ("2025-11 2025-12 2026-01", ""),
        ("2026-03 2025-11 2025-12", "no plays in 2026-01 to 2026-02"),
        ("2026-01 2026-01 2026-03", "no plays in 2026-02"),
        ("2020-01 2020-03 2020-06", "no plays in 2020-02, 2020-04 to 2020-05"),
        (
            "2020-01 2020-03 2020-05 2020-07 2020-09 2020-11 2021-01",
            "no plays in 2020-02, 2020-04, 2020-06, 2020-08 and in 2 spans more",
        ),
    ],
)
def test_what_is_missing_is_told(there: str, told: str) -> None:
    assert holes_text(months(there)) == told


def test_a_hole_is_its_first_and_its_last_month() -> None:
    assert holes(months("2019-11 2020-03 2020-05")) == [
        (date(2019, 12, 1), date(2020, 2, 1)),
        (date(2020, 4, 1), date(2020, 4, 1)),
    ]


def test_the_command_that_fills_one_has_what_it_needs() -> None:
    assert how_to_fill(" --user ann").endswith("then: heavy-rotation import ~/Downloads/my_spotify_data.zip --user ann")
