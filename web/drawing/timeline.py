"""A line over time: instants to scale, and between the ends that its values have."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from web.drawing.figure import Canvas

_TOP, _BOTTOM = 14, 20


def timeline(
    points: Sequence[tuple[datetime, int]], ticks: tuple[str, str], label: str, *, width: int = 484, height: int = 140
) -> Markup:
    """``ticks`` name the first instant and the last. The axis has the smallest value and the largest, not zero: what is
    shown is how it moves. One value alone is a dot in the middle."""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    canvas = Canvas(width, height, label)
    floor, left = height - _BOTTOM, max(34, round(8 + 9.5 * len(f"{high:,}")))
    first, last = points[0][0], points[-1][0]
    whole = (last - first).total_seconds() or 1
    tall = floor - _TOP

    def place(at: datetime, value: int) -> tuple[float, float]:
        x = left + (width - left - 4) * ((at - first).total_seconds() / whole if last > first else 0.5)
        return x, floor - tall * ((value - low) / (high - low) if high > low else 0.5)

    for value in {low, high}:
        y = place(first, value)[1]
        canvas.line(left, y, width, y)
        canvas.text(left - 6, y + 5, f"{value:,}", anchor="end")
    canvas.curve("curve", [place(*point) for point in points])
    canvas.text(left, height - 4, ticks[0])
    if last > first:
        canvas.text(width - 4, height - 4, ticks[1], anchor="end")
    return canvas.markup()
