"""A cut question about a month, asked about many months in one statement.

DuckDB plans and sets up a question about a month for longer than it runs it, so that a year of months takes it little
more than two. The question's text stays as it is, as a subquery that is evaluated for each row of a table of months.
"""

import re

from pipelines.querying.steps import Cut, Step

# The column that tells which month a row is of, and the parameter that has the months' first days.
PART, MONTHS = "part_of", "months"
_EACH = "each_month"
_DAYS = {"from": f"{_EACH}.first_day", "to": f"{_EACH}.last_day"}
_ORDER = re.compile(r" ORDER BY (?P<order>[^()]+)$")


def each_month(cut: Cut) -> Cut:
    """The question with @months in the place of @from and @to, and ``PART`` before its columns.

    Rows are in the order of the months, then in the question's own, which has to be of columns that it answers with.
    """
    # A step that takes no days, and reads none that does, is the same for all months.
    has_parts: list[bool] = []
    steps: list[Step] = []
    for step in cut.steps:
        has_parts.append(not _DAYS.keys().isdisjoint(step.parameters) or any(has_parts[read] for read in step.reads))
        steps.append(_of_each(step, has_parts) if has_parts[-1] else step)
    order = _ORDER.search(cut.last.sql)
    last = _of_each(cut.last, has_parts)
    whole = _over(re.sub(r"\$(from|to)\b", lambda found: _DAYS[found[1]], cut.whole), f"${MONTHS}")
    by = f" ORDER BY {PART}" + (f", {order['order']}" if order else "")
    return Cut(tuple(steps), Step(last.sql + by, last.parameters, last.reads), whole + by)


def _of_each(step: Step, has_parts: list[bool]) -> Step:
    parameters = [name for name in step.parameters if name not in _DAYS]

    def placed(found: re.Match[str]) -> str:
        name = step.parameters[int(found[1])]
        return _DAYS.get(name) or f"$p{parameters.index(name)}"

    text = re.sub(r"\$p(\d+)\b", placed, step.sql)
    for place, read in enumerate(step.reads):
        if has_parts[read]:
            part = f"(SELECT * EXCLUDE ({PART}) FROM kept_{place} WHERE {PART} = {_EACH}.first_day) "  # noqa: S608
            text = text.replace(f"kept_{place} ", part)
    return Step(_over(text, f"$p{len(parameters)}"), (*parameters, MONTHS), step.reads)


def _over(text: str, months: str) -> str:
    days = f"SELECT UNNEST(CAST({months} AS DATE[])) AS first_day"
    table = f"(SELECT first_day, LAST_DAY(first_day) AS last_day FROM ({days})) AS {_EACH}"  # noqa: S608
    # The project's own text, and no value in it.
    return f"SELECT {_EACH}.first_day AS {PART}, each_row.* FROM {table}, LATERAL ({text}) AS each_row"  # noqa: S608
