"""How ranks moved against an earlier ten."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.querying.ranks import Ranks

Row = dict[str, Any]


def with_changes(rows: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of ``tens``, each with ``before``, ``move`` and ``by``, against the rows of the whole earlier month.

    ``before`` is the rank there, None where it is not among them; ``move`` is up, down, same or new; ``by`` how many
    ranks. Against nothing, where the earlier month has no plays, all three are None.
    """
    ranks = Ranks(earlier)
    return [dict(row) | _change(row, ranks) for row in rows]


def _change(row: Mapping[str, Any], ranks: Ranks) -> Row:
    if not ranks:
        return {"before": None, "move": None, "by": None}
    before = ranks.of(row)
    if before is None:
        return {"before": None, "move": "new", "by": None}
    by = before - int(row["rank"])
    return {"before": before, "move": "up" if by > 0 else "down" if by < 0 else "same", "by": abs(by)}


def gone_since(rows: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the earlier month that are not among these."""
    ranks = Ranks(rows)
    return [row for row in earlier if ranks.of(row) is None]
