"""The fields of a dataclass as plain values and back: of a JSON object, which is checked, and of an Avro record.

Fields are texts, numbers, instants, enumerations, and tuples of dataclasses; one that may be missing is None then.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from pipelines.domain.instants import parse
from pipelines.domain.play import UnreadableError, in_64_bits, in_its_years

Time = Callable[[datetime], Any]


def plain(value: Any, time: Time) -> dict[str, Any]:
    """The fields of a dataclass in their order; ``time`` writes instants."""
    kind: Any = type(value)
    return {each.name: _plain(getattr(value, each.name), time) for each in _fields(kind)}


def trusted(kind: Any, record: Mapping[str, Any]) -> Any:
    """A ``kind`` of a record as fastavro reads it, with aware datetimes, by a schema that is trusted."""
    return _made(kind, record, lambda each, value: _from_avro(each.kind, value))


def checked(kind: Any, message: Mapping[str, Any]) -> Any:
    """A ``kind`` of a JSON object, whose times are RFC 3339. Unknown fields are ignored. Raises UnreadableError."""
    return _made(kind, message, _checked)


class _Field(NamedTuple):
    """A field: the type of its value, or of the items of its list, and whether it may be missing."""

    name: str
    kind: Any
    is_list: bool
    is_optional: bool

    @classmethod
    def of(cls, name: str, hint: Any) -> Self:
        if get_origin(hint) is tuple:
            return cls(name, get_args(hint)[0], is_list=True, is_optional=False)
        some = get_args(hint)
        return cls(name, some[0] if some else hint, is_list=False, is_optional=bool(some))


@cache
def _fields(of: Any) -> tuple[_Field, ...]:
    """Of a dataclass, in their order."""
    hints = get_type_hints(of)
    return tuple(_Field.of(each.name, hints[each.name]) for each in fields(of))


def _made(kind: Any, values: Mapping[str, Any], read: Any) -> Any:
    read_values: dict[str, Any] = {}
    for each in _fields(kind):
        value = values.get(each.name)
        if each.is_list:
            if value is not None and not isinstance(value, list):
                raise UnreadableError(f"{each.name} is not a list")
            read_values[each.name] = tuple(read(each, item) for item in value or ())
        else:
            read_values[each.name] = None if value is None and each.is_optional else read(each, value)
    return kind(**read_values)


def _from_avro(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _made(kind, value, lambda each, inner: _from_avro(each.kind, inner))
    return kind(value) if _is_enumeration(kind) else value


def _checked(of: _Field, value: Any) -> Any:
    """A value of a message. Raises UnreadableError."""
    name, kind = of.name, of.kind
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise UnreadableError(f"one of {name} is not an object")
        return _made(kind, value, _checked)
    if value is None or (value == "" and not of.is_optional):
        raise UnreadableError(f"{name} is missing")
    if kind is datetime:
        return _instant(name, value)
    if _is_enumeration(kind):
        if value not in list(kind):
            raise UnreadableError(f"{name} is none of {', '.join(kind)}")
        return kind(value)
    # A whole number in JSON may be one that is not whole by its meaning; true is none.
    if kind is float and type(value) is int:
        value = float(in_64_bits(name, value))
    if type(value) is not kind:
        raise UnreadableError(f"{name} is not {_TOLD[kind]}")
    return in_64_bits(name, value) if kind is int else value


_TOLD: dict[Any, str] = {str: "a string", int: "a whole number", bool: "true or false", float: "a number"}


def _instant(name: str, value: Any) -> datetime:
    try:
        return in_its_years(name, parse(value))
    except UnreadableError:
        raise
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(f"{name} is not an RFC 3339 time with an offset") from None


def _is_enumeration(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _plain(value: Any, time: Time) -> Any:
    match value:
        case datetime():
            return time(value)
        case tuple():
            return [{each.name: getattr(item, each.name) for each in fields(item)} for item in value]
        case StrEnum():
            return value.value
    return value
