"""Changes of rank: a ten beside the whole ten of the month before."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def with_changes(rows: Sequence[Row], earlier: Sequence[Row]) -> list[Row]:
    """Rows of ``tens``, each with ``before``, its rank among ``earlier`` or None, ``move`` and ``by``.

    ``move`` is up, down, same, or new where it is not among them; ``by`` is how many ranks, 0 for same and new.
    """
    ranks = {(row["kind"], row["key"]): row["rank"] for row in earlier}
    return [{**row, **_change(row["rank"], ranks.get((row["kind"], row["key"])))} for row in rows]


def _change(rank: int, before: int | None) -> Row:
    if before is None:
        return {"before": None, "move": "new", "by": 0}
    move = "up" if rank < before else "down" if rank > before else "same"
    return {"before": before, "move": move, "by": abs(rank - before)}
