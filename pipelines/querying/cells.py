"""Text in a terminal's columns: how wide it is, and how it is cut and padded to a width."""

import unicodedata
from itertools import accumulate

from pipelines.terminal import printable


def one_line(text: str) -> str:
    """A track's name must neither break a table nor steer the terminal."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def width_of(text: str) -> int:
    """The columns a terminal gives it: two for wide characters, none for those that join the one before."""
    return sum(map(_char_width, text)) if not text.isascii() else len(text)


def fitted(text: str, width: int) -> str:
    """The text if it fits, or its beginning and "…"; never wider than ``width``."""
    if width_of(text) <= width:
        return text
    if width < 1:
        return ""
    ends = accumulate(map(_char_width, text))
    return text[: sum(end < width for end in ends)].rstrip() + "…"


def padded(text: str, width: int, *, to_right: bool = False) -> str:
    """The text in exactly ``width`` columns, cut where it is longer."""
    text = fitted(text, width)
    space = " " * (width - width_of(text))
    return space + text if to_right else text + space


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
