"""Tens in a terminal: three lists side by side from 100 columns, one under another below, with bars from one zero."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from typing import TextIO

from pipelines.querying.cells import fitted, one_line, padded, width_of
from pipelines.querying.tops import Line, Top

HEADINGS = {"track": "Songs", "artist": "Artists", "album": "Albums"}
_LEAST, _SIDE_BY_SIDE, _WIDEST = 40, 100, 150
_GAP = 3
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Screen:
    """How many columns there are, and whether they have colours."""

    width: int
    has_colour: bool

    def bold(self, text: str) -> str:
        """A heading."""
        return self._painted("1", text)

    def soft(self, text: str) -> str:
        """What is beside the point."""
        return self._painted("2", text)

    def hot(self, text: str) -> str:
        """The one colour, an orange, of which 16-colour terminals make what is nearest."""
        return self._painted("38;5;208", text)

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour and text.strip() else text


def screen_of(stream: TextIO) -> Screen:
    """The terminal's; of a pipe, 80 columns or COLUMNS, without colours, as with NO_COLOR and TERM=dumb."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return Screen(max(_LEAST, shutil.get_terminal_size().columns), not plain)


def draw(top: Top, kinds: tuple[str, ...], screen: Screen) -> Iterator[str]:
    """The lines, each without its end."""
    yield screen.bold(fitted(heading(top), screen.width))
    if top.compared:
        yield screen.soft(fitted(f"▲ ▼ –  new: against {top.compared:%B}'s ten", screen.width))
    if len(kinds) > 1 and screen.width >= _SIDE_BY_SIDE:
        width = (min(screen.width, _WIDEST) - _GAP * (len(kinds) - 1)) // len(kinds)
        lists = [list(_narrow(top, kind, width, screen)) for kind in kinds]
        yield ""
        for row in zip_longest(*lists, fillvalue=" " * width):
            yield (" " * _GAP).join(row).rstrip()
        return
    for kind in kinds:
        yield ""
        for line in _broad(top, kind, min(screen.width, _SIDE_BY_SIDE), screen):
            yield line.rstrip()


def draw_years(tops: list[Top], screen: Screen) -> Iterator[str]:
    """A line for each: the year, its plays, a bar, and the artist heard most."""
    most = max(top.plays for top in tops)
    digits = max(len(f"{top.plays:,}") for top in tops)
    for top in tops:
        bar = _bar(top.plays, most, 14)
        artist = top.tens["artist"][0] if top.tens["artist"] else None
        told = f"most {one_line(artist.name)}, {plays_text(artist.plays)}" if artist else ""
        room = max(0, screen.width - 6 - digits - 2 - 16)
        yield f"{top.first.year}  {top.plays:>{digits},}  {screen.hot(bar)}  {fitted(told, room)}".rstrip()


def heading(top: Top) -> str:
    """The span, whether it is going on, how many plays, and whose."""
    going_on = "" if top.months[-1].is_final else " so far"
    return f"{span_text(top.first, top.last)}{going_on} · {plays_text(top.plays)} · {one_line(top.user_id)}"


def plays_text(number: int) -> str:
    """``1 play``, ``1,148 plays``."""
    return f"{number:,} play{'' if number == 1 else 's'}"


def span_text(first: date, last: date) -> str:
    """``November 2026``, ``2026``, ``October 2026 to March 2027``."""
    if first == last:
        return f"{first:%B %Y}"
    if (first.year, first.month, last.month) == (last.year, 1, 12):
        return f"{first:%Y}"
    return f"{first:%B %Y} to {last:%B %Y}"


def _narrow(top: Top, kind: str, width: int, screen: Screen) -> Iterator[str]:
    """Two lines a row: name and plays; by whom, and the bar. All exactly of the width."""
    lines = top.tens[kind]
    yield screen.bold(padded(HEADINGS[kind], width))
    yield from _nothing(lines, width)
    numbers, change = _columns(top, lines)
    name_width = width - 3 - change - numbers - 1
    bar_width = min(16, name_width // 2)
    for line in lines:
        left = f"{line.rank:>2} {_change(line, change)}"
        name = padded(one_line(line.name), name_width)
        yield f"{screen.soft(left)}{name} {line.plays:>{numbers},}"
        by = padded(one_line(line.artist), width - len(left) - bar_width - 1)
        yield " " * len(left) + screen.soft(by) + " " + screen.hot(_bar(line.plays, lines[0].plays, bar_width))


def _broad(top: Top, kind: str, width: int, screen: Screen) -> Iterator[str]:
    """A line a row."""
    lines = top.tens[kind]
    yield screen.bold(HEADINGS[kind])
    yield from _nothing(lines, width)
    numbers, change = _columns(top, lines)
    bar_width = min(20, width // 4)
    name_width = width - 3 - change - numbers - bar_width - 3
    for line in lines:
        name = one_line(line.name)
        by = f" · {one_line(line.artist)}" if line.artist else ""
        shown = fitted(name, name_width if width_of(by) < 8 else max(name_width // 2, name_width - width_of(by)))
        by = fitted(by, name_width - width_of(shown))
        space = " " * (name_width - width_of(shown) - width_of(by))
        bar = screen.hot(_bar(line.plays, lines[0].plays, bar_width))
        left = f"{line.rank:>2} {_change(line, change)}"
        yield f"{screen.soft(left)}{shown}{screen.soft(by)}{space} {line.plays:>{numbers},}  {bar}"


def _nothing(lines: tuple[Line, ...], width: int) -> Iterator[str]:
    if not lines:
        yield padded("none are known", width)


def _columns(top: Top, lines: tuple[Line, ...]) -> tuple[int, int]:
    """How many columns plays take, and how many the changes of rank."""
    return max((len(f"{line.plays:,}") for line in lines), default=1), 5 if top.compared else 0


def _change(line: Line, width: int) -> str:
    """In as many columns."""
    if not width:
        return ""
    if line.before is None:
        text = "new"
    elif line.before == line.rank:
        text = "–"
    else:
        text = f"{'▲' if line.before > line.rank else '▼'} {abs(line.before - line.rank)}"
    return f"{text:<{width}}"


def _bar(value: int, most: int, width: int) -> str:
    """As long as the value is of the most, in eighths of a cell, in ``width`` columns. What is not zero is seen."""
    eighths = max(1, round(value * width * 8 / most)) if value else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
