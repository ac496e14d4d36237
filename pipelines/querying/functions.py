"""Functions of BigQuery's that DuckDB lacks, or has by the same name with another meaning."""

import codecs
import unicodedata
from typing import Literal

import duckdb

MACROS = (
    # BigQuery rounds halves away from zero, DuckDB to the even number.
    "CREATE MACRO to_int64(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') "
    "THEN CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT) ELSE CAST(x AS BIGINT) END",
    # Bytes are UTF-8, and DuckDB spells them out; a number has no zeros at its end. Bytes are got from their spelling,
    # since a cast to BLOB does not bind for all of the types that come here.
    "CREATE MACRO to_text(x) AS CASE WHEN typeof(x) = 'BLOB' THEN decode(TRY_CAST(CAST(x AS VARCHAR) AS BLOB)) "
    "WHEN typeof(x) IN ('DOUBLE', 'FLOAT') OR starts_with(typeof(x), 'DECIMAL') "
    r"THEN regexp_replace(CAST(x AS VARCHAR), '(\.\d*[1-9])0+$|\.0+$', '\1') ELSE CAST(x AS VARCHAR) END",
    "CREATE MACRO to_bytes(x) AS CASE WHEN typeof(x) = 'BLOB' THEN TRY_CAST(CAST(x AS VARCHAR) AS BLOB) "
    "ELSE encode(CAST(x AS VARCHAR)) END",
    "CREATE MACRO ieee_divide(x, y) AS CAST(x AS DOUBLE) / y",
    # Exact, which is within what APPROX_ promises. Equal counts by value: the answer is always the same.
    "CREATE MACRO approx_top_count(x, n) AS list_transform(list_sort(list_transform(map_entries("
    "histogram(x)), lambda e: {'c': -CAST(e.value AS BIGINT), 'v': e.key}))[1:n], "
    "lambda e: {'value': e.v, 'count': -e.c})",
)
# A text of ASCII, as most names are, has one form, and costs a hundredth of a call of Python.
_NORMALIZE = """CREATE MACRO normalize_text(x, form, is_casefold) AS CASE
WHEN strlen(x) <> length(x) THEN normalize_any(x, form, is_casefold) WHEN is_casefold THEN lower(x) ELSE x END"""
NORMAL_FORMS = ("NFC", "NFKC", "NFD", "NFKD")


def add_functions(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Make the macros, and those functions of Python that a statement may call: they take a third of a second."""
    for macro in MACROS:
        connection.execute(macro)
    called = statement.lower()
    if "normalize_text" in called:
        connection.create_function("normalize_any", _normalize, ["VARCHAR", "VARCHAR", "BOOLEAN"], "VARCHAR")
        connection.execute(_NORMALIZE)
    if "safe_convert_bytes_to_string" in called:
        connection.create_function("safe_convert_bytes_to_string", _decode, ["BLOB"], "VARCHAR")


def _normalize(text: str, form: Literal["NFC", "NFKC", "NFD", "NFKD"], is_casefold: bool) -> str:
    """``text`` in one of NORMAL_FORMS, without case if wanted."""
    if is_casefold:
        text = unicodedata.normalize(form, text).casefold()
    return unicodedata.normalize(form, text)


def _decode(data: bytes) -> str:
    """UTF-8; each byte that is part of no character becomes U+FFFD. Python has one for several."""
    return data.decode(errors="heavy_rotation.each")


def _each(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("heavy_rotation.each", _each)
