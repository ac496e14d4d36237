"""Views, questions and queries in DuckDB's SQL, remembered on disk.

To translate all of them takes a second and to load the translator a quarter of one, each time that a server starts. So
each translation is a file in the user's cache, in a folder named by all that it depends on: the SQL, the translator and
its version. Where nothing can be kept, everything is translated anew, as is a query that may name a person: what is
asked about somebody is kept nowhere.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from pipelines.lazily import version_of
from pipelines.querying.parameters import Parameters, kinds_of
from pipelines.querying.steps import Cut, Step
from pipelines.tables import TABLES, view_sql
from pipelines.tables.questions import parameters_of, question_sql

_PREFIX = "duckdb-"
# What decides about a translation, besides its SQL.
_MODULES = ("bigquery_sql.py", "cutting.py", "numbered.py", "steps.py", "functions.py", "information.py")
# Of queries, which are as many as people think of. The oldest make room.
_MOST_QUERIES = 200
# Texts that say nothing of a person: days, kinds and tables.
_HARMLESS = re.compile(rf"'(?:\d{{4}}-\d\d-\d\d|track|artist|album|{'|'.join(TABLES)})'")
_MAY_NAME_SOMEBODY = re.compile(r"""['"#]|--|/\*""")


def duckdb_statement(sql: str, parameters: Parameters | None = None) -> str:
    """A query in BigQuery's SQL, and its ``parameters``, of which only the types count.

    Raises what ``bigquery_sql.parse`` raises.
    """
    kinds = kinds_of(parameters)

    def translate() -> str:
        from pipelines.querying.bigquery_sql import parse, to_duckdb

        return to_duckdb(parse(sql), kinds)

    # Whoever has parameters has what is asked about in them.
    if not parameters and _MAY_NAME_SOMEBODY.search(_HARMLESS.sub("", sql)):
        return translate()
    key = hashlib.sha256(json.dumps([sql, kinds]).encode()).hexdigest()[:32]
    text: str = _remembered(f"query-{key}", translate, _MOST_QUERIES)
    return text


@cache
def duckdb_view(view: str) -> str:
    """A view's query."""

    def translate() -> str:
        from pipelines.querying.bigquery_sql import parse, to_duckdb

        return to_duckdb(parse(view_sql(view)))

    text: str = _remembered(f"view-{view}", translate)
    return text


@cache
def duckdb_question(question: str, empty: frozenset[str] = frozenset()) -> Cut:
    """A question, whose parameters ``empty`` are as ``bigquery_sql.duckdb_query`` says."""

    def translate() -> dict[str, Any]:
        from pipelines.querying.bigquery_sql import duckdb_query, parse
        from pipelines.querying.cutting import cut

        kinds = {name: parameter.kind for name, parameter in parameters_of(question).items()}
        return asdict(cut(duckdb_query(parse(question_sql(question)), kinds, empty)))

    made = _remembered("-".join(("question", question, *sorted(empty))), translate)
    *steps, last = (
        Step(step["sql"], tuple(step["parameters"]), tuple(step["reads"]), step["part"], tuple(step["names"]))
        for step in (*made["steps"], made["last"])
    )
    return Cut(tuple(steps), last, made["whole"], question)


@cache
def duckdb_numbered_view(view: str, *, is_of_one: bool) -> str:
    """A view's query for a database whose ``plays`` is a table of its own (``numbered``), maybe all of one listener."""

    def translate() -> str:
        from pipelines.querying.bigquery_sql import duckdb_query, parse
        from pipelines.querying.numbered import alone, by_number

        query = by_number(duckdb_query(parse(view_sql(view))), {"plays"}, {"user_id"} if is_of_one else ())
        return alone(query).sql(dialect="duckdb")

    text: str = _remembered(f"numbered-view-{view}{'-of-one' if is_of_one else ''}", translate)
    return text


def _remembered(name: str, translate: Callable[[], Any], most: int | None = None) -> Any:
    file = _folder() / f"{name}.json"
    with suppress(OSError, ValueError):
        return json.loads(file.read_text(encoding="utf-8"))
    made = translate()
    with suppress(OSError):
        _keep(file, json.dumps(made))
        if most:
            _make_room(file.parent, f"{name.partition('-')[0]}-*", most)
    return made


def _keep(file: Path, text: str) -> None:
    """Write a file whole or not at all; translations by other versions go when the first of this one comes."""
    if not file.parent.exists():
        for old in file.parent.parent.glob(f"{_PREFIX}*"):
            shutil.rmtree(old, ignore_errors=True)
        file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)  # the user's alone: 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_room(folder: Path, pattern: str, most: int) -> None:
    for old in sorted(folder.glob(pattern), key=lambda file: file.stat().st_mtime)[:-most]:
        old.unlink(missing_ok=True)


def _folder() -> Path:
    return user_cache_path("heavy-rotation", appauthor=False) / f"{_PREFIX}{_version()}"


@cache
def _version() -> str:
    """Another text where any translation may be another one."""
    here = Path(__file__).parent
    # Files as they are: to put views and questions together from them takes five times as long as to read them.
    tables = here.parent / "tables"
    files = [*(here / module for module in _MODULES), *sorted(tables.rglob("*.sql")), *sorted(tables.rglob("*.py"))]
    digest = hashlib.sha256(version_of("sqlglot").encode())
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
