"""Values for a query's ``@names``: which of BigQuery's types each is."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

Value = str | int | date | datetime | None | tuple[str, ...] | tuple[date, ...]
Parameters = Mapping[str, Value]


def kinds_of(parameters: Parameters | None) -> dict[str, str]:
    """The types that the values themselves tell; an empty array is one of strings."""
    return {name: _kind_of(value) for name, value in (parameters or {}).items()}


def _kind_of(value: Value) -> str:
    if isinstance(value, tuple):
        return f"ARRAY<{_kind_of(value[0]) if value else 'STRING'}>"
    if isinstance(value, datetime):
        return "TIMESTAMP" if value.tzinfo else "DATETIME"
    if isinstance(value, date):
        return "DATE"
    return "INT64" if isinstance(value, int) else "STRING"


def for_duckdb(parameters: Parameters | None) -> dict[str, object] | None:
    """The values as DuckDB's client takes them; None for none at all."""
    if not parameters:
        return None
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}


def for_bigquery(parameters: Parameters, kinds: Mapping[str, str]) -> list[Any]:
    """The values as BigQuery's client takes them. ``kinds`` has the type of each."""
    from google.cloud import bigquery

    return [
        bigquery.ArrayQueryParameter(name, kinds[name][len("ARRAY<") : -1], list(value))
        if isinstance(value, tuple)
        else bigquery.ScalarQueryParameter(name, kinds[name], value)
        for name, value in parameters.items()
    ]
