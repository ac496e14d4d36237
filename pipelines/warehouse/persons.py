"""Whose a row is, and rows of people who were forgotten kept out of a folder's tables.

In ``rejected`` a row is a user's if the message's attributes, or its payload as JSON, have the user's id as
``user_id``. Both kinds of warehouse go by that rule.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from pipelines.storage.forgotten import Forgotten, Marks
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.json_rows import Row

# The column of each table that says when a row's plays were ingested, or were so at the latest.
INSTANTS = {"play_events": "ingested_at", "top_ten_snapshots": "computed_at", "rejected": "rejected_at"}
# The columns that ``users_of`` needs besides. What is in no table of these is nobody's.
KEYS = {"play_events": ["user_id"], "top_ten_snapshots": ["user_id"], "rejected": ["attributes", "payload"]}


def users_of(table: str, row: Row) -> set[str]:
    """The ids of the users whose row it is."""
    if table != "rejected":
        return {row["user_id"]}
    return {user for text in (row["attributes"] or "", row["payload"]) if (user := _named_user(text)) is not None}


def remembered(table: str, rows: Sequence[Row], forgotten: Forgotten) -> list[Row]:
    """The rows that do not stay out."""
    if not forgotten.marks or table not in KEYS:
        return list(rows)
    instant = INSTANTS[table]
    return [row for row in rows if not any(forgotten.has(user, row[instant]) for user in users_of(table, row))]


def append_remembered(warehouse: FolderWarehouse, table: str, rows: Sequence[Row], marks: Marks) -> None:
    """Add rows to a table in a folder, but those of people who were forgotten. Raises StorageError."""
    rows = remembered(table, rows, marks.lately())
    paths = warehouse.append(table, rows)
    # Behind the writing: who forgets a person marks first and lists the files then, so one sees the other.
    left = remembered(table, rows, marks.read())
    if len(left) < len(rows):
        append_remembered(warehouse, table, left, marks)
        warehouse.remove(paths)


def _named_user(text: str | bytes) -> str | None:
    """BigQuery's JSON_VALUE(text, '$.user_id'), for strings and whole numbers."""
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    named = value.get("user_id") if isinstance(value, dict) else None
    return str(named) if isinstance(named, str | int) else None
