"""A card as SVG, its text as text. It asks for nothing, and no mark of it is given by a style."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import escape

from web.cards.card import Card, CardLine
from web.cards.fitting import clean, fitted, width

Shape = Literal["wide", "tall"]
_GROUND, _INK, _SOFT, _HOT = "#161311", "#f1ebe3", "#aba196", "#fb8a55"
# What people have, then what machines that make pictures have.
_SANS = "system-ui,-apple-system,Segoe UI,Roboto,DejaVu Sans,sans-serif"
_SERIF = "Georgia,Iowan Old Style,Palatino,DejaVu Serif,serif"


@dataclass(frozen=True)
class _Layout:
    """Pixels. ``first`` is the baseline of the first line's name, ``step`` from one to the next."""

    width: int
    height: int
    margin: int
    heading: tuple[int, int]  # size, baseline
    facts: tuple[int, int, int]  # size, baseline, how many stand in a row
    first: int
    step: int
    sizes: tuple[int, int]  # of a name, and of what is below it
    column: int
    bar: int
    small: tuple[int, int, int]  # size, baseline of the last row, how many stand in a row
    disc: tuple[int, int, int, int]  # centre, radius, radius of the outermost groove


_LAYOUTS: dict[Shape, _Layout] = {
    "wide": _Layout(
        1200, 630, 64, (64, 104), (26, 152, 4), 222, 74, (30, 20), 690, 4, (20, 604, 2), (1130, 560, 96, 390)
    ),
    "tall": _Layout(
        1080, 1920, 84, (112, 232), (44, 322, 2), 560, 200, (60, 40), 912, 8, (32, 1836, 1), (900, 1690, 120, 230)
    ),
}


def card_svg(card: Card, shape: Shape) -> str:
    """The card, 1200×630 or 1080×1920."""
    at = _LAYOUTS[shape]
    size, baseline = at.heading
    room = at.width - 2 * at.margin
    heading = clean(card.heading)
    while size > 40 and width(heading, size, is_bold=True) > room:
        size -= 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {at.width} {at.height}" width="{at.width}" '
        f'height="{at.height}" font-family="{_SANS}" role="img" aria-label="{escape(clean(_words(card)))}">',
        f'<rect width="{at.width}" height="{at.height}" fill="{_GROUND}"/>',
        _disc(at),
        f'<text x="{at.margin}" y="{baseline}" font-family="{_SERIF}" font-weight="700" font-size="{size}" '
        f'fill="{_INK}">{escape(fitted(heading, room, size, is_bold=True))}</text>',
        *_rows(card.facts, at.facts[2], at.facts[0], at.facts[1], at),
    ]
    for number, line in enumerate(card.lines):
        parts += _line(line, at, at.first + number * at.step)
    if not card.lines:
        parts.append(_text(at.margin, at.first, at.sizes[1], _SOFT, "No play here says more."))
    size, baseline, many = at.small
    parts += _rows(card.small, many, size, baseline - round(size * 1.4) * (len(card.small) // many - 1), at)
    return "".join([*parts, "</svg>"])


def _rows(texts: Sequence[str], many: int, size: int, baseline: int, at: _Layout) -> list[str]:
    """Texts, so many in a row."""
    rows = [" · ".join(texts[start : start + many]) for start in range(0, len(texts), many)]
    room = at.width - 2 * at.margin
    return [
        _text(at.margin, baseline + number * round(size * 1.4), size, _SOFT, fitted(clean(row), room, size))
        for number, row in enumerate(rows)
    ]


def _line(line: CardLine, at: _Layout, y: int) -> list[str]:
    """A line, cut off at its own borders: a letter of two lines' height is not to run into the next one."""
    name_size, below_size = at.sizes
    indent = round(name_size * 1.25)
    room = at.column - indent
    # The number stands beside the shorter of the two texts.
    below_y = y + round(below_size * 1.3) if line.below else y
    beside = room - width(line.value, below_size) - below_size
    bar = y + round(below_size * 1.8 if line.below else name_size * 0.62)
    top, name_room = y - round(name_size * 1.15), room if line.below else beside
    name = fitted(clean(line.name), name_room, name_size, is_bold=True)
    parts = [
        f'<svg x="{at.margin}" y="{top}" width="{at.column}" height="{at.step}" '
        f'viewBox="{at.margin} {top} {at.column} {at.step}">',
        _text(at.margin, y, name_size, _SOFT, str(line.rank)),
        _text(at.margin + indent, y, name_size, _INK, name, 'font-weight="600"'),
        _text(at.margin + at.column, below_y, below_size, _SOFT, line.value, 'text-anchor="end"'),
    ]
    if line.below:
        below = fitted(clean(line.below), beside, below_size)
        parts.append(_text(at.margin + indent, below_y, below_size, _SOFT, below))
    length = max(round(at.column * line.share), 1)
    return [*parts, f'<rect x="{at.margin}" y="{bar}" width="{length}" height="{at.bar}" fill="{_HOT}"/>', "</svg>"]


def _text(x: int, y: int, size: int, fill: str, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{more and " " + more}>{escape(text)}</text>'


def _disc(at: _Layout) -> str:
    x, y, radius, outermost = at.disc
    grooves = [
        f'<circle cx="{x}" cy="{y}" r="{r}" stroke-opacity="{0.36 * (1 - (r - radius) / (outermost - radius)):.3f}" '
        f'stroke-width="{2.2 if number % 3 == 0 else 1.2}"/>'
        for number, r in enumerate(range(radius + 24, outermost, 17))
    ]
    return (
        f'<g fill="none" stroke="{_HOT}">{"".join(grooves)}</g><circle cx="{x}" cy="{y}" r="{radius}" fill="{_HOT}"/>'
        f'<circle cx="{x}" cy="{y}" r="{radius // 8}" fill="{_GROUND}"/>'
    )


def _words(card: Card) -> str:
    """All of it, for who does not see it."""
    ranks = [f"{line.rank} {line.name}{line.below and ', ' + line.below}, {line.value}" for line in card.lines]
    return ". ".join([card.heading, ", ".join(card.facts), *ranks, *card.small])
