"""Rows as text: an aligned table, CSV (RFC 4180, but for its line ends, which are a shell's) or a JSON array.

Times are RFC 3339: a TIMESTAMP with Z, a DATETIME without a zone. Bytes are base64, as in BigQuery's JSON.
"""

import base64
import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from textwrap import wrap
from typing import Any

import pyarrow as pa

from pipelines.querying.cells import one_line, padded, width_of

# No text is cut to less, and so much is between columns.
_LEAST, _GAP = 12, 2
# What says little to a person, and is the first to go where room is short.
_OPAQUE = ("_id", "_key", "_url", "_uri", "isrc")


def show(table: pa.Table, form: str, width: int | None = None) -> Iterator[str]:
    """The lines, each with its end, in one of FORMATS. ``table`` holds what a query gave.

    With ``width`` an aligned table has so many columns of a terminal: texts are cut, of artists
    there are the names, and what is left over is named.
    """
    rows = [[_plain(value) for value in row] for row in zip(*map(_values, table.columns), strict=True)]
    if form == "json":
        return _json(table.column_names, rows)
    if form == "csv":
        return _csv(table.column_names, rows)
    return _table(table, rows, width)


def _values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _plain(value: Any) -> Any:
    """The value in JSON's terms."""
    match value:
        case datetime():
            aware = value.tzinfo is not None
            text = (value.astimezone(UTC) if aware else value).replace(tzinfo=None).isoformat()
            return text + "Z" if aware else text
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):  # JSON has no number for them
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case Decimal():
            return str(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _json(names: list[str], rows: list[list[Any]]) -> Iterator[str]:
    if not rows:
        yield "[]\n"
    for number, row in enumerate(rows, start=1):
        start, end = "[" if number == 1 else " ", "]" if number == len(rows) else ","
        yield start + json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + end + "\n"


def _csv(names: list[str], rows: list[list[Any]]) -> Iterator[str]:
    for row in (names, *rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(["" if value is None else _text(value) for value in row])
        yield line.getvalue()


@dataclass(eq=False)
class _Column:
    """Its cells, the name first, and the columns of a terminal that it takes."""

    cells: list[str]
    kind: pa.DataType
    width: int

    @property
    def is_number(self) -> bool:
        return bool(pa.types.is_integer(self.kind) or pa.types.is_floating(self.kind))

    @property
    def least(self) -> int:
        """Half a number or half a date says nothing."""
        whole = self.is_number or pa.types.is_temporal(self.kind)
        return self.width if whole else min(self.width, _LEAST)

    @property
    def says_nothing(self) -> bool:
        return len(self.cells) > 1 and set(self.cells[1:]) == {"NULL"}


def _table(table: pa.Table, rows: list[list[Any]], room: int | None) -> Iterator[str]:
    text_of = _brief if room else _text
    lines = [["NULL" if value is None else one_line(text_of(value)) for value in row] for row in rows]
    columns = [
        _Column(list(cells), kind, max(map(width_of, cells)))
        for cells, kind in zip(
            zip(map(one_line, table.column_names), *lines, strict=True), table.schema.types, strict=True
        )
    ]
    shown = _fitting(columns, room) if room else columns
    for column in shown:
        column.cells.insert(1, "─" * column.width)
    for line in zip(*(column.cells for column in shown), strict=True):
        cells = (
            padded(cell, column.width, to_right=column.is_number) for cell, column in zip(line, shown, strict=True)
        )
        yield (" " * _GAP).join(cells).rstrip() + "\n"
    if left_over := [column.cells[0] for column in columns if column not in shown]:
        told = f"not shown without --wide: {', '.join(left_over)}"
        yield from (f"{line}\n" for line in wrap(told, room or len(told), break_on_hyphens=False))


def _fitting(columns: list[_Column], room: int) -> list[_Column]:
    """Those that fit in so much room, in their order: the widest give way, and some go where all are at their least.

    First those without a value, then ids, keys and addresses, then from the right.
    """
    shown = list(columns)
    while len(shown) > 1 and sum(column.least + _GAP for column in shown) - _GAP > room:
        shown.remove(
            max(shown, key=lambda column: (column.says_nothing, column.cells[0].endswith(_OPAQUE), shown.index(column)))
        )
    least = [column.least for column in shown]
    for column, smallest in zip(shown, least, strict=True):
        column.width = min(column.width, max(room, smallest))
    while sum(column.width + _GAP for column in shown) - _GAP > room:
        widest = max(range(len(shown)), key=lambda n: shown[n].width - least[n])
        if shown[widest].width <= least[widest]:
            break
        shown[widest].width -= 1
    return shown


def _brief(value: Any) -> str:
    """What a person wants to see of a value where there is no room for all: of artists their names."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and item.get("name") for item in value):
        return ", ".join(str(item["name"]) for item in value)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
