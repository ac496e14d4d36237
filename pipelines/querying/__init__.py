"""Asking a warehouse in BigQuery's SQL: by DuckDB for a folder, and how an answer is printed."""

FORMATS = ("table", "csv", "json")
