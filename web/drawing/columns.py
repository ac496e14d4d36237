"""Columns: days of a month beside those of another, months of a year, years."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from web.drawing.figure import Canvas
from web.drawing.scale import rounded_up

_LEFT, _TOP, _BOTTOM = 34, 14, 20
_GAP_HEIGHT = 10


@dataclass(frozen=True)
class Series:
    """One value for each place, None where it is not known, and the class of its marks."""

    mark: str
    values: Sequence[int | None]


def columns(
    series: Sequence[Series],
    ticks: Sequence[tuple[int, str]],
    label: str,
    *,
    width: int = 484,
    height: int = 140,
    most: int | None = None,
) -> Markup:
    """Columns from one zero, the series beside one another; ``ticks`` name places, from 0 on. Not known is dashed."""
    places = max((len(one.values) for one in series), default=0) or 1
    highest = most or max((value or 0 for one in series for value in one.values), default=0)
    top = rounded_up(highest)
    canvas = Canvas(width, height, label)
    floor, left = height - _BOTTOM, max(_LEFT, round(8 + 9.5 * len(f"{top:,}")))
    slot = (width - left) / places
    wide = max(slot * (0.84 if len(series) > 1 else 0.78) / len(series), 0.8)
    scale = (floor - _TOP) / top
    canvas.line(left, floor + 0.5, width, floor + 0.5)
    canvas.line(left, _TOP, width, _TOP)
    canvas.text(left - 6, _TOP + 5, f"{top:,}", anchor="end")
    canvas.text(left - 6, floor + 5, "0", anchor="end")
    for number, one in enumerate(series):
        for place, value in enumerate(one.values):
            x = left + place * slot + (slot - wide * len(series)) / 2 + number * wide
            if value is None:
                canvas.box("gap", x + 0.5, floor - _GAP_HEIGHT, max(wide - 1, 0.5), _GAP_HEIGHT)
            elif value:
                tall = max(value * scale, 1)
                canvas.box(one.mark, x, floor - tall, max(wide - (1 if wide > 3 else 0), 0.6), tall)
    for place, text in ticks:
        canvas.text(left + (place + 0.5) * slot, height - 4, text, anchor="middle")
    return canvas.markup()
