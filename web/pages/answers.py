"""The answer of somebody's query as a table, as bars, or as a line: what a template shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from web.api.query import in_json
from web.drawing.lines import line
from web.running.answers import Answer
from web.words import count

_MOST_BARS, _MOST_TICKS = 100, 6
_NUMBERS = ("INT64", "FLOAT64", "NUMERIC")


@dataclass(frozen=True)
class Bar:
    """A row as a bar: its name, its value as text, its share of the longest in percent."""

    name: str
    value: str
    share: str


@dataclass(frozen=True)
class Shown:
    """``head`` has a column's name, its type and whether it is numbers; a cell is None where it is NULL."""

    head: Sequence[tuple[str, str, bool]]
    rows: Sequence[Sequence[str | None]]
    rows_words: str
    bars: Sequence[Bar] = ()
    drawing: Markup | None = None
    note: str = ""


def shown(answer: Answer, form: str) -> Shown:
    """``form`` is ``table``, ``bars`` or ``line``; where the rows do not fit it, the table and why."""
    told = in_json(answer)
    columns = [(column["name"], column["type"], column["type"] in _NUMBERS) for column in told["columns"]]
    values = [list(row.values()) for row in told["rows"]]
    rows = [[_text(value) for value in row] for row in values]
    words = count(answer.rows, "row")
    words = f"the first {len(rows):,} of {words}" if answer.is_cut else words
    if form == "table" or not rows:
        return Shown(columns, rows, words)
    numbers = [place for place, (_, _, is_number) in enumerate(columns) if is_number]
    names = [place for place, (_, kind, is_number) in enumerate(columns) if not (is_number or kind == "BYTES")]
    if not numbers:
        return Shown(columns, rows, words, note=f"For {form} there has to be a column of numbers; here is the table.")
    # The last column of numbers is what was counted; the first of the others is what it is of.
    value = numbers[-1]
    name = names[0] if names else next((place for place in numbers if place != value), value)
    if form == "line":
        return Shown(columns, rows, words, drawing=_line(columns, values, rows, name, value))
    return Shown(columns, rows, words, bars=_bars(values, rows, name, value), note=_left(len(rows)))


def _left(rows: int) -> str:
    return f"{rows - _MOST_BARS:,} more are in the table alone." if rows > _MOST_BARS else ""


def _bars(values: Sequence[Sequence[Any]], rows: Sequence[Sequence[str | None]], name: int, value: int) -> list[Bar]:
    sizes = [abs(_number(row[value]) or 0.0) for row in values[:_MOST_BARS]]
    longest = max(sizes, default=0.0) or 1.0
    return [
        Bar(row[name] or "NULL", row[value] or "NULL", f"{100 * size / longest:.1f}")
        for row, size in zip(rows[:_MOST_BARS], sizes, strict=True)
    ]


def _line(
    columns: Sequence[tuple[str, str, bool]],
    values: Sequence[Sequence[Any]],
    rows: Sequence[Sequence[str | None]],
    name: int,
    value: int,
) -> Markup:
    last = len(rows) - 1
    places = sorted({round(last * number / (_MOST_TICKS - 1)) for number in range(_MOST_TICKS)})
    ticks = [(place, (rows[place][name] or "NULL")[:16]) for place in places]
    known = [number for row in values if (number := _number(row[value])) is not None]
    between = f"between {min(known):,g} and {max(known):,g}" if known else "nowhere known"
    label = f"{columns[value][0]} by {columns[name][0]}: {count(len(rows), 'value')}, {between}"
    return line([_number(row[value]) for row in values], ticks, label)


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if abs(found) < float("inf") else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
