"""Ask the warehouse in BigQuery SQL: ``python -m pipelines.query --warehouse W "SELECT …"``.

Rows go to standard output, everything else to standard error. Exit code 0, 1 where the query or the warehouse
fails, 2 for a wrong command line.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import cast

import duckdb
import pyarrow as pa
from sqlglot.errors import SqlglotError

from pipelines.failure import Failure
from pipelines.querying import duck
from pipelines.querying.bigquery_sql import NotASelectError
from pipelines.querying.messages import explain
from pipelines.querying.show import FORMATS, Format, show
from pipelines.storage.files import StorageError
from pipelines.tables import TABLES, VIEWS
from pipelines.warehouse.bigquery import briefly, explained, parse_address
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError

_EXAMPLE = """\
SELECT rank, track_name, artist_name, plays
FROM heavy_rotation.monthly_top_tracks
WHERE month = '2026-11-01'
ORDER BY user_id, rank"""


class QueryError(Failure):
    """The query failed; the text is for the one who wrote it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, ask, print. Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        remote = parse_address(options.warehouse) if "://" in options.warehouse else None
    except WarehouseError as error:
        parser.error(str(error))
    if remote and options.dialect == "duckdb":
        parser.error("BigQuery speaks BigQuery SQL: leave --dialect out")
    sql = sys.stdin.read() if options.sql == "-" else options.sql
    try:
        if not sql or not sql.strip():
            _write(_overview())
            return 0
        if remote:
            table = _ask_bigquery(*remote, sql)
        else:
            table = _ask_folder(options.warehouse, sql, native=options.dialect == "duckdb")
        _write(*show(table, cast("Format", options.format)))
        if options.format == "table":
            print(f"{table.num_rows:,} row{'' if table.num_rows == 1 else 's'}", file=sys.stderr)
    except (QueryError, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read has read enough. What is still in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, duckdb.InterruptException):
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.query",
        description="Ask the warehouse in BigQuery SQL. Without a query: what there is to ask.",
    )
    parser.add_argument("--warehouse", required=True, metavar="W", help="a folder, or bigquery://project.dataset")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument(
        "--dialect",
        choices=("bigquery", "duckdb"),
        default="bigquery",
        help="the SQL that is spoken (default: bigquery, as in the cloud)",
    )
    parser.add_argument("sql", nargs="?", metavar="SQL", help='"SELECT …", or - to read it from standard input')
    return parser


def _ask_folder(folder: str, sql: str, *, native: bool) -> pa.Table:
    warehouse = FolderWarehouse.open(folder)
    try:
        return duck.query(warehouse, sql, native=native)
    except (duckdb.InterruptException, StorageError):
        raise
    except (duckdb.Error, SqlglotError, NotASelectError) as error:
        columns = sorted({column for name in (*TABLES, *VIEWS) for column, _ in duck.columns(name)})
        raise QueryError(explain(error, sql, columns, [*TABLES, *VIEWS])) from None


def _ask_bigquery(project: str, dataset: str, sql: str) -> pa.Table:
    try:
        from google.api_core.exceptions import BadRequest, NotFound
        from google.cloud import bigquery
    except ImportError:
        raise QueryError("BigQuery's client is missing: pip install 'heavy-rotation[pipelines]'.") from None
    config = bigquery.QueryJobConfig(default_dataset=f"{project}.{dataset}")
    with explained(f"{project}.{dataset}"), bigquery.Client(project=project) as client:
        try:
            table: pa.Table = client.query(sql, config, **briefly()).result().to_arrow(create_bqstorage_client=False)
            return table
        except (BadRequest, NotFound) as error:  # it is the query's fault, or nearly always
            raise QueryError(error.message) from None


def _overview() -> str:
    lines = ["Tables and views, with their columns:", ""]
    for name in (*TABLES, *VIEWS):
        columns = ", ".join(f"{column} {kind}" for column, kind in duck.columns(name))
        lines += [f"  heavy_rotation.{name}", f"    {columns}", ""]
    lines += ["For example:", "", 'python -m pipelines.query --warehouse W "', _EXAMPLE, '"', ""]
    return "\n".join(lines)


def _write(*texts: str) -> None:
    for text in texts:
        sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
