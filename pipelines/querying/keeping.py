"""What the steps of cut questions gave, kept as tables for the questions that begin alike.

A step over one month takes DuckDB longer to plan and to set up than to run. So steps can also be made for many months in
one statement (``prepare``), whose table has a part for each.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock
from typing import Any

import duckdb

from pipelines.domain.month import following, preceding
from pipelines.querying.steps import Cut, Step

# Some 150 MB. What reads more is asked whole: to keep it would cost more than it saves.
_MOST_ROWS = 500_000
MOST_ROWS_OF_ONE = 250_000
_SCHEMA = "kept"
_ALL = date.min, date.max
# The place of a table in a step's text.
_PLACE = "kept_"
# The months that parts are made for, and the column that tells whose part a row is.
_EACH, _PART = "each_month", "part_of"


@dataclass
class _Table:
    """A table, and how many kept parts of it there are, with one for who makes it."""

    name: str
    parts: int = 1


@dataclass
class _Kept:
    """A table, or a part of one: ``source`` is what a FROM has. ``users`` are reading it; one that is ``gone`` goes
    when the last of them has ended.
    """

    table: _Table
    source: str
    rows: int
    months: tuple[date, date]
    users: int = 0
    is_gone: bool = False


class Keeper:
    """The kept tables of one database; any number of threads may ask at once."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._lock = Lock()
        self._tables: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._made = self._changes = 0
        database.execute(f"CREATE SCHEMA {_SCHEMA}")

    @contextmanager
    def statement(
        self, cursor: duckdb.DuckDBPyConnection, cut: Cut, values: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rest of a cut query and its parameters' values, to be run while this is open.

        What its steps give is made where it is not there yet, from months that the tables have to hold.
        Raises duckdb.Error.
        """
        held: list[_Kept] = []
        try:
            for step, (key, months) in zip(cut.steps, _keys(cut, values), strict=True):
                held.append(self._hold(cursor, step, key, values, held, months))
            yield _filled(cut.last, [kept.source for kept in held]), _named(cut.last, values)
        finally:
            self._release(held)

    def prepare(
        self, cursor: duckdb.DuckDBPyConnection, cut: Cut, values: Mapping[str, Any], months: Sequence[date]
    ) -> None:
        """Make a question's steps for many months, whose days are its @from and @to, with one statement a step.

        Months that have them all are left out. Raises duckdb.Error.
        """
        spans = {month: {**values, "from": month, "to": following(month) - timedelta(days=1)} for month in months}
        keys = {month: _keys(cut, of) for month, of in spans.items()}
        with self._lock:
            keys = {month: of for month, of in keys.items() if any(key not in self._tables for key, _ in of)}
            changes = self._changes
        if not keys:
            return
        # Of each step: the table, and whether it has parts. One that takes no days is the same for all months.
        sources: list[tuple[str, bool]] = []
        held: list[_Kept] = []
        tables: list[_Table] = []
        try:
            for number, step in enumerate(cut.steps):
                has_parts = {"from", "to"}.issubset(step.parameters) or any(sources[read][1] for read in step.reads)
                if has_parts:
                    table, rows = self._make_parts(cursor, step, values, list(keys), sources)
                    tables.append(table)
                    sources.append((table.name, True))
                    self._keep_parts(table, rows, {month: of[number] for month, of in keys.items()}, changes)
                else:
                    key, span = next(iter(keys.values()))[number]
                    held.append(self._hold(cursor, step, key, values, [], span))
                    sources.append((held[-1].source, False))
        finally:
            self._release(held)
            with self._lock:
                for table in tables:
                    self._let_go(table)

    def forget(self, months: Collection[date]) -> None:
        """Let go of all that was made from one of these months, which have changed; what is being made is not kept."""
        with self._lock:
            self._changes += 1
            for key, kept in list(self._tables.items()):
                if any(kept.months[0] <= month <= kept.months[1] for month in months):
                    del self._tables[key]
                    self._drop(kept)

    def _hold(
        self,
        cursor: duckdb.DuckDBPyConnection,
        step: Step,
        key: Hashable,
        values: Mapping[str, Any],
        earlier: Sequence[_Kept],
        months: tuple[date, date],
    ) -> _Kept:
        with self._lock:
            if kept := self._tables.get(key):
                self._tables.move_to_end(key)
                kept.users += 1
                return kept
            name, changes = self._new_name(), self._changes
        text = _filled(step, [kept.source for kept in earlier])
        made = cursor.execute(f"CREATE TABLE {name} AS {text}", _named(step, values) or None)
        kept = _Kept(_Table(name), name, (made.fetchone() or (0,))[0], months, users=1)
        with self._lock:
            if changes != self._changes or key in self._tables:
                kept.is_gone = True  # it may be of before the change, or another thread was as quick
            else:
                self._tables[key] = kept
                self._make_room()
        return kept

    def _new_name(self) -> str:
        self._made += 1
        return f"{_SCHEMA}.table_{self._made}"

    def _make_parts(
        self,
        cursor: duckdb.DuckDBPyConnection,
        step: Step,
        values: Mapping[str, Any],
        months: list[date],
        sources: Sequence[tuple[str, bool]],
    ) -> tuple[_Table, dict[date, int]]:
        """A table that has what a step gives for each of the months, and how many rows of each."""
        with self._lock:
            name = self._new_name()
        texts = [_part(source, f"{_EACH}.first_day") if has_parts else source for source, has_parts in sources]
        text, named = _filled(step, texts), _named(step, values | dict.fromkeys(("from", "to")))
        for parameter, column in (("from", "first_day"), ("to", "last_day")):
            if parameter in step.parameters:
                place = f"p{step.parameters.index(parameter)}"
                text = re.sub(rf"\${place}\b", f"{_EACH}.{column}", text)
                del named[place]
        cursor.execute(
            f"CREATE TABLE {name} AS SELECT {_EACH}.first_day AS {_PART}, each_row.* FROM "  # noqa: S608
            f"(SELECT first_day, LAST_DAY(first_day) AS last_day FROM (SELECT UNNEST($months::DATE[]) AS first_day)) "
            f"AS {_EACH}, LATERAL ({text}) AS each_row",
            {**named, "months": months},
        ).fetchall()
        counts = cursor.execute(f"SELECT {_PART}, COUNT(*) FROM {name} GROUP BY {_PART}").fetchall()  # noqa: S608
        return _Table(name), dict(counts)

    def _keep_parts(
        self, table: _Table, rows: Mapping[date, int], of: Mapping[date, tuple[Hashable, tuple[date, date]]], changes: int
    ) -> None:
        """Keep each month's part, but for those that are there, and for all where a month has changed meanwhile."""
        with self._lock:
            for month, (key, months) in of.items():
                if changes == self._changes and key not in self._tables:
                    table.parts += 1
                    source = _part(table.name, f"DATE '{month.isoformat()}'")
                    self._tables[key] = _Kept(table, source, rows.get(month, 0), months)
            self._make_room()

    def _make_room(self) -> None:
        rows = sum(kept.rows for kept in self._tables.values())
        while rows > _MOST_ROWS:
            _, oldest = self._tables.popitem(last=False)
            rows -= oldest.rows
            self._drop(oldest)

    def _release(self, held: Sequence[_Kept]) -> None:
        with self._lock:
            for kept in held:
                kept.users -= 1
                if kept.is_gone:
                    self._drop(kept)

    def _drop(self, kept: _Kept) -> None:
        kept.is_gone = True
        if not kept.users:
            self._let_go(kept.table)

    def _let_go(self, table: _Table) -> None:
        table.parts -= 1
        if not table.parts:
            with self._database.cursor() as cursor:
                cursor.execute(f"DROP TABLE {table.name}")


def _keys(cut: Cut, values: Mapping[str, Any]) -> list[tuple[Hashable, tuple[date, date]]]:
    """Of each step what it is kept by, and the first and the last month that it is made from."""
    made: list[tuple[Hashable, tuple[date, date]]] = []
    for step in cut.steps:
        key = step.sql, _values(step, values), tuple(made[number][0] for number in step.reads)
        spans = [span for span in (months_of(step, values), *(made[number][1] for number in step.reads)) if span]
        spans = spans or [_ALL]
        made.append((key, (min(first for first, _ in spans), max(last for _, last in spans))))
    return made


def _part(table: str, month: str) -> str:
    return f"(SELECT * EXCLUDE ({_PART}) FROM {table} WHERE {_PART} = {month})"  # noqa: S608


def months_of(step: Step, values: Mapping[str, Any]) -> tuple[date, date] | None:
    """The first days of the months of ``plays`` that a step reads by itself: those of its days, and the one before.

    None where it takes no days: it reads what other steps gave, or all months.
    """
    days = [value for name in step.parameters if type(value := values[name]) is date]  # an instant is no day
    return (preceding(min(days).replace(day=1)), max(days).replace(day=1)) if days else None


def _values(step: Step, values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in step.parameters)


def _named(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"p{place}": list(value) if isinstance(value, tuple) else value
        for place, value in enumerate(_values(step, values))
    }


def _filled(step: Step, tables: Sequence[str]) -> str:
    """A step's text over the tables that it reads; names and values of listeners are never in it."""
    text = step.sql
    for place in range(len(step.reads) - 1, -1, -1):
        text = text.replace(f"{_PLACE}{place} ", f"{tables[step.reads[place]]} ")
    return text
