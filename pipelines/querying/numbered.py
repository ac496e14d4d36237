"""Views over tables whose rows have numbers, as a database's own have and views of files have not: the same rows in less
time, rewritten from what the views say.

Most of it goes into carrying whole rows about while the newest of each group is sought, and into numbering and choosing
where there is nothing to choose from.
"""

from collections.abc import Collection

from sqlglot import exp

from pipelines.tables import DATASET


def by_number(query: exp.Query, tables: Collection[str]) -> exp.Query:
    """Let a query for DuckDB, where it takes the first row of each group of one of ``tables``, seek that row's number."""
    tree = query.copy()
    for first in list(tree.find_all(exp.First)):
        select = first.parent_select
        assert select is not None
        table, order = select.args["from_"].this, first.this
        if not isinstance(table, exp.Table) or table.db != DATASET or table.name not in tables:
            continue
        number = exp.First(this=exp.Order(this=exp.column("rowid"), expressions=[e.copy() for e in order.expressions]))
        chosen = exp.select(number).from_(table.copy())
        for clause in ("where", "group"):
            chosen.set(clause, select.args.get(clause))
            select.set(clause, None)
        first.replace(order.this)
        select.where(exp.column("rowid").isin(query=chosen), copy=False)
    return tree


def alone(query: exp.Query) -> exp.Query:
    """Spare groups of one row the numbering of rows and the choice of values: a column is what the row says.

    That is for ``SELECT key, ANY_VALUE(x HAVING MIN …) … FROM placed GROUP BY key HAVING …``, with ``placed`` as ``SELECT
    *, ROW_NUMBER() OVER (PARTITION BY key …) AS place FROM told``; a query of another form stays as it is.
    """
    tree = query.copy()
    placed = next((table.this for table in tree.ctes if table.alias == "placed"), None)
    if tree.args["from_"].this.name != "placed" or not placed or placed.args.get("joins"):
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
        value.replace(place)
    rows = rows.from_("told").where(is_one_of_several.not_())
    rows = exp.select("*").from_(rows.subquery("told")).where(tree.args["having"].this)

    clause = tree.args["with_"]
    tree.set("with_", None)
    placed.where(is_one_of_several, copy=False)
    clause.expressions.insert(-1, exp.CTE(this=several, alias=exp.TableAlias(this=exp.to_identifier("several"))))
    both = exp.union(tree, rows, distinct=False)
    both.set("with_", clause)
    return both
