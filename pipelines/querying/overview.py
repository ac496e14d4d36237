"""What there is to ask of a warehouse: whose plays of which months, examples that give rows, and the columns."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from typing import Any

import pyarrow as pa

from pipelines.domain.holes import ASK, holes_text
from pipelines.querying import duck
from pipelines.querying.cells import one_line
from pipelines.querying.show import show
from pipelines.tables import TABLES

_USERS = """\
SELECT user_id, COUNT(*) AS plays, COUNT(DISTINCT month) AS months, MIN(month) AS first_month, MAX(month) AS last_month
FROM {dataset}.plays
GROUP BY user_id
ORDER BY user_id"""
_MONTHS = "SELECT DISTINCT user_id, month FROM {dataset}.plays ORDER BY user_id, month"
_MOST_NAMED = 10
_ROWS = "SELECT '{table}' AS name, COUNT(*) AS number FROM {dataset}.{table}"
_EXAMPLES = (
    "SELECT rank, track_name, artist_name, plays\n"
    "FROM {dataset}.monthly_top_tracks\n"
    "WHERE month = '{month}'\n"
    "ORDER BY user_id, rank",
    "SELECT artist_name, SUM(plays) AS plays\n"
    "FROM {dataset}.monthly_top_artists\n"
    "WHERE EXTRACT(YEAR FROM month) = {year}\n"
    "GROUP BY artist_name\n"
    "ORDER BY plays DESC\n"
    "LIMIT 10",
)


def _about_holes(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Whose months do not follow on each other: a line each, and what to do at the end."""
    told = [
        f"{one_line(user)}: {missing}\n"
        for user, some in groupby(rows, lambda row: str(row["user_id"]))
        if (missing := holes_text(row["month"] for row in some))
    ]
    if told:
        yield "\n"
        yield from told[:_MOST_NAMED]
        yield f"Whoever listened then: {ASK},\nand import it.\n"


def overview(
    warehouse: str, command: str, dataset: str, ask: Callable[[str], pa.Table], width: int | None
) -> Iterator[str]:
    """The text, line by line. ``command`` is what asks this warehouse, as it is typed.

    ``ask`` answers a query of the warehouse, whose tables are in ``dataset``. With ``width`` lines are no wider.
    """
    users = ask(_USERS.format(dataset=dataset))
    counts = ask(" UNION ALL ".join(_ROWS.format(dataset=dataset, table=table) for table in TABLES))
    rows = {row["name"]: row["number"] for row in counts.to_pylist()}
    yield f"{warehouse}\n\n"
    if users.num_rows:
        yield from show(users, "table")
        yield from _about_holes(ask(_MONTHS.format(dataset=dataset)).to_pylist())
        months: list[date] = [row["last_month"] for row in users.to_pylist()]
        newest = max(months)
        yield "\nFor example:\n"
        for example in _EXAMPLES:
            sql = example.format(dataset=dataset, month=newest, year=newest.year)
            yield f'\n{command} "\n{sql}"\n'
        yield "\n"
    else:
        yield "There are no plays in it yet; heavy-rotation import or rebuild brings them in.\n\n"
    yield "Tables and views, with their columns:\n"
    for name, there in duck.columns().items():
        columns = _wrapped([f"{column} {kind}" for column, kind in there], width)
        count = f"  {rows[name]:,} row{'' if rows[name] == 1 else 's'}" if name in rows else ""
        yield f"\n  {dataset}.{name}{count}\n{columns}\n"


def _wrapped(columns: list[str], width: int | None) -> str:
    """The columns, indented, in lines that are no wider unless one column alone is."""
    if not width:
        return f"    {', '.join(columns)}"
    lines = [""]
    for column in columns:
        if lines[-1] and len(lines[-1]) + len(column) + 7 > width:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{column}"
    return "\n".join(f"    {line}{',' if number < len(lines) else ''}" for number, line in enumerate(lines, start=1))
