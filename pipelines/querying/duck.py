"""The local warehouse, asked in SQL: DuckDB in memory over the Parquet files.

Arrow reads the files and gives DuckDB their rows; DuckDB itself has no way to any file or network, and loads no
extensions. So whatever a query says, it can write nothing, not even where it needs more memory than there is.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset

from pipelines.querying.functions import add_functions
from pipelines.querying.information import COLUMNS_VIEW, TABLES_VIEW, information
from pipelines.querying.limits import limit_address_space, threads
from pipelines.querying.parameters import Parameters, for_duckdb
from pipelines.querying.refused import NotASelectError
from pipelines.querying.translations import duckdb_statement, duckdb_view
from pipelines.tables import DATASET, TABLES, VIEWS
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError

_ATTEMPTS = 10
_ALL = {*TABLES, *VIEWS}
_INFORMATION = {name.lower(): name for name in (TABLES_VIEW, COLUMNS_VIEW)}
# What a view reads: its SQL is ours, and to have it parsed takes milliseconds.
_READ = re.compile(rf"\b{DATASET}\.(\w+)")
_READS = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}


def query(
    warehouse: FolderWarehouse,
    sql: str,
    *,
    native: bool = False,
    parameters: Parameters | None = None,
    max_megabytes: int | None = None,
) -> pa.Table:
    """The rows that one query gives, in BigQuery's SQL or, if ``native``, in DuckDB's.

    ``parameters`` are values for its ``@names``, by name, and all of them. With ``max_megabytes`` this process takes
    no more memory than that from then on: it is for one query.
    Sees every file that was there when it began; one that a rebuild replaces meanwhile makes it begin again.
    Raises WarehouseError, duckdb.Error, NotASelectError, and sqlglot's errors for BigQuery's SQL.
    """
    statement = sql if native else duckdb_statement(sql, parameters)
    values = for_duckdb(parameters)
    if max_megabytes:
        pa.set_cpu_count(threads())
        pa.set_io_thread_count(threads())
    for _ in range(_ATTEMPTS):
        files = {table: _files(warehouse, table) for table in TABLES}
        try:
            with new_database() as connection:
                tree = _require_select(connection, statement)
                add_functions(connection, statement)
                _fill(connection, files, _needed(tree) or _ALL)
                if max_megabytes:
                    connection.execute(f"SET threads = {threads()}; SET memory_limit = '{max_megabytes}MiB'")
                    limit_address_space(max_megabytes)
                connection.execute("SET lock_configuration = true")
                return plain_numbers(connection.sql(statement, params=values).to_arrow_table())
        except (duckdb.Error, OSError) as error:
            if all(file.exists() for paths in files.values() for file in paths):
                raise
            vanished = error
    raise WarehouseError(f"The files of {warehouse.folder} cannot be read: {str(vanished).splitlines()[0]}")


def new_database() -> duckdb.DuckDBPyConnection:
    """A database in memory, and nothing in it."""
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
    return connection


def _fill(connection: duckdb.DuckDBPyConnection, files: dict[str, list[Path]], needed: set[str]) -> None:
    """Make those tables and views that are needed; a table without files is empty."""
    for table in TABLES:
        if table in needed:
            connection.register(f"{table}_rows", rows_of(table, files.get(table, [])))
            connection.execute(f"CREATE VIEW {table} AS FROM {table}_rows")
    for view in VIEWS:
        if view in needed:
            connection.execute(f"CREATE VIEW {view} AS {duckdb_view(view)}")
    for name in needed.intersection(_INFORMATION):
        view = _INFORMATION[name]
        connection.register(f"{name}_rows", information(view, columns()))
        connection.execute(f'CREATE VIEW "{view}" AS FROM "{name}_rows"')


def _needed(tree: Any) -> set[str]:
    """The tables and views that a query reads: to make them all takes as long as most queries.

    Where it names none of them, it may ask which there are.
    """
    needed: set[str] = set()
    names = {str(node["table_name"]).lower() for node in _nodes(tree, "BASE_TABLE")} & _ALL.union(_INFORMATION)
    while names:
        needed |= names
        names = {name for view in names.intersection(VIEWS) for name in _READ.findall(duckdb_view(view))} - needed
    return needed


def tables_of(connection: duckdb.DuckDBPyConnection, statement: str) -> set[str]:
    """The tables and views that a statement reads, itself or by a view: none where that is not to be seen."""
    return _needed(_tree(connection, statement))


def columns() -> dict[str, list[tuple[str, str]]]:
    """The columns of each table and view, each with its type in BigQuery's words."""
    with new_database() as connection:
        add_functions(connection, "")
        _fill(connection, {}, _ALL)
        described = {name: connection.execute(f"DESCRIBE {name}").fetchall() for name in (*TABLES, *VIEWS)}
    return {name: [(row[0], _in_bigquery(row[1])) for row in rows] for name, rows in described.items()}


def _in_bigquery(kind: str) -> str:
    from sqlglot import exp

    # Names of fields are in back-ticks where they are keywords of another SQL.
    return exp.DataType.build(kind, dialect="duckdb").sql("bigquery").replace("`", "")


def _files(warehouse: FolderWarehouse, table: str) -> list[Path]:
    return [file for month in warehouse.months(table) for file in warehouse.files(table, month)]


def rows_of(table: str, files: list[Path]) -> Any:
    schema = arrow_schema(table)
    if not files:
        return schema.empty_table()
    # The schema is given: files of before a column was added lack it.
    return pyarrow.dataset.dataset([str(file) for file in files], schema=schema, format="parquet")


def _require_select(connection: duckdb.DuckDBPyConnection, statement: str) -> Any:
    """Judge what DuckDB is going to run, by its own parser: one statement, a SELECT at every level. Returns its tree.

    Raises NotASelectError, and duckdb.Error where it is no SQL.
    """
    statements = connection.extract_statements(statement)
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT:
        tree = _tree(connection, statement)
        if not tree["error"] and _READS.issuperset(node["type"] for node in _nodes(tree, "_NODE")):
            return tree
    raise NotASelectError("Only one SELECT at a time: the warehouse is read-only here.")


def _tree(connection: duckdb.DuckDBPyConnection, statement: str) -> Any:
    """What DuckDB's parser makes of it, as JSON."""
    [(text,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchall()
    return json.loads(text)


def _nodes(tree: Any, kind: str) -> Iterator[dict[str, Any]]:
    """The nodes whose type ends so. A query's is SELECT_NODE, and COPY_QUERY_NODE where a COPY stands in its place."""
    if isinstance(tree, dict):
        if str(tree.get("type")).endswith(kind):
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part, kind)


def plain_numbers(table: pa.Table) -> pa.Table:
    """DuckDB's sums of whole numbers and fractions in a query are decimals; in BigQuery neither is."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            plain = pa.int64() if field.type.scale == 0 else pa.float64()
            table = table.set_column(index, field.name, table.column(index).cast(plain))
    return table
