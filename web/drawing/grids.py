"""Grids of tints: weekdays by hour, and a calendar of weeks."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup, escape

from web.drawing.figure import Canvas
from web.drawing.scale import tint
from web.words import MONTHS, WEEKDAYS, count

_SIDE, _STEP = 15.4, 18.4
_DAY, _WEEK = 12, 15


def week_clock(cells: Mapping[tuple[int, int], int], bounds: Sequence[int], label: str) -> Markup:
    """Plays by weekday (1 is Monday) and hour of the wall clock."""
    left = 42
    canvas = Canvas(484, round(7 * _STEP) + 24, label)
    for hour in (0, 6, 12, 18):
        canvas.text(left + hour * _STEP, 7 * _STEP + 20, f"{hour:02}")
    for row, name in enumerate(WEEKDAYS):
        canvas.text(0, 4 + row * _STEP + 12, name[:3])
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


def month_of_links(
    first: date,
    last: date,
    days: Mapping[date, int | None],
    bounds: Sequence[int],
    href: Callable[[date], str | None],
    *,
    sunday: bool = False,
) -> Markup:
    """A month as on a wall, each day that is among ``days`` with its plays as its name, and a link if it has a page."""
    shift, side = (1 if sunday else 0), 30
    offset = (first.weekday() + shift) % 7
    rows = (offset + last.day - 1) // 7 + 1
    inside = [
        f'<text x="{(column + 0.5) * side:g}" y="12" text-anchor="middle">{WEEKDAYS[(column - shift) % 7][:2]}</text>'
        for column in range(7)
    ]
    for number in range(last.day):
        when = first + timedelta(days=number)
        row, column = divmod(offset + number, 7)
        if when not in days:
            continue
        plays = days[when]
        mark = "gap" if plays is None else f"q{tint(plays, bounds)}"
        said = "not known" if plays is None else count(plays, "play")
        address = href(when)
        begin, end = (f'<a href="{escape(address)}">', "</a>") if address else ("<g>", "</g>")
        inside.append(
            f"{begin}<title>{when.day} {MONTHS[when.month - 1]}: {said}</title>"
            f'<rect class="{mark}" x="{column * side + 2}" y="{row * side + 20}"/>{end}'
        )
    return Markup(  # noqa: S704  numbers, names of ours, and an escaped address
        f'<svg viewBox="0 0 {7 * side} {rows * side + 20}" role="group" '
        f'aria-label="{MONTHS[first.month - 1]}, day by day">'
        f"{''.join(inside)}</svg>"
    )
