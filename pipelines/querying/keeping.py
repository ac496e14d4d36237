"""What the steps of cut questions gave, kept as tables for the questions that begin alike."""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.domain.month import preceding
from pipelines.querying.columns.answers import ANSWERS
from pipelines.querying.columns.history import Connect
from pipelines.querying.columns.steps import Columns, Made, size_of, table_of
from pipelines.querying.steps import Cut, Step

# Some 150 MB.
_MOST_ROWS = 500_000
# What is made in columns takes so much less room than a table, and anything that is kept as much as so many rows.
_NARROW, _LEAST = 8, 100
_SCHEMA = "kept"
_ALL = date.min, date.max
# The place of a table in a step's text.
_PLACE = "kept_"


@dataclass
class _Kept:
    """A table, or what was ``made`` in columns; ``rows`` are as many as would take its room in a table.

    ``users`` are reading it; one that is ``gone`` is dropped when the last of them has ended.
    """

    name: str
    rows: int
    months: tuple[date, date]
    made: Any = None
    users: int = 0
    is_gone: bool = False


class Keeper:
    """The kept tables of one database; any number of threads may ask at once."""

    def __init__(self, database: duckdb.DuckDBPyConnection, columns: Columns) -> None:
        """Those steps that ``columns`` know are made in columns, the others by DuckDB."""
        self._database, self._columns = database, columns
        self._lock = Lock()
        self._tables: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._made = self._changes = self._rows = 0
        database.execute(f"CREATE SCHEMA {_SCHEMA}")

    @contextmanager
    def statement(
        self, cursor: Connect, cut: Cut, values: Mapping[str, Any], plays: Mapping[date, int]
    ) -> Iterator[pa.Table | tuple[str, dict[str, Any]]]:
        """The answer, or the rest of a cut query and its parameters' values, to be run while this is open.

        What its steps give is made where it is not there yet, from months that the tables have to hold; ``plays`` are
        how many the table of this name has of each. Raises duckdb.Error.
        """
        held: dict[int, _Kept] = {}
        keys: list[Hashable] = []
        months: list[tuple[date, date]] = []
        for step in cut.steps:
            keys.append((step.sql, _values(step, values), tuple(keys[number] for number in step.reads)))
            own = [span for span in (months_of(step, values), *(months[number] for number in step.reads)) if span]
            own = own or [_ALL]
            months.append((min(first for first, _ in own), max(last for _, last in own)))

        answer = ANSWERS.get(cut.question)

        def hold(number: int) -> _Kept:
            if number not in held:
                step = cut.steps[number]
                for earlier in step.reads:
                    hold(earlier)
                in_arrow = answer is not None and step.part in answer.tables
                held[number] = self._hold(cursor, step, keys[number], values, held, months[number], plays, in_arrow)
            return held[number]

        try:
            if answer:
                parts = {*answer.parts, *answer.tables}
                made = [hold(number).made for number, step in enumerate(cut.steps) if step.part in parts]
                if all(one is not None for one in made):
                    table = self._columns.answer(cursor, cut.question, values, made, plays)
                    if table is not None:
                        yield table
                        return
            for number in range(len(cut.steps)):
                hold(number)
            yield self._filled(cursor, cut.last, held), _named(cut.last, values)
        finally:
            self._release(held.values())

    def forget(self, months: Collection[date]) -> None:
        """Let go of all that was made from one of these months, which have changed; what is being made is not kept."""
        with self._lock:
            self._changes += 1
            for key, kept in list(self._tables.items()):
                if any(kept.months[0] <= month <= kept.months[1] for month in months):
                    del self._tables[key]
                    self._rows -= kept.rows
                    self._drop(kept)

    def _hold(
        self,
        cursor: Connect,
        step: Step,
        key: Hashable,
        values: Mapping[str, Any],
        earlier: Mapping[int, _Kept],
        months: tuple[date, date],
        plays: Mapping[date, int],
        in_arrow: bool,  # an answer in columns reads it
    ) -> _Kept:
        with self._lock:
            if kept := self._tables.get(key):
                self._tables.move_to_end(key)
                kept.users += 1
                return kept
            self._made += 1
            name, changes = f"{_SCHEMA}.table_{self._made}", self._changes
        made = self._in_columns(cursor, step, values, earlier, plays)
        if made is None:
            text, named = self._filled(cursor, step, earlier), _named(step, values) or None
            if in_arrow:
                made = cursor().sql(text, params=named).to_arrow_table()
            else:
                rows = (cursor().execute(f"CREATE TABLE {name} AS {text}", named).fetchone() or (0,))[0]
        if made is not None:
            rows = size_of(made) // _NARROW
        kept = _Kept(name, max(rows, _LEAST), months, made, users=1)
        with self._lock:
            if changes != self._changes or key in self._tables:
                kept.is_gone = True  # it may be of before the change, or another thread was as quick
            else:
                self._tables[key] = kept
                self._rows += kept.rows
                self._make_room()
        return kept

    def _in_columns(
        self,
        cursor: Connect,
        step: Step,
        values: Mapping[str, Any],
        earlier: Mapping[int, _Kept],
        plays: Mapping[date, int],
    ) -> Made | None:
        if not step.part:
            return None
        named = dict(zip(step.names, _values(step, values), strict=True))
        return self._columns.make(cursor, step, named, [earlier[number].made for number in step.reads], plays)

    def _filled(self, cursor: Connect, step: Step, tables: Mapping[int, _Kept]) -> str:
        """A step's text over the tables that it reads; names and values of listeners are never in it."""
        text = step.sql
        for place in range(len(step.reads) - 1, -1, -1):
            kept = tables[step.reads[place]]
            name = kept.name
            if kept.made is not None:
                # For this cursor alone, which ends with the statement.
                name = f"made_{place}"
                cursor().register(name, table_of(kept.made, step.sql))
            text = text.replace(f"{_PLACE}{place} ", f"{name} ")
        return text

    def _make_room(self) -> None:
        while self._rows > _MOST_ROWS:
            _, oldest = self._tables.popitem(last=False)
            self._rows -= oldest.rows
            self._drop(oldest)

    def _release(self, held: Collection[_Kept]) -> None:
        with self._lock:
            for kept in held:
                kept.users -= 1
                if kept.is_gone:
                    self._drop(kept)

    def _drop(self, kept: _Kept) -> None:
        kept.is_gone = True
        if not kept.users and kept.made is None:
            with self._database.cursor() as cursor:
                cursor.execute(f"DROP TABLE {kept.name}")


def months_of(step: Step, values: Mapping[str, Any]) -> tuple[date, date] | None:
    """The first days of the months of ``plays`` that a step reads by itself: those of its days, and the one before.

    An instant is no day. None where it takes no days: it reads what other steps gave, or all months.
    """
    given = [values[name] for name in step.parameters]
    days = [one for value in given for one in (value if isinstance(value, tuple) else (value,)) if type(one) is date]
    return (preceding(min(days).replace(day=1)), max(days).replace(day=1)) if days else None


def _values(step: Step, values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in step.parameters)


def _named(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"p{place}": list(value) if isinstance(value, tuple) else value
        for place, value in enumerate(_values(step, values))
    }
