"""A question's way: to DuckDB or to BigQuery, and back as text, or as a sentence that says what is wrong with it."""

import sys
from collections.abc import Iterator

import duckdb
import pyarrow as pa
from sqlglot.errors import SqlglotError

from pipelines.failure import Failure
from pipelines.querying import duck
from pipelines.querying.bigquery_sql import NotASelectError, UnknownPartError
from pipelines.querying.limits import too_much
from pipelines.querying.messages import explain, tables_in
from pipelines.querying.overview import overview
from pipelines.querying.show import show
from pipelines.storage.files import StorageError
from pipelines.tables import DATASET
from pipelines.warehouse.bigquery import SCHEME, bigquery_explained, briefly, parse_address
from pipelines.warehouse.folder import FolderWarehouse


class QueryError(Failure):
    """The query failed; the text is for the one who wrote it."""


def answer(warehouse: str, sql: str, *, form: str, native: bool, max_megabytes: int | None) -> Iterator[str]:
    """The answer as text, in one of FORMATS; without ``sql``, what there is to ask.

    With ``max_megabytes`` a query of a folder takes no more memory, nor does anything else in this process after it.
    Raises QueryError and StorageError.
    """

    def ask(question: str, *, is_native: bool = False) -> pa.Table:
        if warehouse.startswith(SCHEME):
            return _ask_bigquery(warehouse, question)
        return _ask_folder(warehouse, question, native=is_native, max_megabytes=max_megabytes)

    try:
        if not sql:
            dataset = parse_address(warehouse)[1] if warehouse.startswith(SCHEME) else DATASET
            yield from overview(warehouse, dataset, ask)
            return
        table = ask(sql, is_native=native)
        yield from show(table, form)
    except MemoryError:
        raise too_much(max_megabytes or 0) from None
    if form == "table":
        print(f"{table.num_rows:,} row{'' if table.num_rows == 1 else 's'}", file=sys.stderr)  # noqa: T201


def _ask_folder(folder: str, sql: str, *, native: bool, max_megabytes: int | None) -> pa.Table:
    warehouse = FolderWarehouse.open(folder)
    try:
        return duck.query(warehouse, sql, native=native, max_megabytes=max_megabytes)
    except StorageError:
        raise
    except duckdb.OutOfMemoryException:
        raise too_much(max_megabytes or 0) from None
    except RecursionError:
        raise QueryError("the query is nested too deeply") from None
    except (duckdb.Error, SqlglotError, NotASelectError, UnknownPartError) as error:
        there = duck.columns()
        names = sorted({column for table in tables_in(sql, there) for column, _ in there[table]})
        raise QueryError(explain(error, sql, names, list(there))) from None


def _ask_bigquery(address: str, sql: str) -> pa.Table:
    try:
        from google.api_core.exceptions import BadRequest, NotFound
        from google.cloud import bigquery
    except ImportError:
        raise QueryError("BigQuery's client is missing: pip install 'heavy-rotation[pipelines]'.") from None
    project, dataset = parse_address(address)
    config = bigquery.QueryJobConfig(default_dataset=f"{project}.{dataset}")
    with bigquery_explained(f"{project}.{dataset}"), bigquery.Client(project=project) as client:
        try:
            table: pa.Table = client.query(sql, config, **briefly()).result().to_arrow(create_bqstorage_client=False)
            return table
        except (BadRequest, NotFound) as error:  # it is the query's fault, or nearly always
            raise QueryError(error.message) from None
