"""Rows as text: an aligned table, CSV (RFC 4180, but for its line ends, which are a shell's) or a JSON array.

Times are RFC 3339: a TIMESTAMP with Z, a DATETIME without a zone. Bytes are base64, as in BigQuery's JSON.
"""

import base64
import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipelines.querying.cells import one_line, padded, width_of

# No text is cut to less, and so much is between columns.
_LEAST, _GAP = 8, 2


def show(table: pa.Table, form: str, width: int | None = None) -> Iterator[str]:
    """The lines, each with its end, in one of FORMATS. ``table`` holds what a query gave.

    With ``width`` an aligned table has so many columns of a terminal: texts are cut, and what is left over is named.
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


def _table(table: pa.Table, rows: list[list[Any]], room: int | None) -> Iterator[str]:
    cells = [["NULL" if value is None else one_line(_text(value)) for value in row] for row in rows]
    lines = [[one_line(name) for name in table.column_names], *cells]
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    right = [pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in table.schema.types]
    if room:
        # Half a number or half a date says nothing.
        is_text = [
            not (number or pa.types.is_temporal(kind)) for number, kind in zip(right, table.schema.types, strict=True)
        ]
        least = [min(width, _LEAST) if text else width for width, text in zip(widths, is_text, strict=True)]
        widths = _fitting(widths, least, room)
    lines.insert(1, ["─" * width for width in widths])
    for line in lines:
        # Of columns that found no room there is no width.
        cells_of_line = zip(line, widths, right, strict=False)
        yield (
            "  ".join(padded(cell, width, to_right=to_right) for cell, width, to_right in cells_of_line).rstrip() + "\n"
        )
    if left_over := [one_line(name) for name in table.column_names[len(widths) :]]:
        yield f"not shown without --wide: {', '.join(left_over)}\n"


def _fitting(widths: list[int], least: list[int], room: int) -> list[int]:
    """The columns' widths in so much room: the widest give way, and the last go where all are at their least."""
    fit = len(widths)
    while fit > 1 and sum(least[:fit]) + _GAP * (fit - 1) > room:
        fit -= 1
    kept = [min(width, max(room, smallest)) for width, smallest in zip(widths[:fit], least[:fit], strict=True)]
    while sum(kept) + _GAP * (fit - 1) > room:
        widest = max(range(fit), key=lambda n: kept[n] - least[n])
        if kept[widest] <= least[widest]:
            break
        kept[widest] -= 1
    return kept


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
