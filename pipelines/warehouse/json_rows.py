"""Rows as BigQuery's JSON, the same for inserts and for load jobs.

A TIMESTAMP has its offset, a DATETIME has no zone, a DATE is a day, all in RFC 3339's form and to the millisecond that
the pipelines know; BYTES are base64. https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json
"""

import base64
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]


def to_line(row: Row) -> bytes:
    """A row of native Python values, as ``Play.to_row`` makes them, as one line without its end."""
    return orjson.dumps(row, default=_base64, option=orjson.OPT_UTC_Z)


def to_json(row: Row) -> Row:
    """The same with values that JSON has."""
    values: Row = orjson.loads(to_line(row))
    return values


def to_lines(table: str, rows: "pl.DataFrame") -> bytes:
    """Rows of a table, each as a line. For many: Polars writes a million a second."""
    from pipelines.warehouse.arrow import arrow_schema

    return rows.select(arrow_schema(table).names).write_ndjson().encode()


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
