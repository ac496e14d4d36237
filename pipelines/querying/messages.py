"""What went wrong with a query, in BigQuery's words: one line, and where in the text as [line:column]."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

import duckdb
import sqlglot
from sqlglot import Tokenizer, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import Token

_TABLE = re.compile(r"Table with name (\S+) does not exist")
_FUNCTION = re.compile(r"Function with name (\S+) does not exist")
_COLUMN = re.compile(r'Referenced column "([^"]+)" not found|Referenced table "([^"]+)" not found')
_INSIDE = re.compile(r'Values list "([^"]+)" does not have a column named "([^"]+)"')
_UNGROUPED = re.compile(r'column "([^"]+)" must appear in the GROUP BY')
_SIGNATURE = re.compile(r"No function matches the given name and argument types '(\w+)\(")


def tables_in(sql: str, known: Iterable[str]) -> list[str]:
    """Those of the known tables and views that a query reads from; none where that cannot be told."""
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except SqlglotError:
        return []
    named = {table.name.lower() for table in tree.find_all(exp.Table)}
    return [table for table in known if table in named]


def explain(error: Exception, sql: str, columns: list[str], tables: list[str]) -> str:
    """The message for an error of ``duck.query``; ``columns`` and ``tables`` can have been meant."""
    if isinstance(error, ParseError):
        return _syntax_error(error, sql)
    if isinstance(error, TokenError):
        return "Syntax error: Unclosed string literal or name"
    if not isinstance(error, duckdb.Error):
        return str(error)
    text = str(error)
    if match := _TABLE.search(text):
        name = match[1].strip("\"!'")
        return f"Table not found: {name}{_did_you_mean(name, tables)}{_at(sql, name)}"
    if match := _FUNCTION.search(text):
        name = match[1].strip("\"!'")
        return f"Function not found: {name}{_at(sql, name)}"
    if match := _INSIDE.search(text):
        return f"Name {match[2]} not found inside {match[1]}{_at(sql, match[2])}"
    if match := _COLUMN.search(text):
        name = match[1] or match[2]
        return f"Unrecognized name: {name}{_did_you_mean(name, columns)}{_at(sql, name)}"
    if match := _UNGROUPED.search(text):
        what = f"SELECT list expression references column {match[1]} which is neither grouped nor aggregated"
        return what + _at(sql, match[1])
    if match := _SIGNATURE.search(text):
        return f"No matching signature for function {match[1].upper()}{_at(sql, match[1])}"
    if "could not convert blob to UTF8" in text:
        return "Invalid cast of bytes to UTF8 string"
    # "Conversion Error: Could not convert ...", and below it the query as DuckDB was given it
    return text.splitlines()[0].partition(" Error: ")[2] or text.splitlines()[0]


def hint_about_months(sql: str) -> str:
    """What is wrong with how a month is written in the query, or nothing: it is a date, a month's first day."""
    if match := re.search(r"\bmonth\s*[<>!=]+\s*(\d{4}-\d\d)(-\d\d)?\b", sql, re.IGNORECASE):
        return f"a month wants quotes, and its first day: '{match[1]}-01'"
    if match := re.search(r"\bmonth\s*=\s*['\"](\d{4}-\d\d)(-(?!01)\d\d)?['\"]", sql, re.IGNORECASE):
        return f"a month is its first day: '{match[1]}-01'"
    return ""


def _did_you_mean(name: str, known: list[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1)
    return f"; Did you mean {close[0]}?" if close else ""


def _at(sql: str, name: str) -> str:
    """Where the name stands first; nothing if it is not in the query but in a view, say."""
    for token in _tokens(sql):
        if token.text.lower() == name.lower():
            return _place(sql, token)
    return ""


def _place(sql: str, token: Token) -> str:
    return f" at [{sql.count(chr(10), 0, token.start) + 1}:{token.start - sql.rfind(chr(10), 0, token.start)}]"


def _tokens(sql: str) -> list[Token]:
    tokens: list[Token] = Tokenizer(dialect="bigquery").tokenize(sql)
    return tokens


def _syntax_error(error: ParseError, sql: str) -> str:
    """sqlglot points at the token it does not want, or at the last one before what it misses."""
    where, tokens = error.errors[0], _tokens(sql)
    place = where.get("line"), where.get("col")
    index = next((n for n, token in enumerate(tokens) if (token.line, token.col) == place), len(tokens))
    if not str(where.get("description")).startswith("Invalid expression"):
        index += 1
    if index >= len(tokens):
        return "Syntax error: Unexpected end of statement"
    token = tokens[index]
    named = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
    kind = "identifier " if named else "keyword " if token.text.isalpha() else ""
    text = token.text.upper() if kind == "keyword " else f'"{token.text}"'
    return f"Syntax error: Unexpected {kind}{text}{_place(sql, token)}"
