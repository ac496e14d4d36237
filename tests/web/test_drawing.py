"""Figures as SVG: steps of tint, axes, marks."""

from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.drawing.columns import Series, columns
from web.drawing.figure import Canvas
from web.drawing.grids import calendar, month_of_links, week_clock
from web.drawing.scale import keys, rounded_up, steps, tint


@given(st.lists(st.integers(0, 9_999_999), max_size=400))
def test_steps_rise_and_every_value_has_the_tint_of_its_step(values: list[int]) -> None:
    bounds = steps(values)
    assert list(bounds) == sorted(set(bounds))
    assert bounds[0] == 1
    assert len(bounds) <= 4
    for value in values:
        assert (tint(value, bounds) == 0) == (value == 0)
    assert not values or max(values) == 0 or tint(max(values), bounds) == len(bounds)


@given(st.lists(st.integers(0, 300), min_size=1))
def test_the_legend_names_every_step_and_zero(values: list[int]) -> None:
    bounds = steps(values)
    named = keys(bounds, "plays")
    assert [key.mark for key in named] == [f"q{number}" for number in range(len(bounds) + 1)]
    assert named[0].text == "0"
    assert named[-1].text.endswith("and more plays")


@given(st.integers(1, 10**9))
def test_an_axis_ends_at_a_round_number_that_is_not_less(number: int) -> None:
    assert number <= rounded_up(number) <= max(2 * number, 1)


def test_a_label_s_characters_are_escaped_and_the_drawing_is_xml() -> None:
    canvas = Canvas(10, 10, '<b> & "x"')
    canvas.text(1, 1, "<i>")
    tree = ET.fromstring(str(canvas.markup()))  # noqa: S314  ours
    assert tree.get("aria-label") == '<b> & "x"'
    assert tree.get("role") == "img"


@pytest.mark.parametrize("values", [[], [0], [None, 3], [9_999_999, 1]])
def test_columns_of_any_values(values: list[int | None]) -> None:
    drawn = str(columns([Series("now", values)], [(0, "1")], "label"))
    ET.fromstring(drawn)  # noqa: S314  ours
    assert ('class="gap"' in drawn) == (None in values)
    assert "nan" not in drawn


def test_a_calendar_leaves_out_what_is_not_yet_and_dashes_what_is_not_known() -> None:
    first = date(2026, 1, 1)
    days = {first + timedelta(days=number): (None if number == 3 else number) for number in range(10)}
    drawn = str(calendar(first, date(2026, 12, 31), days, (1, 5), "label"))
    squares = sum(path.count("z") for path in drawn.split('d="')[1:])
    assert squares == 10
    assert 'class="gap"' in drawn


@pytest.mark.parametrize(("sunday", "column"), [(False, 3), (True, 4)])
def test_a_month_begins_in_the_column_of_its_weekday(sunday: bool, column: int) -> None:
    first = date(2026, 1, 1)  # a Thursday
    drawn = str(month_of_links(first, date(2026, 1, 31), {first: 2}, (1,), lambda day: f"/day/{day}", sunday=sunday))
    assert f'x="{column * 30 + 2}"' in drawn
    assert "<title>1 January: 2 plays</title>" in drawn


def test_a_week_s_clock_has_every_hour_of_every_day() -> None:
    drawn = str(week_clock({(1, 0): 5, (7, 23): 1}, (1, 5), "label"))
    assert sum(path.count("z") for path in drawn.split('d="')[1:]) == 7 * 24
