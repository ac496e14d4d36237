"""The local warehouse, asked in SQL: DuckDB in memory over the Parquet files.

It reads the warehouse's files and nothing else: no network, no extensions, nothing written, not even where
a query needs more memory than there is.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from pipelines.querying.bigquery_sql import MACROS, NotASelectError, parse, to_duckdb
from pipelines.tables import DATASET, TABLES, VIEWS, Field, table_schema, view_sql
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError

_ATTEMPTS = 10
_TYPES = {
    "INTEGER": "BIGINT",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATETIME": "TIMESTAMP",
}
_READS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


def query(
    warehouse: FolderWarehouse, sql: str, *, native: bool = False, parameters: Mapping[str, object] | None = None
) -> pa.Table:
    """The rows that one query gives, in BigQuery's SQL or, if ``native``, in DuckDB's.

    ``parameters`` are values for its ``@names``, by name, and all of them.
    Sees every file that was there when it began; one that a rebuild replaces meanwhile makes it begin again.
    Raises WarehouseError, duckdb.Error, NotASelectError, and sqlglot's errors for BigQuery's SQL.
    """
    statement = _reading(sql) if native else to_duckdb(parse(sql))
    for _ in range(_ATTEMPTS):
        try:
            with connect(warehouse) as connection:
                return _plain_numbers(connection.sql(statement, params=parameters).to_arrow_table())
        except duckdb.IOException as error:
            vanished = error
    raise WarehouseError(f"The files of {warehouse.folder} cannot be read: {str(vanished).splitlines()[0]}")


def connect(warehouse: FolderWarehouse | None) -> duckdb.DuckDBPyConnection:
    """A database with the tables and views, empty ones without a warehouse. The caller closes it."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": "",
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    if warehouse is not None:
        connection.execute(f"SET allowed_directories = [{_quoted(warehouse.folder.resolve())}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    connection.execute(f"CREATE SCHEMA {DATASET}; USE {DATASET}")
    for macro in MACROS:
        connection.execute(macro)
    for table in TABLES:
        connection.execute(_create(table, _files(warehouse, table) if warehouse else []))
    for view in VIEWS:
        connection.execute(f"CREATE VIEW {view} AS {_view(view)}")
    return connection


@cache
def _view(view: str) -> str:
    return to_duckdb(parse(view_sql(view)))


def columns(name: str) -> list[tuple[str, str]]:
    """The columns of a table or view, each with its type in BigQuery's words."""
    with connect(None) as connection:
        described = connection.execute(f"DESCRIBE {name}").fetchall()
    return [(row[0], _in_bigquery(row[1])) for row in described]


def _in_bigquery(kind: str) -> str:
    return exp.DataType.build(kind, dialect="duckdb").sql("bigquery")


def _files(warehouse: FolderWarehouse, table: str) -> list[Path]:
    return [file for month in warehouse.months(table) for file in warehouse.files(table, month)]


def _create(table: str, files: list[Path]) -> str:
    if files:
        paths = ", ".join(_quoted(file.resolve()) for file in files)
        # The folders' names look like Hive's partitions, which would overwrite the column "month".
        rows = f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
        # Files of before a column was added lack it; so it comes from here.
        nothing = f"SELECT NULL::STRUCT({_columns(table_schema(table))}) AS row LIMIT 0"
        return f"CREATE VIEW {table} AS SELECT row.* FROM ({nothing}) UNION ALL BY NAME FROM {rows}"  # noqa: S608
    return f"CREATE TABLE {table} ({_columns(table_schema(table))})"


def _columns(fields: list[Field]) -> str:
    return ", ".join(f'"{field["name"]}" {_type(field)}' for field in fields)


def _type(field: Field) -> str:
    if field["type"] == "RECORD":
        return f"STRUCT({_columns(field['fields'])})[]"
    kind: str = field["type"]
    return _TYPES.get(kind, kind)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _reading(sql: str) -> str:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in _READS:
        raise NotASelectError("Only one SELECT at a time: the warehouse is read-only here.")
    return sql


def _plain_numbers(table: pa.Table) -> pa.Table:
    """DuckDB's sums of whole numbers and fractions in a query are decimals; in BigQuery neither is."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            plain = pa.int64() if field.type.scale == 0 else pa.float64()
            table = table.set_column(index, field.name, table.column(index).cast(plain))
    return table
