"""What imports read and left out, as the state remembers it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipelines.domain.instants import parse
from pipelines.storage.files import MissingError, storage_of


@dataclass(frozen=True)
class Import:
    """One import: when (UTC), and counts; ``left_out`` by reason."""

    at: datetime
    files: int
    rows: int
    plays: int
    new: int
    left_out: dict[str, int]
    unreadable: int


def imports_of(state: str, user_id: str) -> list[Import]:
    """The newest first; none where nothing is known. Raises StorageError where the state cannot be read."""
    path = f"{state.rstrip('/')}/imports/{quote(user_id, safe='')}.json"
    try:
        records: list[dict[str, Any]] = json.loads(storage_of(path).read(path).data)["imports"]
        return [_import(record) for record in reversed(records)]
    except (MissingError, AttributeError, KeyError, TypeError, ValueError):
        return []


def _import(record: dict[str, Any]) -> Import:
    left_out = {str(reason): int(count) for reason, count in record["left_out"].items()}
    files, rows, plays, new, unreadable = (
        int(record[name]) for name in ("files", "rows", "plays", "new", "unreadable")
    )
    return Import(parse(record["at"]), files, rows, plays, new, left_out, unreadable)
