"""A question in DuckDB's SQL, cut where questions are alike: what many of them compute first, and what is left.

The parts of questions (``pipelines.tables.questions``) are the same text in all of them, and in the same one twice,
for a span and an earlier one. So a part is written here in one form, whatever its names and parameters are called
where it stands, and who keeps what it gave has it for all.
"""

from collections.abc import Collection, Iterator, Mapping

from sqlglot import exp

from pipelines.querying.steps import Cut, Step
from pipelines.tables.questions import PREFIX

# What is worth keeping of the parts: each is read several times, in one question or by several.
KEPT = frozenset(
    {
        "span",
        "credits",
        "ranked",
        "known",
        "since",
        "different",
        "plays_of_item",
        "chosen",
        "matching",
        "told_by_plays",
        "told_by_sources",
        "every_play",
        "holding",
        "days_played",
        "in_tens",
    }
)


def cut(query: exp.Query, kept: Collection[str] = KEPT) -> Cut:
    """Cut a query for DuckDB (``bigquery_sql.duckdb_query``) at those of its common tables that are ``kept``."""
    clause = query.args.get("with_")
    tables: dict[str, exp.Expr] = {table.alias: table.this for table in clause.expressions} if clause else {}
    main = query.copy()
    main.set("with_", None)
    numbers: dict[str, int] = {}
    steps: list[Step] = []
    for name, body in tables.items():
        if _bare(name) in kept:
            steps.append(_step(body, tables, numbers, part=_bare(name)))
            numbers[name] = len(steps) - 1
    return Cut(tuple(steps), _step(main, tables, numbers), query.sql(dialect="duckdb"))


def _step(body: exp.Expr, tables: Mapping[str, exp.Expr], numbers: Mapping[str, int], part: str = "") -> Step:
    """``body`` with those tables before it that it needs; a ``part`` in the one form that it has everywhere."""
    needed = set(_needed(body, tables, numbers))
    tree = body.copy()
    assert isinstance(tree, exp.Query)
    for name, table in tables.items():
        if name in needed and name not in numbers:
            tree = tree.with_(name, as_=table.copy(), copy=False)
    if part:
        # A column that is called as a table is has lost its prefix, too: nobody asks for one.
        for identifier in tree.find_all(exp.Identifier):
            if identifier.name in tables:
                identifier.set("this", _bare(identifier.name))
        numbers = {**numbers, **{_bare(name): numbers[name] for name in needed if name in numbers}}
    reads: dict[int, None] = {}
    for table in list(tree.find_all(exp.Table)):
        if not table.db and table.name in numbers:
            number = numbers[table.name]
            place = list(reads).index(number) if number in reads else len(reads)
            reads[number] = None
            table.replace(exp.to_table(f"kept_{place}", alias=table.alias or table.name))
    parameters: dict[str, None] = dict.fromkeys(parameter.name for parameter in tree.find_all(exp.Parameter))
    places = {name: f"p{place}" for place, name in enumerate(parameters)}
    for parameter in tree.find_all(exp.Parameter):
        parameter.set("this", exp.to_identifier(places[parameter.name]))
    return Step(tree.sql(dialect="duckdb"), tuple(parameters), tuple(reads), part, tuple(map(_bare, parameters)))


def _needed(body: exp.Expr, tables: Mapping[str, exp.Expr], numbers: Mapping[str, int]) -> Iterator[str]:
    """The common tables that a query reads, and those that these read, as far as they have no number."""
    for table in body.find_all(exp.Table):
        if not table.db and table.name in tables:
            yield table.name
            if table.name not in numbers:
                yield from _needed(tables[table.name], tables, numbers)


def _bare(name: str) -> str:
    return name.removeprefix(PREFIX)
