"""INFORMATION_SCHEMA of a local warehouse: which tables and columns there are, as BigQuery tells it.

What a folder does not know is left out: when a table was made, its DDL, its storage. There is one project, ``local``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.tables import DATASET, TABLES, VIEWS, table_layout, table_schema

TABLES_VIEW, COLUMNS_VIEW = "INFORMATION_SCHEMA.TABLES", "INFORMATION_SCHEMA.COLUMNS"
_PROJECT = "local"
_Fields = list[tuple[str, pa.DataType]]
_PLACE: _Fields = [("table_catalog", pa.string()), ("table_schema", pa.string()), ("table_name", pa.string())]
_OF_TABLE: _Fields = [("table_type", pa.string()), ("is_insertable_into", pa.string()), ("is_typed", pa.string())]
_OF_COLUMN: _Fields = [
    ("column_name", pa.string()),
    ("ordinal_position", pa.int64()),
    ("is_nullable", pa.string()),
    ("data_type", pa.string()),
    ("is_partitioning_column", pa.string()),
    ("clustering_ordinal_position", pa.int64()),
]
_TABLES = pa.schema([*_PLACE, *_OF_TABLE])
_COLUMNS = pa.schema([*_PLACE, *_OF_COLUMN])
Columns = Mapping[str, Sequence[tuple[str, str]]]


def information(view: str, columns: Columns) -> pa.Table:
    """The rows of one of the two views; ``columns`` has name and BigQuery's type of each column, by table and view."""
    if view == TABLES_VIEW:
        return pa.Table.from_pylist(list(_tables()), schema=_TABLES)
    return pa.Table.from_pylist(list(_columns(columns)), schema=_COLUMNS)


def _tables() -> Iterator[dict[str, Any]]:
    for name in (*TABLES, *VIEWS):
        yield {
            "table_catalog": _PROJECT,
            "table_schema": DATASET,
            "table_name": name,
            "table_type": "BASE TABLE" if name in TABLES else "VIEW",
            "is_insertable_into": "YES" if name in TABLES else "NO",
            "is_typed": "NO",
        }


def _columns(columns: Columns) -> Iterator[dict[str, Any]]:
    for table, named in columns.items():
        modes = {field["name"]: field["mode"] for field in table_schema(table)} if table in TABLES else {}
        layout = table_layout(table) if table in TABLES else {}
        keys = layout.get("clustering", {}).get("fields", [])
        for position, (name, kind) in enumerate(named, start=1):
            yield {
                "table_catalog": _PROJECT,
                "table_schema": DATASET,
                "table_name": table,
                "column_name": name,
                "ordinal_position": position,
                "is_nullable": "YES" if modes.get(name, "NULLABLE") == "NULLABLE" else "NO",
                "data_type": kind,
                "is_partitioning_column": "YES" if layout.get("timePartitioning", {}).get("field") == name else "NO",
                "clustering_ordinal_position": keys.index(name) + 1 if name in keys else None,
            }
