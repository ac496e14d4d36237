"""A user's rows out of the tables, of a folder or of BigQuery."""

import shutil
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.forgetting.archive import Found
from pipelines.storage.files import MissingError, storage_explained
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.bigquery import bigquery_explained, parse_address
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.persons import INSTANTS, KEYS, users_of

_OF_USER = {
    "play_events": "user_id = @user_id",
    "top_ten_snapshots": "user_id = @user_id",
    "rejected": (
        "(JSON_VALUE(attributes, '$.user_id') = @user_id"
        " OR JSON_VALUE(SAFE_CONVERT_BYTES_TO_STRING(payload), '$.user_id') = @user_id)"
    ),
}


def forget_in_folder(found: Found, user_id: str, warehouse: FolderWarehouse, *, dry_run: bool) -> None:
    """Remove a user's rows of plays that were ingested up to ``found.until``, count them there. Raises StorageError.

    A file with rows of others is written anew before it goes. Rebuilds and other forgettings come before or after, so
    that none has rows in hand that this one removes. A stream takes away by itself what it writes from now on.
    """
    if dry_run:
        found.leftovers += len(warehouse.staging_folders()) + len(warehouse.abandoned())
        _forget_rows(found, user_id, warehouse, dry_run=True)
        return
    with warehouse.alone() as is_alone:
        if is_alone:
            for folder in warehouse.staging_folders():
                shutil.rmtree(folder)
                found.leftovers += 1
        for path in warehouse.abandoned():
            Path(path).unlink(missing_ok=True)
            found.leftovers += 1
        _forget_rows(found, user_id, warehouse, dry_run=False)


def _forget_rows(found: Found, user_id: str, warehouse: FolderWarehouse, *, dry_run: bool) -> None:
    for table in KEYS:
        for month in warehouse.months(table):
            for path in warehouse.files(table, month):
                try:
                    with storage_explained(path):
                        rows = pq.read_table(path, partitioning=None)
                except MissingError:
                    continue  # a stream took it away
                stays = [
                    user_id not in users_of(table, row) or row[INSTANTS[table]] > found.until
                    for row in rows.select([*KEYS[table], INSTANTS[table]]).to_pylist()
                ]
                if all(stays):
                    continue
                found.rows[table] += stays.count(False)
                if dry_run:
                    continue
                if any(stays):
                    warehouse.write(table, month, _in_full(table, rows.filter(pa.array(stays))))
                warehouse.remove([path])


def _in_full(table: str, rows: pa.Table) -> pa.Table:
    """With the columns that the table was given since the file was written."""
    for field in arrow_schema(table):
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


def statements(verb: str, dataset: str) -> dict[str, str]:
    """A statement for each table, ``DELETE`` or ``SELECT COUNT(*)``, on a user's rows in ``project.dataset``.

    Its parameters are @user_id, a STRING, and @until, a TIMESTAMP: the rows of plays that were ingested by then.
    """
    return {
        table: f"{verb} FROM `{dataset}.{table}` WHERE {of_user} AND {INSTANTS[table]} <= @until"
        for table, of_user in _OF_USER.items()
    }


def forget_in_bigquery(found: Found, user_id: str, address: str, *, dry_run: bool) -> None:
    """Delete a user's rows of plays that were ingested up to ``found.until``, and count them there.

    BigQuery deletes no rows that were streamed in lately, up to ninety minutes ago: of such a table ``found.left``
    tells. Raises WarehouseError.
    """
    from google.api_core.exceptions import BadRequest
    from google.cloud import bigquery

    project, dataset = parse_address(address)
    parameters = [
        bigquery.ScalarQueryParameter("user_id", "STRING", user_id),
        bigquery.ScalarQueryParameter("until", "TIMESTAMP", found.until),
    ]
    verb = "SELECT COUNT(*)" if dry_run else "DELETE"
    with bigquery_explained(f"{project}.{dataset}"), closing(bigquery.Client(project=project)) as client:
        for table, sql in statements(verb, f"{project}.{dataset}").items():
            job = client.query(sql, bigquery.QueryJobConfig(query_parameters=parameters))
            try:
                counts = list(job.result())
            except BadRequest as error:
                if "streaming buffer" not in str(error):
                    raise
                found.left.append(
                    f"{table} has rows of the last ninety minutes, which BigQuery cannot delete yet: "
                    "run the same command again in two hours"
                )
            else:
                found.rows[table] = counts[0][0] if dry_run else job.num_dml_affected_rows or 0
