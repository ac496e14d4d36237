"""Views over tables whose rows have numbers, as a database's own have and views of files have not: the same, sooner.

Most of it goes into carrying whole rows about while the newest of each group is sought, and into numbering and choosing
where there is nothing to choose from. These are rewrites of what the views say, which know nothing of what it means.
"""

from collections.abc import Collection

from sqlglot import exp

from pipelines.tables import DATASET

# Columns without NULL.
_NEWEST = ["ingested_at", "played_at"]


def by_number(query: exp.Query, tables: Collection[str], same: Collection[str] = ()) -> exp.Query:
    """Let a query for DuckDB, where it takes the first row of each group of one of ``tables``, seek that row's number.

    Columns of the tables that are the ``same`` in all rows decide nothing.
    """
    tree = query.copy()
    for first in list(tree.find_all(exp.First)):
        select = first.parent_select
        assert select is not None
        table, order = select.args["from_"].this, first.this
        if not isinstance(table, exp.Table) or table.db != DATASET or table.name not in tables:
            continue
        chosen = exp.select(_number([one.copy() for one in order.expressions if one.this.name not in same]))
        chosen = chosen.from_(table.copy())
        for clause in ("where", "group"):
            chosen.set(clause, select.args.get(clause))
            select.set(clause, None)
        first.replace(order.this)
        select.where(exp.column("rowid").isin(query=chosen), copy=False)
    return tree


def _number(order: list[exp.Expr]) -> exp.Expr:
    """The number of a group's first row. DuckDB makes a text of what it orders each row by, unless that is a number."""
    rowid = exp.column("rowid")
    if [one.this.name for one in order if one.args.get("desc")] != _NEWEST or len(order) > len(_NEWEST):
        return exp.First(this=exp.Order(this=rowid, expressions=order))
    ingested_at, played_at = (exp.func("EPOCH_US", one.this) for one in order)
    newest = exp.cast(ingested_at, "INT128") * exp.Literal.number(2**63 - 1) + played_at
    return exp.ArgMax(this=rowid, expression=newest)


def alone(query: exp.Query) -> exp.Query:
    """Spare groups of one row the numbering of rows and the choice of values: a column is what the row says.

    That is for ``SELECT key, ANY_VALUE(x HAVING MIN …) … FROM placed GROUP BY key HAVING …``, with ``placed`` as
    ``SELECT *, ROW_NUMBER() OVER (PARTITION BY key …) AS place FROM told``; a query of another form stays as it is.
    """
    tree = query.copy()
    placed = next((table.this for table in tree.ctes if table.alias == "placed"), None)
    if placed is None or placed.args.get("joins"):
        return query
    if not isinstance(tree, exp.Select) or tree.args["from_"].this.name != "placed":
        return query
    [key] = tree.args["group"].expressions
    several = exp.select(key).from_("told").group_by(key).having("COUNT(*) > 1")
    is_one_of_several = key.isin(query=exp.select(key).from_("several"))

    rows = tree.copy()
    for clause in ("with_", "group", "having"):
        rows.set(clause, None)
    for value in list(rows.find_all(exp.AnyValue)):
        said, place = value.this.this, value.this.expression
        for column in place.find_all(exp.Column):
            if column.name == "place":
                column.replace(exp.paren(said))
        is_null = exp.Is(this=said.copy(), expression=exp.null())
        value.replace(said if isinstance(place, exp.If) and place.this == is_null else place)
    rows = rows.from_("told").where(is_one_of_several.not_())
    rows = exp.select("*").from_(rows.subquery("told")).where(tree.args["having"].this)

    tables = tree.args["with_"]
    tree.set("with_", None)
    placed.where(is_one_of_several, copy=False)
    tables.expressions.insert(-1, exp.CTE(this=several, alias=exp.TableAlias(this=exp.to_identifier("several"))))
    both = exp.union(tree, rows, distinct=False)
    both.set("with_", tables)
    return both
