"""A line over what is continuous: values in their order, from one zero."""

from collections.abc import Sequence

from markupsafe import Markup

from web.drawing.figure import Canvas
from web.drawing.scale import rounded_up

_LEFT, _TOP, _BOTTOM = 34, 14, 20


def line(
    values: Sequence[float | None], ticks: Sequence[tuple[int, str]], label: str, *, width: int = 960, height: int = 260
) -> Markup:
    """``ticks`` name places, from 0 on. What is not known parts the line; below zero it goes on below the axis."""
    known = [value for value in values if value is not None]
    top, bottom = rounded_up(max([0.0, *known])), -rounded_up(-min([0.0, *known])) if min([0.0, *known]) < 0 else 0
    canvas = Canvas(width, height, label)
    floor = height - _BOTTOM
    left = max(_LEFT, round(8 + 9.5 * max(len(f"{top:,}"), len(f"{bottom:,}"))))
    step = (width - left - 4) / max(len(values) - 1, 1)
    scale = (floor - _TOP) / (top - bottom)
    marks = {top: f"{top:,}", 0: "0", bottom: f"{bottom:,}"}
    for value, text in marks.items():
        y = floor - (value - bottom) * scale
        canvas.line(left, y, width, y)
        canvas.text(left - 6, y + 5, text, anchor="end")
    part: list[tuple[float, float]] = []
    for place, one in enumerate([*values, None]):
        if one is not None:
            part.append((left + place * step, floor - (one - bottom) * scale))
        elif part:
            canvas.curve("curve", part)
            part = []
    for place, text in ticks:
        anchor = "" if place == 0 else "end" if place == len(values) - 1 else "middle"
        canvas.text(left + place * step, height - 4, text, anchor=anchor)
    return canvas.markup()
