"""A figure: a drawing with all that stands around it, the same way on every page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Key:
    """An entry of a legend: the class of the marks, and what they stand for."""

    mark: str
    text: str


@dataclass(frozen=True)
class Source:
    """The question that a figure shows, and what it was asked with, the listener apart."""

    question: str
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Numbers:
    """A figure's values as a table: texts and numbers, the first of each row being its heading."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Figure:
    """``scrolls`` is what a drawing is called that is wider than a telephone; ``note`` is a line under it."""

    name: str
    heading: str
    drawing: Markup
    numbers: Numbers
    source: Source
    legend: Sequence[Key] = ()
    legend_note: str = ""
    note: str = ""
    scrolls: str = ""


class Canvas:
    """An SVG being drawn: marks of one class are one path, which keeps a page small."""

    def __init__(self, width: int, height: int, label: str) -> None:
        self._size = (width, height)
        self._label = label
        self._paths: dict[str, list[str]] = {}
        self._texts: list[str] = []
        self._lines: list[str] = []

    def box(self, mark: str, x: float, y: float, width: float, height: float) -> None:
        """A rectangle. What has no height is not drawn."""
        if width > 0 and height > 0:
            w = _short(width)
            self._paths.setdefault(mark, []).append(f"M{_short(x)} {_short(y)}h{w}v{_short(height)}h-{w}z")

    def text(self, x: float, y: float, text: str, *, anchor: str = "") -> None:
        """A word; ``anchor`` is ``middle`` or ``end``."""
        at = f' text-anchor="{anchor}"' if anchor else ""
        self._texts.append(f'<text x="{_short(x)}" y="{_short(y)}"{at}>{escape(text)}</text>')

    def curve(self, mark: str, points: Sequence[tuple[float, float]]) -> None:
        """A line through points; one point alone is a dot."""
        at = [f"{_short(x)} {_short(y)}" for x, y in points]
        self._paths.setdefault(mark, []).append(f"M{at[0]}" + ("".join(f"L{one}" for one in at[1:]) or "h.01"))

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A line of the frame."""
        self._lines.append(f'<path class="rule" d="M{_short(x1)} {_short(y1)}L{_short(x2)} {_short(y2)}"/>')

    def markup(self) -> Markup:
        """The SVG, as one picture with its finding as its name."""
        paths = [f'<path class="{mark}" d="{"".join(parts)}"/>' for mark, parts in self._paths.items()]
        inside = "".join([*self._lines, *paths, *self._texts])
        # Every text of others goes through escape().
        return Markup(  # noqa: S704
            f'<svg class="fig" viewBox="0 0 {self._size[0]} {self._size[1]}" role="img" '
            f'aria-label="{escape(self._label)}">{inside}</svg>'
        )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
