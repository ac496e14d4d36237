"""A folder's warehouse for a process that asks again and again: one DuckDB in memory, which keeps what it has read.

``plays`` and ``fullest_snapshots`` are tables here, filled month by month as questions need them, and a month anew when
its files have changed; files never change themselves. What they hold is what the views say, so that the monthly views
over them, and every question, stay as they are. It is for queries of the project's own: what a person types is judged
and limited by ``duck.query`` and ``limits``.
"""

import math
import time
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.querying.columns.history import Connect, Histories
from pipelines.querying.columns.steps import Columns
from pipelines.querying.duck import new_database, plain_numbers, rows_of, tables_of
from pipelines.querying.functions import add_functions
from pipelines.querying.keeping import Keeper
from pipelines.querying.kept_views import KeptViews
from pipelines.querying.listing import Listing
from pipelines.querying.parameters import Parameters, for_duckdb
from pipelines.querying.steps import Cut
from pipelines.querying.translations import duckdb_view
from pipelines.tables import DATASET, SNAPSHOTS, VIEWS
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError

_ATTEMPTS = 10
# Of files that are read first: what is read at once takes several times its room for a moment.
_BYTES_AT_ONCE = 20_000_000
# Of so many it is remembered what they read.
_MOST_STATEMENTS = 256
# Which table's files each is made from.
_KEPT = {"plays": "play_events", "fullest_snapshots": "top_ten_snapshots", "rejected": "rejected"} | {
    table: table for table in SNAPSHOTS
}
# Rows that were replaced take room until the table is written anew.
_MOST_DEAD_ROWS = 200_000
# Tables of less than this are asked by one thread a query: a second one takes longer to be told than it saves.
_SMALL_BYTES = 100_000_000
# Months in which a play is there twice, or a track's id has two keys. In all others the view is the rows themselves.
_MIXED = """
WITH new AS (SELECT user_id, month, played_at, track_id, song_id FROM plays WHERE list_contains($months::DATE[], month))
SELECT month FROM new GROUP BY user_id, month, played_at HAVING COUNT(*) > 1
UNION
SELECT month FROM new GROUP BY user_id, month, track_id HAVING MIN(song_id) <> MAX(song_id)"""


class FolderReader:
    """Answers to queries over one folder; any number of threads may ask at once."""

    def __init__(self, warehouse: FolderWarehouse, fresh_seconds: float = 0.0) -> None:
        """For so long it is believed that the files are those that were there; then it is looked again."""
        self.warehouse = warehouse
        self._fresh_seconds, self._looked = fresh_seconds, -math.inf
        self._lock = Lock()
        self._listing = Listing(warehouse)
        self._database = new_database()
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        add_functions(self._database, "normalize_text")
        # Of each kept table, the files that each month's rows are from.
        self._kept: dict[str, dict[date, tuple[Path, ...]]] = {name: {} for name in _KEPT}
        # And the months whose rows are from other files than there are now.
        self._behind: dict[str, set[date]] = {name: set() for name in _KEPT}
        self._dead_rows = dict.fromkeys(_KEPT, 0)
        self._plays: dict[date, int] = {}
        self._histories = Histories()
        self._keeper = Keeper(self._database, Columns(self._histories))
        self._views = KeptViews(self._database)
        self._named = lru_cache(_MOST_STATEMENTS)(self._named_in)
        for name, table in _KEPT.items():
            self._register(table, [])
            source = duckdb_view(name) if name in VIEWS else f"FROM {table}_rows"
            if name in VIEWS:
                self._database.execute(f"CREATE VIEW {table} AS FROM {table}_rows")
            self._database.execute(f"CREATE VIEW made_{name} AS {source}")
            self._database.execute(f"CREATE TABLE {name} AS FROM made_{name} LIMIT 0")
        for view in VIEWS:
            if view not in _KEPT:
                self._database.execute(f"CREATE VIEW {view} AS {duckdb_view(view)}")
        self._look()
        files = [file for months in self._listing.files.values() for some in months.values() for file in some]
        if _bytes(files) < _SMALL_BYTES:
            self._database.execute("SET GLOBAL threads = 1")
        self._database.execute("SET lock_configuration = true")

    def version(self, months: Iterable[tuple[date, date]] | None = None) -> Hashable:
        """Something that is another once the warehouse's files are others; of ``months`` those of their plays alone.

        ``months`` are spans of first days, both in them. Raises StorageError.
        """
        with self._lock:
            self._look()
            return self._listing.version if months is None else self._listing.version_of(months)

    def months(self) -> list[date]:
        """The months that there are plays of. Raises StorageError."""
        self.version()
        return sorted(self._listing.files["play_events"])

    def query(
        self,
        statement: str | Cut,
        parameters: Parameters | None = None,
        months: Iterable[tuple[date, date]] | None = None,
    ) -> pa.Table:
        """The rows of a query in DuckDB's SQL (``bigquery_sql.to_duckdb``), which may be cut at what others read too.

        ``months`` are the spans, first days and both in them, of ``plays`` that it reads, or None for all if it reads
        any. Sees every file that was there when it last looked for some. Raises StorageError, duckdb.Error.
        """
        with self._ready(statement, parameters, months) as ready:
            if isinstance(ready, pa.Table):
                return ready
            cursor, text, values = ready
            return plain_numbers(cursor.sql(text, params=values).to_arrow_table())

    def rows(
        self,
        statement: str | Cut,
        parameters: Parameters | None = None,
        months: Iterable[tuple[date, date]] | None = None,
    ) -> list[dict[str, Any]]:
        """As ``query``, each row a dict by column: half the work, since an Arrow table has its query planned twice."""
        with self._ready(statement, parameters, months) as ready:
            if isinstance(ready, pa.Table):
                rows: list[dict[str, Any]] = ready.to_pylist()
                return rows
            cursor, text, values = ready
            found = cursor.execute(text, values)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def close(self) -> None:
        """End the database."""
        self._database.close()

    @contextmanager
    def _cursor(self, months: Iterable[tuple[date, date]] | None, names: Collection[str] = ()) -> Iterator[Connect]:
        """What gives the one cursor of a query, which is made where the first asks for it: few answers need one."""
        spans = None if months is None else list(months)
        with self._lock:
            self._bring(spans)
            if spans is None:
                self._views.keep(names)
        with ExitStack() as stack:

            @cache
            def cursor() -> duckdb.DuckDBPyConnection:
                made = stack.enter_context(self._database.cursor())
                made.execute(f"USE {DATASET}")
                return made

            yield cursor

    @contextmanager
    def _ready(
        self, statement: str | Cut, parameters: Parameters | None, months: Iterable[tuple[date, date]] | None
    ) -> Iterator[pa.Table | tuple[duckdb.DuckDBPyConnection, str, dict[str, object] | None]]:
        """The answer, or a cursor, what it is to run, and with which values."""
        names: Collection[str] = ()
        if months is None and isinstance(statement, str):
            names = self._named(statement)
            months = () if names and "plays" not in names else None
        with self._cursor(months, names) as cursor:
            if isinstance(statement, str):
                yield cursor(), statement, for_duckdb(parameters)
            else:
                with self._keeper.statement(cursor, statement, parameters or {}, self._plays) as ready:
                    if isinstance(ready, pa.Table):
                        yield ready
                    else:
                        text, values = ready
                        yield cursor(), text, values or None

    def _named_in(self, statement: str) -> Collection[str]:
        with self._database.cursor() as cursor:
            return tables_of(cursor, statement)

    def _look(self, *, at_once: bool = False) -> None:
        """Which files there are."""
        if at_once or time.monotonic() - self._looked >= self._fresh_seconds:
            before = self._listing.version
            self._listing.refresh()
            self._looked = time.monotonic()
            if self._listing.version != before:
                for name, table in _KEPT.items():
                    there, kept = self._listing.files[table], self._kept[name]
                    self._behind[name] = {m for m in {*there, *kept} if there.get(m) != kept.get(m)}

    def _bring(self, spans: Sequence[tuple[date, date]] | None) -> None:
        """Read the months that are missing or have changed; begin again where a rebuild replaces them meanwhile."""
        for attempt in range(_ATTEMPTS):
            self._look(at_once=attempt > 0)
            try:
                for name, table in _KEPT.items():
                    there, changed = self._listing.files[table], sorted(self._behind[name])
                    if name == "plays" and spans is not None:
                        changed = [month for month in changed if any(first <= month <= last for first, last in spans)]
                    for some in _pieces(changed, there, self._kept[name]):
                        self._replace(name, {month: there.get(month, ()) for month in some})
                return
            except (duckdb.Error, OSError) as error:
                if all(file.exists() for of in self._listing.files.values() for files in of.values() for file in files):
                    raise
                vanished = error
        raise WarehouseError(f"The files of {self.warehouse.folder} cannot be read: {str(vanished).splitlines()[0]}")

    def _replace(self, name: str, months: dict[date, tuple[Path, ...]]) -> None:
        """Give months of a table their files' rows, in one step for whoever reads."""
        table, database = _KEPT[name], self._database
        self._views.forget()
        self._register(table, [file for files in months.values() for file in files])
        known = [month for month in months if month in self._kept[name]]
        column = "date_trunc('month', rejected_at)::DATE" if name == "rejected" else "month"
        database.execute("BEGIN")
        try:
            if known:
                gone = database.execute(f"DELETE FROM {name} WHERE list_contains($known, {column})", {"known": known})  # noqa: S608
                self._dead_rows[name] += (gone.fetchone() or (0,))[0]
            if name == "plays":
                database.execute(
                    "INSERT INTO plays BY NAME SELECT * EXCLUDE (song_key), COALESCE(song_key, track_id) AS song_id "
                    "FROM play_events_rows"
                )
                mixed = [month for (month,) in database.execute(_MIXED, {"months": list(months)}).fetchall()]
                if mixed:
                    gone = database.execute(
                        "DELETE FROM plays WHERE list_contains($mixed::DATE[], month)", {"mixed": mixed}
                    )
                    self._dead_rows[name] += (gone.fetchone() or (0,))[0]
                    database.execute(
                        "INSERT INTO plays BY NAME FROM made_plays WHERE list_contains($mixed::DATE[], month)",
                        {"mixed": mixed},
                    )
            else:
                database.execute(f"INSERT INTO {name} BY NAME FROM made_{name}")
            if self._dead_rows[name] > _MOST_DEAD_ROWS:
                database.execute(f"CREATE OR REPLACE TABLE {name} AS FROM {name}")
                self._dead_rows[name] = 0
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise
        finally:
            self._register(table, [])
        self._keeper.forget(months)
        if name == "plays":
            self._histories.forget(months)
            counts = database.execute(
                "SELECT month, COUNT(*) FROM plays WHERE list_contains($months::DATE[], month) GROUP BY month",
                {"months": list(months)},
            )
            self._plays = {**self._plays, **dict.fromkeys(months, 0), **dict(counts.fetchall())}
        self._behind[name] -= months.keys()
        for month, files in months.items():
            if files:
                self._kept[name][month] = files
            else:
                self._kept[name].pop(month, None)

    def _register(self, table: str, files: list[Path]) -> None:
        self._database.register(f"{table}_rows", rows_of(table, files))


def _pieces(
    months: Sequence[date], files: Mapping[date, tuple[Path, ...]], kept: Mapping[date, object]
) -> Iterator[list[date]]:
    """Months that are read at once: all where some have changed, else as many as are not too large together."""
    some: list[date] = []
    is_new, size = not kept.keys() & set(months), 0
    for month in months:
        some.append(month)
        size += _bytes(files.get(month, ())) if is_new else 0
        if size >= _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _bytes(files: Iterable[Path]) -> int:
    """How large files are together, those that vanish meanwhile not counted."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total
