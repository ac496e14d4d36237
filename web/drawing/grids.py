"""Grids of tints: weekdays by hour, and a calendar of weeks."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from web.drawing.figure import Canvas
from web.drawing.scale import tint
from web.words import MONTHS, WEEKDAYS

_SIDE, _STEP = 13, 16
_DAY, _WEEK = 12, 15


def week_clock(cells: Mapping[tuple[int, int], int], bounds: Sequence[int], label: str) -> Markup:
    """Plays by weekday (1 is Monday) and hour of the wall clock."""
    left = 38
    canvas = Canvas(left + 24 * _STEP + 2, 7 * _STEP + 24, label)
    for hour in (0, 6, 12, 18):
        canvas.text(left + hour * _STEP, 7 * _STEP + 20, f"{hour:02}")
    for row, name in enumerate(WEEKDAYS):
        canvas.text(0, 4 + row * _STEP + 11, name[:3])
        for hour in range(24):
            mark = f"q{tint(cells.get((row + 1, hour), 0), bounds)}"
            canvas.box(mark, left + hour * _STEP, 4 + row * _STEP, _SIDE, _SIDE)
    return canvas.markup()


def calendar(
    first: date, last: date, days: Mapping[date, int | None], bounds: Sequence[int], label: str, *, sunday: bool = False
) -> Markup:
    """A square for each day from ``first`` to ``last``, weeks from left to right; days that are not in it are left out.

    None is a day that is not known, which is dashed. Weeks begin on Monday, or on Sunday.
    """
    left, top = 40, 22
    shift = 1 if sunday else 0
    start = first - timedelta(days=(first.weekday() + shift) % 7)
    weeks = (last - start).days // 7 + 1
    canvas = Canvas(left + weeks * _WEEK, top + 7 * _WEEK, label)
    names = [WEEKDAYS[(row - shift) % 7][:3] for row in range(7)]
    for row in range(0, 7, 2):
        canvas.text(0, top + row * _WEEK + 11, names[row])
    for number in range((last - first).days + 1):
        when = first + timedelta(days=number)
        week, row = divmod((when - start).days, 7)
        x, y = left + week * _WEEK, top + row * _WEEK
        if when.day == 1 and (last - when).days > 20:
            canvas.text(x, 13, MONTHS[when.month - 1][:3])
        if when in days:
            plays = days[when]
            if plays is None:
                canvas.box("gap", x + 0.6, y + 0.6, _DAY - 1.2, _DAY - 1.2)
            else:
                canvas.box(f"q{tint(plays, bounds)}", x, y, _DAY, _DAY)
    return canvas.markup()
