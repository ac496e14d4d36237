"""BigQuery SQL to DuckDB SQL. sqlglot does nearly all of it; here is what it leaves different.

Each rewrite of the tree says what would come out otherwise. tests/warehouse holds both sides equal to
Google's own executor.
"""

import re
from collections.abc import Callable, Collection, Mapping

import sqlglot
from sqlglot import exp

from pipelines.querying.functions import NORMAL_FORMS
from pipelines.querying.information import COLUMNS_VIEW, TABLES_VIEW
from pipelines.querying.refused import NotASelectError, UnknownPartError
from pipelines.tables import DATASET, TABLES, VIEWS, table_schema

_INSTANTS = {
    column["name"]
    for table in TABLES
    for field in table_schema(table)
    for column in (field, *field.get("fields", ()))
    if column["type"] in ("TIMESTAMP", "DATETIME")
}
# What EXTRACT takes. sqlglot writes a part out as it stands, whatever it is.
_PARTS = {
    *("YEAR", "ISOYEAR", "QUARTER", "MONTH", "WEEK", "WEEK(SUNDAY)", "WEEK(MONDAY)", "ISOWEEK", "DAY"),
    *("DAYOFYEAR", "DAYOFWEEK", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "DATE", "TIME", "DATETIME"),
}


def parse(sql: str) -> exp.Query:
    """The one query in ``sql``.

    Raises sqlglot's ParseError and TokenError, NotASelectError and UnknownPartError.
    """
    statements = [statement for statement in sqlglot.parse(sql, read="bigquery") if statement is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise NotASelectError("Only one SELECT at a time: the warehouse is read-only here.")
    _check_parts(statements[0])
    return statements[0]


def _check_parts(query: exp.Query) -> None:
    """Between back-ticks anything may stand, the end of the statement and the beginning of another too."""
    extracted = [node.this.sql("bigquery").upper() for node in query.find_all(exp.Extract)]
    unknown = [part for part in extracted if part not in _PARTS]
    unknown += [node.name for node in query.find_all(exp.Var) if not re.fullmatch(r"\w+", node.name)]
    if unknown:
        raise UnknownPartError(f"A valid date part name is required but found {unknown[0]}")


def to_duckdb(query: exp.Query, kinds: Mapping[str, str] | None = None, empty: Collection[str] = ()) -> str:
    """The text of ``duckdb_query``."""
    return duckdb_query(query, kinds, empty).sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def duckdb_query(query: exp.Query, kinds: Mapping[str, str] | None = None, empty: Collection[str] = ()) -> exp.Query:
    """The query for DuckDB; ``query`` itself stays as it is.

    ``kinds`` are the BigQuery types of its parameters, ``empty`` those that are arrays without an
    element, or upper bounds that nothing reaches.
    """
    tree = query.copy()
    for membership in list(tree.find_all(exp.In)):
        if (array := _parameter_of(membership)) is not None and array.name in empty:
            membership.replace(exp.false())
    for comparison in list(tree.find_all(exp.LT)):
        if isinstance(comparison.expression, exp.Parameter) and comparison.expression.name in empty:
            _hold(comparison)
    _name_columns(tree)
    for node in reversed(list(tree.walk())):  # what is inside first: a rewrite copies it
        rewrite = _REWRITES.get(type(node))
        if rewrite is not None:
            replacement = rewrite(node)
            if replacement is not node:
                node.replace(replacement)
    for parameter in list(tree.find_all(exp.Parameter)):  # DuckDB cannot tell what an empty list is a list of
        if kind := (kinds or {}).get(parameter.name):
            parameter.replace(exp.cast(parameter.copy(), exp.DataType.build(kind, dialect="bigquery")))
    return tree


def _hold(condition: exp.Expr) -> None:
    """Leave out what is decided by a condition that holds."""
    while isinstance(condition.parent, exp.Or | exp.Paren):
        condition = condition.parent
    both = condition.parent
    if isinstance(both, exp.And):
        both.replace(both.left if both.right is condition else both.right)
    else:
        condition.replace(exp.true())


def _name_columns(query: exp.Query) -> None:
    """Columns without a name are f0_, f1_ in BigQuery, and their expression in DuckDB."""
    unnamed = 0
    select = query
    while isinstance(select, exp.SetOperation | exp.Subquery):
        select = select.this
    for projection in list(select.selects):
        if isinstance(projection, exp.Alias | exp.Column) or projection.is_star:
            continue
        name = projection.output_name if isinstance(projection, exp.Dot) else ""
        if not name:
            name = f"f{unnamed}_"
            unnamed += 1
        projection.replace(exp.alias_(projection.copy(), name, quoted=True))


def _table(table: exp.Table) -> exp.Expr:
    """`project.heavy_rotation.plays` is heavy_rotation.plays: there is one project here."""
    known = (*TABLES, *VIEWS, TABLES_VIEW, COLUMNS_VIEW)
    if table.catalog and table.db.lower() == DATASET and table.name in known:
        table.set("catalog", None)
    return table


def _as_date(node: exp.Expr) -> exp.Expr:
    """DuckDB makes a TIMESTAMP of a DATE that it truncates or adds to."""
    inside = node.this
    if isinstance(inside, exp.TimestampTrunc | exp.CurrentTimestamp | exp.Timestamp | exp.Datetime) or (
        isinstance(inside, exp.Column) and inside.name in _INSTANTS
    ):
        return node  # BigQuery takes these too, and gives back what it took
    return exp.cast(node.copy(), "DATE")


def _as_timestamp(node: exp.Expr) -> exp.Expr:
    """DuckDB answers with a time without a zone, which compares with none that has one."""
    return exp.cast(node.copy(), exp.DataType.Type.TIMESTAMPTZ)


def _cast(node: exp.Cast) -> exp.Expr:
    """See the macros."""
    if node.is_type(exp.DataType.Type.BIGINT):
        return exp.Anonymous(this="TO_INT64", expressions=[node.this.copy()])
    macro = {exp.DataType.Type.TEXT: "TO_TEXT", exp.DataType.Type.BINARY: "TO_BYTES"}.get(node.to.this)
    if not macro or node.args.get("format"):
        return node
    return exp.Anonymous(this=macro, expressions=[node.this.copy()])


def _safe_cast(node: exp.TryCast) -> exp.Expr:
    """Nothing where bytes are no UTF-8. DuckDB's TRY takes no query."""
    macro = _cast(node)
    if macro is node or node.is_type(exp.DataType.Type.BIGINT) or node.this.find(exp.Query):
        return node
    return exp.Anonymous(this="TRY", expressions=[macro])


def _normalize(node: exp.Normalize) -> exp.Expr:
    """DuckDB knows one of the forms."""
    form = node.args.get("form")
    name = form.name.upper() if form else NORMAL_FORMS[0]
    if name not in NORMAL_FORMS:
        raise UnknownPartError(f"Argument is not a valid NORMALIZE mode: {name}")
    folded = exp.Boolean(this=bool(node.args.get("is_casefold")))
    return exp.Anonymous(this="NORMALIZE_TEXT", expressions=[node.this.copy(), exp.Literal.string(name), folded])


def _array_agg(node: exp.ArrayAgg) -> exp.Expr:
    """DuckDB knows no LIMIT inside ARRAY_AGG: the first of the list are the same."""
    if not isinstance(node.this, exp.Limit):
        return node
    return _first_of(node.this, without_nulls=isinstance(node.parent, exp.IgnoreNulls))


def _first_of(limit: exp.Limit, *, without_nulls: bool) -> exp.Expr:
    whole: exp.Expr = exp.ArrayAgg(this=limit.this.copy())
    if without_nulls:
        whole = exp.IgnoreNulls(this=whole)
    return exp.Anonymous(this="LIST_SLICE", expressions=[whole, exp.Literal.number(1), limit.expression.copy()])


def _ignore_nulls(node: exp.IgnoreNulls) -> exp.Expr:
    """It is inside of what _array_agg made."""
    return node.this.copy() if isinstance(node.this, exp.Anonymous) else node


def _bracket(node: exp.Bracket) -> exp.Expr:
    """The first of a group by an order: DuckDB need not sort the group to a list for it."""
    match node.this, node.expressions:
        case (
            exp.Anonymous(this="LIST_SLICE", expressions=[exp.ArrayAgg(this=exp.Order() as ordered), _, last]),
            [exp.Literal(name="0")],
        ) if last.name == "1":
            return exp.First(this=ordered.copy())
    return node


def _string_agg(node: exp.GroupConcat) -> exp.Expr:
    """Nor inside STRING_AGG, which leaves out NULLs before it counts."""
    if not isinstance(node.this, exp.Limit):
        return node
    first = _first_of(node.this, without_nulls=True)
    separator = node.args.get("separator") or exp.Literal.string(",")
    return exp.Anonymous(this="ARRAY_TO_STRING", expressions=[first, separator.copy()])


def _approx_top_count(node: exp.ApproxTopK) -> exp.Expr:
    """DuckDB's gives the values without their counts."""
    return exp.Anonymous(this="APPROX_TOP_COUNT", expressions=[node.this.copy(), node.expression.copy()])


def _in(node: exp.In) -> exp.Expr:
    """sqlglot allows for lists that are NULL or hold NULLs, five times as long; those of parameters do neither."""
    if (array := _parameter_of(node)) is None:
        return node
    return exp.Anonymous(this="LIST_CONTAINS", expressions=[array.copy(), node.this.copy()])


def _parameter_of(node: exp.In) -> exp.Parameter | None:
    """The array of ``x IN UNNEST(@array)``."""
    unnest = node.args.get("unnest")
    array = unnest.expressions[0] if isinstance(unnest, exp.Unnest) else None
    return array if isinstance(array, exp.Parameter) else None


def _count_if(node: exp.CountIf) -> exp.Expr:
    """DuckDB's is NULL where there is nothing to count but NULLs."""
    if isinstance(node.this, exp.Distinct):
        return node
    return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this.copy(), true=exp.Literal.number(1))]))


def _divide(node: exp.Div) -> exp.Expr:
    """BigQuery fails where the divisor is zero; DuckDB says infinity."""
    divisor = node.expression
    if isinstance(divisor, exp.Literal) and float(divisor.name) != 0:
        return node
    message = f"division by zero: {node.sql('bigquery')}"
    zero = exp.EQ(this=exp.paren(divisor.copy()), expression=exp.Literal.number(0))
    fail = exp.Anonymous(this="ERROR", expressions=[exp.Literal.string(message)])
    return exp.Case(ifs=[exp.If(this=zero, true=exp.cast(fail, "DOUBLE"))], default=node.copy())


def _whole_division(node: exp.IntDiv) -> exp.Expr:
    """sqlglot writes DIV(a + b, c) as a + b // c."""
    return exp.IntDiv(this=exp.paren(node.this.copy()), expression=exp.paren(node.expression.copy()))


def _extract(node: exp.Extract) -> exp.Expr:
    """Parts that DuckDB counts differently or does not know."""
    part, value = node.this.sql("bigquery").upper(), node.expression
    text: Callable[[str], exp.Expr] = lambda form: exp.cast(  # noqa: E731
        exp.Anonymous(this="STRFTIME", expressions=[value.copy(), exp.Literal.string(form)]), "BIGINT"
    )
    match part:
        case "DATE" | "TIME" | "DATETIME":
            return exp.cast(value.copy(), "TIMESTAMP" if part == "DATETIME" else part)
        case "WEEK" | "WEEK(SUNDAY)":  # weeks begin on Sunday; DuckDB's WEEK is ISO's
            return text("%U")
        case "WEEK(MONDAY)":
            return text("%W")
        case "ISOWEEK":
            return exp.Extract(this=exp.var("WEEK"), expression=value.copy())
        case "DAYOFWEEK":  # 1 is Sunday; DuckDB's 0 is
            return exp.paren(exp.Add(this=node.copy(), expression=exp.Literal.number(1)))
        case "MILLISECOND" | "MICROSECOND":  # of the second; DuckDB adds the seconds
            unit = exp.Literal.number(1000 if part == "MILLISECOND" else 1000000)
            return exp.paren(exp.Mod(this=node.copy(), expression=unit))
    return node


def _time_to_str(node: exp.TimeToStr) -> exp.Expr:
    """sqlglot leaves FORMAT_TIMESTAMP's zone out."""
    zone = node.args.get("zone")
    if zone is None:
        return node
    local = exp.AtTimeZone(this=exp.paren(node.this.this.copy()), zone=zone.copy())
    return exp.TimeToStr(this=local, format=node.args["format"].copy())


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expr:
    """BigQuery counts whole hours gone by; DuckDB's DATE_DIFF counts the strokes of the clock."""
    unit = exp.Literal.string(node.text("unit") or "DAY")
    times = [_as_timestamp(time) for time in (node.expression, node.this)]
    return exp.Anonymous(this="DATESUB", expressions=[unit, *times])


def _format(node: exp.Format) -> exp.Expr:
    """FORMAT('%d', n) is PRINTF; DuckDB's FORMAT has another language."""
    return exp.Anonymous(this="PRINTF", expressions=[node.this.copy(), *node.expressions])


def _group(node: exp.Group) -> exp.Expr:
    """A name is first looked for among the SELECT's aliases; in DuckDB among the tables' columns."""
    select = node.parent_select
    assert select is not None
    numbers = {
        projection.alias.lower(): number
        for number, projection in enumerate(select.selects, start=1)
        if isinstance(projection, exp.Alias)
    }
    for key in node.expressions:
        if isinstance(key, exp.Column) and not key.table and key.name.lower() in numbers:
            key.replace(exp.Literal.number(numbers[key.name.lower()]))
    return node


def _unnest(node: exp.Unnest) -> exp.Expr:
    """WITH OFFSET counts from 0, WITH ORDINALITY from 1; and fields of an unnamed UNNEST are columns.

    In a SELECT's list, also where there is nothing to number: DuckDB joins a table's rows with all of its arrays where
    what UNNEST gives as a table is filtered, which takes ten times as long.
    """
    if not isinstance(node.parent, exp.From | exp.Join):
        return node
    array, offset, alias = node.expressions[0], node.args.get("offset"), node.args.get("alias")
    columns = alias.columns if alias else []
    value: exp.Expr = exp.Anonymous(this="UNNEST", expressions=[array.copy()])
    if columns:
        value = exp.alias_(value, columns[0].name, quoted=True)
    else:
        depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))
        value.append("expressions", depth)
    values = [value]
    if offset:
        length = exp.Anonymous(this="LEN", expressions=[array.copy()])
        numbers = exp.Anonymous(this="RANGE", expressions=[length])
        numbered = exp.Anonymous(this="UNNEST", expressions=[numbers])
        values.append(exp.alias_(numbered, offset.name, quoted=True))
    return exp.select(*values).subquery(f"_{columns[0].name}" if columns else "_unnest")


_REWRITES: dict[type, Callable[..., exp.Expr]] = {
    exp.Table: _table,
    exp.DateTrunc: _as_date,
    exp.DateAdd: _as_date,
    exp.DateSub: _as_date,
    exp.ArrayAgg: _array_agg,
    exp.Bracket: _bracket,
    exp.IgnoreNulls: _ignore_nulls,
    exp.Cast: _cast,
    exp.TryCast: _safe_cast,
    exp.Normalize: _normalize,
    exp.GroupConcat: _string_agg,
    exp.ApproxTopK: _approx_top_count,
    exp.CountIf: _count_if,
    exp.In: _in,
    exp.Div: _divide,
    exp.IntDiv: _whole_division,
    exp.Extract: _extract,
    exp.TimeToStr: _time_to_str,
    exp.TimestampDiff: _timestamp_diff,
    exp.Format: _format,
    exp.Group: _group,
    exp.Unnest: _unnest,
    exp.UnixToTime: _as_timestamp,
    exp.StrToTime: _as_timestamp,
}
