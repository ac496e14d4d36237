"""A question's way: to DuckDB or to BigQuery, and back as text, or as a sentence that says what is wrong with it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import duckdb
import pyarrow as pa

from pipelines.failure import Failure
from pipelines.querying import duck
from pipelines.querying.limits import too_much
from pipelines.querying.overview import overview
from pipelines.querying.parameters import Parameters, for_bigquery, kinds_of
from pipelines.querying.refused import NotASelectError, UnknownPartError
from pipelines.querying.show import show
from pipelines.storage.files import StorageError
from pipelines.warehouse.bigquery import SCHEME, bigquery_explained, briefly, dataset_of, parse_address
from pipelines.warehouse.folder import FolderWarehouse

MOST_ROWS = 100  # that a table in a terminal has, unless all are asked for


class QueryError(Failure):
    """The query failed; the text is for the one who wrote it."""


def answer(
    warehouse: str,
    sql: str,
    *,
    form: str,
    native: bool,
    max_megabytes: int | None,
    width: int | None = None,
    command: str = "",
    tell: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """The answer as text, in one of FORMATS; without ``sql``, what there is to ask.

    With ``width`` a table is cut to so many columns of a terminal, and to its first rows. ``command`` is what asks this
    warehouse, to be shown with examples. With ``max_megabytes`` a query of a folder takes no more memory, nor does
    anything else in this process after it. How many rows there are, and what to do where there are none, it
    tells, on stderr if nothing else is said.
    Raises QueryError and StorageError.
    """

    try:
        if not sql:
            yield from overview(
                warehouse,
                command,
                dataset_of(warehouse),
                partial(ask, warehouse, max_megabytes=max_megabytes),
                width,
            )
            return
        table = ask(warehouse, sql, native=native, max_megabytes=max_megabytes)
        shown = table.slice(0, MOST_ROWS) if width and form == "table" else table
        yield from show(shown, form, width)
    except MemoryError:
        raise too_much(max_megabytes or 0) from None
    tell = tell or partial(print, file=sys.stderr)
    if form == "table":
        rows = f"{table.num_rows:,} row{'' if table.num_rows == 1 else 's'}"
        more = shown.num_rows < table.num_rows
        tell(f"{shown.num_rows:,} of {rows}; --wide shows all" if more else rows)
    if not table.num_rows:
        from pipelines.querying.messages import hint_about_months

        for hint in filter(None, (hint_about_months(sql), _months(warehouse))):
            tell(hint)


def _months(warehouse: str) -> str:
    """Of which months a warehouse has plays."""
    sql = f"SELECT MIN(month) AS first, MAX(month) AS last FROM {dataset_of(warehouse)}.top_ten_snapshots"  # noqa: S608
    [there] = ask(warehouse, sql).to_pylist()
    return (
        f"months here: {there['first']:%Y-%m} to {there['last']:%Y-%m}" if there["first"] else "there are no plays yet"
    )


def ask(
    warehouse: str,
    sql: str,
    *,
    parameters: Parameters | None = None,
    native: bool = False,
    max_megabytes: int | None = None,
) -> pa.Table:
    """The rows that a query of a folder or of BigQuery gives. ``parameters`` are values for its ``@names``.

    With ``max_megabytes`` as ``answer``. Raises QueryError and StorageError.
    """
    if warehouse.startswith(SCHEME):
        return ask_bigquery(warehouse, sql, parameters or {})
    return _ask_folder(warehouse, sql, parameters, native=native, max_megabytes=max_megabytes)


def _hinted(message: str, sql: str) -> str:
    from pipelines.querying.messages import hint_about_months

    hint = hint_about_months(sql)
    return f"{message}; {hint}" if hint else message


def _ask_folder(
    folder: str, sql: str, parameters: Parameters | None, *, native: bool, max_megabytes: int | None
) -> pa.Table:
    warehouse = FolderWarehouse.open(folder)
    try:
        return duck.query(warehouse, sql, native=native, parameters=parameters, max_megabytes=max_megabytes)
    except StorageError:
        raise
    except duckdb.OutOfMemoryException:
        raise too_much(max_megabytes or 0) from None
    except RecursionError:
        raise QueryError("the query is nested too deeply") from None
    except _query_errors() as error:
        from pipelines.querying.messages import explain, tables_in

        there = duck.columns()
        names = sorted({column for table in tables_in(sql, there) for column, _ in there[table]})
        raise QueryError(_hinted(explain(error, sql, names, list(there)), sql)) from None


def _query_errors() -> tuple[type[Exception], ...]:
    """What a query itself can be at fault for. Asked only where something is: a query that is remembered needs no
    translator, which is loaded here."""
    from sqlglot.errors import SqlglotError

    return duckdb.Error, SqlglotError, NotASelectError, UnknownPartError


def ask_bigquery(address: str, sql: str, parameters: Parameters, kinds: Mapping[str, str] | None = None) -> pa.Table:
    """The rows that a query of BigQuery gives; ``kinds`` are the types of parameters whose values do not tell them.

    Raises QueryError and StorageError.
    """
    try:
        from google.api_core.exceptions import BadRequest, NotFound
        from google.cloud import bigquery
    except ImportError:
        raise QueryError("BigQuery's client is missing: pip install 'heavy-rotation[pipelines]'.") from None
    project, dataset = parse_address(address)
    config = bigquery.QueryJobConfig(
        default_dataset=f"{project}.{dataset}",
        query_parameters=for_bigquery(parameters, {**kinds_of(parameters), **(kinds or {})}),
    )
    with bigquery_explained(f"{project}.{dataset}"), bigquery.Client(project=project) as client:
        try:
            table: pa.Table = client.query(sql, config, **briefly()).result().to_arrow(create_bqstorage_client=False)
            return table
        except (BadRequest, NotFound) as error:  # it is the query's fault, or nearly always
            raise QueryError(_hinted(str(error.message), sql)) from None
