"""Every figure's answer: a question and its parameters to rows, from a folder or from BigQuery, remembered.

An answer is kept as long as the files that it is from are the same; of what BigQuery answers, for one version of the
tables. What turns at midnight, as "so far" and streaks do, has the day among its parameters.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from datetime import date, datetime
from functools import cache
from threading import Lock
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipelines.clock import utc_now
from pipelines.querying.parameters import Value
from pipelines.querying.reader import FolderReader
from pipelines.querying.steps import Cut
from pipelines.querying.translations import duckdb_question
from pipelines.tables.questions import (
    Months,
    Parameter,
    bound,
    months_read,
    parameters_of,
    question_sql,
    reads_only_plays,
)
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse, dataset_of
from pipelines.warehouse.folder import FolderWarehouse

# How many cells all remembered answers have together: some 100 MB. A page's have a few thousand.
_MOST_CELLS = 1_000_000
# How long a version is believed, so that the dozen questions of a page look once.
FRESH_SECONDS = 0.3
# How long BigQuery's newest computed_at is believed: asking for it costs a query.
_BIGQUERY_SECONDS = 30.0
# Parameters by which one thing is looked for.
_SOUGHT = {"id", "q", "after"}
# Parameters that decide about each play, and mostly about none.
_OFTEN_EMPTY = frozenset({"hidden", "until"})
Row = dict[str, Any]


class Source(Protocol):
    """Where answers come from."""

    time_zone: str

    def version(self) -> str:
        """Another text once the tables are others."""

    def version_for(self, question: str, values: Mapping[str, Value], today: date) -> Hashable:
        """Another value once a question may have another answer."""

    def table(self, question: str, values: Mapping[str, Value]) -> pa.Table:
        """The rows of a question, all of whose parameters are given."""

    def rows(self, question: str, values: Mapping[str, Value]) -> list[Row]:
        """The same as dicts."""

    def prepare(self, question: str) -> None:
        """Get ready what a question is asked with."""

    def close(self) -> None:
        """Nothing more will be asked."""


class Asker:
    """Asks one warehouse; any number of threads may. Methods raise Failure, whose text is for whoever asked."""

    def __init__(self, warehouse: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        """``warehouse`` is a folder or ``bigquery://project.dataset``; ``clock`` says what time it is, aware."""
        self.warehouse = warehouse
        self.dataset = dataset_of(warehouse)
        self._source: Source = _BigQuery(warehouse) if warehouse.startswith(SCHEME) else _Folder(warehouse)
        self.time_zone = self._source.time_zone
        self._clock, self._zone = clock, ZoneInfo(self.time_zone)
        self._lock = Lock()
        self._kept: OrderedDict[object, Any] = OrderedDict()
        self._asked: dict[object, Future[Any]] = {}
        self._cells = 0

    def version(self) -> str:
        """Another text once the tables are others, which may take FRESH_SECONDS to be seen; cheap."""
        return self._source.version()

    def today(self) -> date:
        """The day that it is in the warehouse's time zone."""
        return self._clock().astimezone(self._zone).date()

    @staticmethod
    def parameters(question: str) -> Mapping[str, Parameter]:
        """What a question takes."""
        return parameters_of(question)

    def sql(self, question: str) -> str:
        """A question in BigQuery SQL, with @parameters."""
        return question_sql(question, self.dataset)

    def ask(self, question: str, span: tuple[date, date] | None = None, **given: Value) -> pa.Table:
        """The rows of a question; ``span`` is short for its @from and @to. What is given @today need not be told.

        Raises TypeError for a parameter that it does not have, or lacks.
        """
        table: pa.Table = self._remembered("table", question, span, given, self._source.table)
        return table

    def fresh(self, question: str, **given: Value) -> pa.Table:
        """As ``ask``, and not kept: for what is large and asked once."""
        return self._source.table(question, bound(question, given))

    def rows(self, question: str, span: tuple[date, date] | None = None, **given: Value) -> list[Row]:
        """As ``ask``, each row a dict by column. They are kept and given to others too: leave them as they are."""
        rows: list[Row] = self._remembered("rows", question, span, given, self._source.rows)
        return rows

    def prepare(self, question: str) -> None:
        """Translate a question, where nobody on this machine has asked it yet: that takes longer than its answer."""
        self._source.prepare(question)

    def close(self) -> None:
        """Let go of the warehouse."""
        self._source.close()

    def _remembered(
        self,
        form: str,
        question: str,
        span: tuple[date, date] | None,
        given: Mapping[str, Value],
        answer: Callable[[str, Mapping[str, Value]], Any],
    ) -> Any:
        asked = dict(given) | ({"from": span[0], "to": span[1]} if span else {})
        if "today" in parameters_of(question):
            asked.setdefault("today", self.today())
        values = bound(question, asked)
        key = self._key(form, question, values)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
            is_first = key not in self._asked
            asked_now = self._asked.setdefault(key, Future())
        if not is_first:
            return asked_now.result()
        try:
            found = answer(question, values)
            self._keep(key, found, values)
            asked_now.set_result(found)
        except BaseException as error:
            asked_now.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._asked[key]
        return found

    def _key(self, form: str, question: str, values: Mapping[str, Value]) -> object:
        version = self._source.version_for(question, values, self.today())
        return version, form, question, tuple(values.values())

    def _keep(self, key: object, found: Any, values: Mapping[str, Value]) -> None:
        # A month without discoveries stays one; a song that is not found may be a typing mistake, and the next another.
        if len(found) or not _SOUGHT.intersection(values):
            with self._lock:
                self._cells += _cells(found)
                self._kept[key] = found
                while self._cells > _MOST_CELLS:
                    self._cells -= _cells(self._kept.popitem(last=False)[1])


def _cells(found: Any) -> int:
    """How large an answer is, roughly, and never nothing."""
    return len(found) * (found.num_columns if isinstance(found, pa.Table) else len(found[0])) + 1 if len(found) else 1


class _Folder:
    """A warehouse in a folder."""

    def __init__(self, folder: str) -> None:
        warehouse = FolderWarehouse.open(folder)
        self.time_zone = warehouse.time_zone
        self._reader = FolderReader(warehouse, FRESH_SECONDS)

    def version(self) -> str:
        return str(self._reader.version())

    def version_for(self, question: str, values: Mapping[str, Value], today: date) -> Hashable:  # noqa: ARG002
        months = months_read(question, values)
        return self._reader.version(None if isinstance(months, str) or not reads_only_plays(question) else months)

    def table(self, question: str, values: Mapping[str, Value]) -> pa.Table:
        return self._reader.query(*self._asked(question, values))

    def rows(self, question: str, values: Mapping[str, Value]) -> list[Row]:
        return self._reader.rows(*self._asked(question, values))

    def prepare(self, question: str) -> None:
        duckdb_question(question, _OFTEN_EMPTY.intersection(parameters_of(question)))

    def close(self) -> None:
        self._reader.close()

    def _asked(self, question: str, values: Mapping[str, Value]) -> tuple[Cut, Mapping[str, Value], Months | None]:
        known = parameters_of(question)
        empty = frozenset(name for name in _OFTEN_EMPTY.intersection(values) if values[name] == known[name].default)
        used = {name: value for name, value in values.items() if name not in empty}
        return duckdb_question(question, empty), used, self._months(question, values)

    def _months(self, question: str, values: Mapping[str, Value]) -> Months | None:
        months = months_read(question, values)
        if months == "all":
            return None
        if months == "ends":
            there = [row["month"] for row in self.rows("months", {"user_id": values["user_id"]})]
            return tuple((month, month) for month in {*there[:1], *there[-1:]})
        return months


def _bare(sql: str) -> str:
    """A question without its comments, which are for who reads it, and name parameters too."""
    return "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))


@cache
def _kinds(question: str) -> dict[str, str]:
    return {name: parameter.kind for name, parameter in parameters_of(question).items()}


class _BigQuery:
    """A dataset in BigQuery."""

    def __init__(self, address: str) -> None:
        self._address, self._dataset = address, dataset_of(address)
        self.time_zone = BigQueryWarehouse(address).time_zone()
        self._lock = Lock()
        self._version, self._looked = "", -_BIGQUERY_SECONDS

    def version(self) -> str:
        """When the newest top tens were computed: with every play there are new ones. What sources say of artists and
        tracks is seen with the next play, or the next day: to ask four tables each time would be billed as four."""
        with self._lock:
            if time.monotonic() - self._looked >= _BIGQUERY_SECONDS:
                sql = f"SELECT MAX(computed_at) AS newest FROM {self._dataset}.top_ten_snapshots"  # noqa: S608
                self._version = str(self._ask(sql, {}).column("newest")[0])
                self._looked = time.monotonic()
            return self._version

    def version_for(self, question: str, values: Mapping[str, Value], today: date) -> Hashable:  # noqa: ARG002
        return self.version(), today

    def rows(self, question: str, values: Mapping[str, Value]) -> list[Row]:
        rows: list[Row] = self.table(question, values).to_pylist()
        return rows

    def table(self, question: str, values: Mapping[str, Value]) -> pa.Table:
        return self._ask(_bare(question_sql(question, self._dataset)), values, _kinds(question))

    def _ask(self, sql: str, values: Mapping[str, Value], kinds: Mapping[str, str] | None = None) -> pa.Table:
        # Loaded here: a folder needs nothing of it.
        from pipelines.querying.asking import ask_bigquery

        return ask_bigquery(self._address, sql, values, kinds)

    def prepare(self, question: str) -> None:
        """It is asked as it stands."""

    def close(self) -> None:
        """Nothing is open."""
