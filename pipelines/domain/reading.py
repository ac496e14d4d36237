"""Values of parsed JSON, as Spotify writes it: each is what it should be, or not there, or unreadable."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.domain.instants import from_millis, parse_millis
from pipelines.domain.play import UnreadableError, in_64_bits, millis_in_its_years

Row = Mapping[str, Any]


def mapping(name: str, value: object) -> Row:
    """The object that this is. Raises UnreadableError."""
    if not isinstance(value, dict):
        raise UnreadableError(f"{name} is not an object")
    return value


def sequence(name: str, value: object) -> list[Any]:
    """The list that this is. Raises UnreadableError."""
    if not isinstance(value, list):
        raise UnreadableError(f"{name} is not a list")
    return value


def text(row: Row, name: str) -> str | None:
    """The text, or None where it is missing or empty: Spotify writes both for 'not known'. Raises UnreadableError."""
    return text_of(name, row.get(name))


def text_of(name: str, value: object) -> str | None:
    """The same of a value by itself."""
    if value is None or isinstance(value, str):
        return value or None
    raise UnreadableError(f"{name} is not a string")


def number(row: Row, name: str) -> int | None:
    """The whole number of 64 bits, or None. Raises UnreadableError."""
    value = row.get(name)
    return None if value is None else number_of(name, value)


def number_of(name: str, value: object) -> int:
    """A value that has to be a whole number of 64 bits. Raises UnreadableError."""
    if type(value) is int:
        return in_64_bits(name, value)
    raise UnreadableError(f"{name} is missing" if value is None else f"{name} is not a whole number")


def flag(row: Row, name: str) -> bool | None:
    """True, false, or None. Raises UnreadableError."""
    return flag_of(name, row.get(name))


def flag_of(name: str, value: object) -> bool | None:
    """The same of a value by itself."""
    if value is not None and not isinstance(value, bool):
        raise UnreadableError(f"{name} is not true or false")
    return value


def instant(row: Row, name: str) -> datetime:
    """The instant, which has to be there, in a year that can be. Raises UnreadableError."""
    return from_millis(millis_of(name, row.get(name)))


def millis_of(name: str, value: object) -> int:
    """The same of a value by itself, in milliseconds since 1970."""
    told = text_of(name, value)
    if told is None:
        raise UnreadableError(f"{name} is missing")
    try:
        return millis_in_its_years(name, parse_millis(told))
    except UnreadableError:
        raise
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name} is not a time such as 2026-11-21T08:50:14Z") from None
