"""How wide a text may become, without a font at hand: SVG's text is set by whoever shows it.

The figures are those of DejaVu Sans, which is among the widest that people have, so that a text rather ends early than
runs over what is beside it.
"""

import unicodedata

_NARROW, _WIDE = frozenset("iIjlftr.,:;'|!()[]{}-`\"/\\· "), frozenset("mwMWOQ@%&—…<>+=#~^")
_SLENDER = frozenset("csvxyzkTLJ")
_JOINER, _NEVER = "\u200d", ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_MOST_MARKS = 2


def clean(text: str) -> str:
    """The text in one line, without what XML does not know, and without towers of marks over a letter."""
    kept: list[str] = []
    marks = 0
    for character in " ".join(text.split()):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category not in _NEVER and marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept).strip()


def width(text: str, size: float, *, is_bold: bool = False) -> float:
    """In pixels, rather too much than too little."""
    return sum(map(_ems, text)) * size * (1.13 if is_bold else 1)


def fitted(text: str, room: float, size: float, *, is_bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into ``room`` pixels, and "…"."""
    if width(text, size, is_bold=is_bold) <= room:
        return text
    room -= width("…", size, is_bold=is_bold)
    end = 0
    used = 0.0
    for place, character in enumerate(text):
        used += width(character, size, is_bold=is_bold)
        if used > room:
            break
        end = place + 1
    while end and (text[end - 1] == _JOINER or (end < len(text) and not _ems(text[end]))):
        end -= 1  # no half of what is one character to the eye
    return text[:end].rstrip() + "…"


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.4
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05 if unicodedata.category(character) != "So" else 1.3
    if character in _WIDE:
        return 1
    if character in _SLENDER:
        return 0.56
    return 0.74 if character.isupper() or ord(character) > 0x24F else 0.64
