"""Where rows of one ten stand in another: who moved, who is new, who is gone."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.domain.song import is_synthetic

# A row of a ten, with its kind, key, name and rank.
Row = Mapping[str, Any]


class Ranks:
    """The ranks of a ten, or of several kinds' tens.

    A row is found by its kind and key. An artist is found by name too where one of the two keys is made of the name:
    months that were imported know no artists' ids, and months that were polled do.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_key: dict[tuple[str, Any], int] = {}
        self._by_name: dict[str, int] = {}
        self._by_name_alone: dict[str, int] = {}
        for row in rows:
            rank = int(row["rank"])
            self._by_key[row["kind"], row["key"]] = rank
            if row["kind"] == "artist":
                self._by_name[_name(row)] = rank
                if _is_of_name(row):
                    self._by_name_alone[_name(row)] = rank

    def __bool__(self) -> bool:
        """Whether there are any rows."""
        return bool(self._by_key)

    def of(self, row: Row) -> int | None:
        """The rank that what the row shows has here."""
        rank = self._by_key.get((row["kind"], row["key"]))
        if rank is None and row["kind"] == "artist":
            names = self._by_name if _is_of_name(row) else self._by_name_alone
            return names.get(_name(row))
        return rank


def _is_of_name(row: Row) -> bool:
    return is_synthetic(str(row["key"]))


def _name(row: Row) -> str:
    return str(row["name"]).casefold()
