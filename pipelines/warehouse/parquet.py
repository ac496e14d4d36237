"""Rows of a table as a Parquet file's bytes, in the table's columns and types, whoever has them in what form."""

import io
from functools import cache

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.warehouse.arrow import arrow_schema


def to_parquet(table: str, rows: pa.Table | pl.DataFrame) -> memoryview:
    """Raises ValueError for rows that the schema does not allow. Those that are ``typed`` are written as they are."""
    return _of_polars(table, rows) if isinstance(rows, pl.DataFrame) else _of_arrow(table, rows)


def _of_arrow(table: str, rows: pa.Table) -> memoryview:
    schema, buffer = arrow_schema(table), pa.BufferOutputStream()
    pq.write_table(rows.select(schema.names).cast(schema), buffer, compression="zstd")
    return memoryview(buffer.getvalue())


def typed(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The table's columns alone, in its order and types: for many files' rows at once, rather than for each file's."""
    types = _types(table)
    return rows if rows.schema == types else rows.select(pl.col(name).cast(kind) for name, kind in types.items())


def _of_polars(table: str, rows: pl.DataFrame) -> memoryview:
    """Polars writes its own columns in two thirds of the time, and four fifths of the size; to it all may be null."""
    rows = typed(table, rows)
    for field in arrow_schema(table):
        if not field.nullable and rows[field.name].null_count():
            raise ValueError(f"{table}.{field.name} may not be null")
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=1)
    return buffer.getbuffer()


@cache
def _types(table: str) -> pl.Schema:
    empty = pl.from_arrow(arrow_schema(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty.schema
