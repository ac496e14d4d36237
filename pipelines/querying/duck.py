"""The local warehouse, asked in SQL: DuckDB in memory over the Parquet files.

Arrow reads the files and gives DuckDB their rows; DuckDB itself has no way to any file or network, and loads no
extensions. So whatever a query says, it can write nothing, not even where it needs more memory than there is.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset
from sqlglot import exp

from pipelines.querying.bigquery_sql import MACROS, NotASelectError, parse, to_duckdb
from pipelines.tables import DATASET, TABLES, VIEWS, view_sql
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError

_ATTEMPTS = 10
_READS = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}


def query(warehouse: FolderWarehouse, sql: str, *, native: bool = False) -> pa.Table:
    """The rows that one query gives, in BigQuery's SQL or, if ``native``, in DuckDB's.

    Sees every file that was there when it began; one that a rebuild replaces meanwhile makes it begin again.
    Raises WarehouseError, duckdb.Error, NotASelectError, and sqlglot's errors for BigQuery's SQL.
    """
    statement = sql if native else to_duckdb(parse(sql))
    for _ in range(_ATTEMPTS):
        files = {table: _files(warehouse, table) for table in TABLES}
        try:
            with connect(files) as connection:
                _require_select(connection, statement)
                return _plain_numbers(connection.sql(statement).to_arrow_table())
        except (duckdb.Error, OSError) as error:
            if all(file.exists() for paths in files.values() for file in paths):
                raise
            vanished = error
    raise WarehouseError(f"The files of {warehouse.folder} cannot be read: {str(vanished).splitlines()[0]}")


def connect(files: dict[str, list[Path]] | None = None) -> duckdb.DuckDBPyConnection:
    """A database with the tables and views over a table's files, empty ones without. The caller closes it."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_external_access": False,
            "python_enable_replacements": False,
            "temp_directory": "",
        }
    )
    connection.execute(f"SET TimeZone = 'UTC'; CREATE SCHEMA {DATASET}; USE {DATASET}")
    connection.execute("SET lock_configuration = true")
    for macro in MACROS:
        connection.execute(macro)
    for table in TABLES:
        connection.register(f"{table}_rows", _rows(table, (files or {}).get(table, [])))
        connection.execute(f"CREATE VIEW {table} AS FROM {table}_rows")
    for view in VIEWS:
        connection.execute(f"CREATE VIEW {view} AS {_view(view)}")
    return connection


@cache
def _view(view: str) -> str:
    return to_duckdb(parse(view_sql(view)))


def columns(name: str) -> list[tuple[str, str]]:
    """The columns of a table or view, each with its type in BigQuery's words."""
    with connect() as connection:
        described = connection.execute(f"DESCRIBE {name}").fetchall()
    return [(row[0], _in_bigquery(row[1])) for row in described]


def _in_bigquery(kind: str) -> str:
    return exp.DataType.build(kind, dialect="duckdb").sql("bigquery")


def _files(warehouse: FolderWarehouse, table: str) -> list[Path]:
    return [file for month in warehouse.months(table) for file in warehouse.files(table, month)]


def _rows(table: str, files: list[Path]) -> Any:
    schema = arrow_schema(table)
    if not files:
        return schema.empty_table()
    # The schema is given: files of before a column was added lack it.
    return pyarrow.dataset.dataset([str(file) for file in files], schema=schema, format="parquet")


def _require_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Judge what DuckDB is going to run, by its own parser: one statement, a SELECT at every level.

    Raises NotASelectError, and duckdb.Error where it is no SQL.
    """
    statements = connection.extract_statements(statement)
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT:
        [(text,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchall()
        tree = json.loads(text)
        if not tree["error"] and _READS.issuperset(_nodes(tree)):
            return
    raise NotASelectError("Only one SELECT at a time: the warehouse is read-only here.")


def _nodes(tree: Any) -> Iterator[str]:
    """The kinds of the queries inside a query, and of what else stands in their places, such as COPY_QUERY_NODE."""
    if isinstance(tree, dict):
        if str(tree.get("type")).endswith("_NODE"):
            yield str(tree["type"])
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)


def _plain_numbers(table: pa.Table) -> pa.Table:
    """DuckDB's sums of whole numbers and fractions in a query are decimals; in BigQuery neither is."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            plain = pa.int64() if field.type.scale == 0 else pa.float64()
            table = table.set_column(index, field.name, table.column(index).cast(plain))
    return table
