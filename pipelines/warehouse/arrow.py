"""The tables' schemas as Arrow's, derived from the JSON that BigQuery is given."""

from functools import cache

import pyarrow as pa

from pipelines.tables import Field, table_schema

_TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INTEGER": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "FLOAT": pa.float64(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "DATETIME": pa.timestamp("us"),
}


@cache
def arrow_schema(table: str) -> pa.Schema:
    """A table's columns: TIMESTAMP in UTC, DATETIME naive, both to the microsecond; REQUIRED is not null."""
    return pa.schema(
        [pa.field(field["name"], _type(field), nullable=field["mode"] == "NULLABLE") for field in table_schema(table)]
    )


def _type(field: Field) -> pa.DataType:
    if field["type"] != "RECORD":
        return _TYPES[field["type"]]
    # Inside a list everything may be null: Arrow refuses to cast a nullable field of a struct to one that
    # is not, and the rebuild's columns come from Polars, where every field is nullable.
    return pa.list_(pa.struct([pa.field(inner["name"], _type(inner)) for inner in field["fields"]]))
