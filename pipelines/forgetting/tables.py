"""A user's rows out of the tables, of a folder or of BigQuery.

In ``rejected`` a row is a user's if the message's attributes, or its payload as JSON, have the user's id as
``user_id``. Both kinds of warehouse go by that rule.
"""

from collections import Counter
from contextlib import closing
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.storage.files import storage_explained
from pipelines.tables import TABLES
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.bigquery import bigquery_explained, parse_address
from pipelines.warehouse.folder import FolderWarehouse

_KEYS = {
    "play_events": ["user_id"],
    "top_ten_snapshots": ["user_id"],
    "rejected": ["attributes", "payload"],
}
_OF_USER = {
    "play_events": "user_id = @user_id",
    "top_ten_snapshots": "user_id = @user_id",
    "rejected": (
        "JSON_VALUE(attributes, '$.user_id') = @user_id"
        " OR JSON_VALUE(SAFE_CONVERT_BYTES_TO_STRING(payload), '$.user_id') = @user_id"
    ),
}


def forget_in_folder(warehouse: FolderWarehouse, user_id: str, *, dry_run: bool) -> Counter[str]:
    """Remove a user's rows and return how many there were in each table. Raises StorageError.

    A file with rows of others is written anew before it goes.
    """
    rows: Counter[str] = Counter()
    for table in TABLES:
        for month in warehouse.months(table):
            for path in warehouse.files(table, month):
                with storage_explained(path):
                    found = pq.read_table(path, partitioning=None)
                others = [not _is_of(user_id, table, row) for row in found.select(_KEYS[table]).to_pylist()]
                if all(others):
                    continue
                rows[table] += others.count(False)
                if dry_run:
                    continue
                if any(others):
                    warehouse.write(table, month, _in_full(table, found.filter(pa.array(others))))
                warehouse.remove([path])
    return rows


def _is_of(user_id: str, table: str, row: dict[str, Any]) -> bool:
    if table != "rejected":
        return bool(row["user_id"] == user_id)
    return user_id in (_named_user(row["attributes"] or ""), _named_user(row["payload"]))


def _named_user(text: str | bytes) -> str | None:
    """BigQuery's JSON_VALUE(text, '$.user_id'), for strings and whole numbers."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    named = value.get("user_id") if isinstance(value, dict) else None
    return str(named) if isinstance(named, str | int) else None


def _in_full(table: str, rows: pa.Table) -> pa.Table:
    """With the columns that the table was given since the file was written."""
    for field in arrow_schema(table):
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


def statements(verb: str, dataset: str) -> dict[str, str]:
    """A statement for each table, ``DELETE`` or ``SELECT COUNT(*)``, on a user's rows in ``project.dataset``.

    Its parameter @user_id is a STRING.
    """
    return {table: f"{verb} FROM `{dataset}.{table}` WHERE {of_user}" for table, of_user in _OF_USER.items()}


def forget_in_bigquery(address: str, user_id: str, *, dry_run: bool) -> tuple[Counter[str], list[str]]:
    """Delete a user's rows and return how many there were in each table, and the tables that still have some.

    BigQuery deletes no rows that were streamed in lately, up to ninety minutes ago. Raises WarehouseError.
    """
    from google.api_core.exceptions import BadRequest
    from google.cloud import bigquery

    project, dataset = parse_address(address)
    user = bigquery.ScalarQueryParameter("user_id", "STRING", user_id)
    verb = "SELECT COUNT(*)" if dry_run else "DELETE"
    rows: Counter[str] = Counter()
    refused = []
    with bigquery_explained(f"{project}.{dataset}"), closing(bigquery.Client(project=project)) as client:
        for table, sql in statements(verb, f"{project}.{dataset}").items():
            job = client.query(sql, bigquery.QueryJobConfig(query_parameters=[user]))
            try:
                found = list(job.result())
            except BadRequest as error:
                if "streaming buffer" not in str(error):
                    raise
                refused.append(table)
            else:
                rows[table] = found[0][0] if dry_run else job.num_dml_affected_rows or 0
    return rows, refused
