"""Starts bqemulator on a free port with what it lacks here; run by the Python of `.tools/bqemulator`, not by pytest.

``python run_bigquery.py FOLDER``: when it answers, its port is in ``FOLDER/port``. Objects of ``gs://BUCKET/NAME`` are
looked for in ``FOLDER/.cloudstorage``, where the emulator of Cloud Storage keeps them. It ends with SIGTERM.

- It wants DuckDB's spatial extension, which it would download: no column of ours is a place.
- It knows no partition decorators (``table$202611``): a load job that truncates would empty the whole table, and a
  partition can't be deleted. Both are done here as BigQuery documents them, for the months of a column.
- It lets a row without a REQUIRED field through.
- It has no type for a column of records, takes it for another table's, and loses it; all of ours are repeated.
- It forgets that a STRUCT of columns has their names, and puts COALESCE between a COUNTIF and its OVER.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bqemulator import server
from bqemulator.api.routes import tabledata
from bqemulator.config import LogFormat, LogLevel, PersistenceMode, Settings
from bqemulator.jobs import executor
from bqemulator.sql import catalog_schema
from bqemulator.sql.rewriter import struct_helpers
from bqemulator.sql.rules.misc_helpers import CountIfEmptyZeroRule
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqlglot import exp


def main(folder: Path) -> None:
    """Serve until a signal comes."""
    DuckDBEngine._load_spatial = _nothing
    executor._parse_load_job_config = _parse_load_job_config
    executor._apply_load_write_disposition = _apply_load_write_disposition
    tabledata._partition_rows_for_insert = _partition_rows_for_insert
    catalog_schema._safe_bq_to_duckdb = _type_of_column
    struct_helpers._rewrite_positional_structs = _rewrite_positional_structs
    CountIfEmptyZeroRule.applies_to = _is_of_an_aggregate
    server.create_app = _create_app
    settings = Settings(
        rest_port=0,
        grpc_port=0,
        persistence_mode=PersistenceMode.EPHEMERAL,
        enable_format_extensions=False,
        query_cache_ttl_seconds=0,  # it would not see what changes below a view
        gcs_local_root=folder / ".cloudstorage",
        upload_staging_dir=folder / "uploads",
        log_level=LogLevel.WARNING,
        log_format=LogFormat.CONSOLE,
    )
    emulator = server.EmulatorServer(settings)
    start = emulator.start

    async def start_and_tell() -> None:
        await start()
        part = folder / "port.part"
        part.write_text(str(emulator.rest_port))
        part.rename(folder / "port")

    emulator.start = start_and_tell
    emulator.run_forever()


def _nothing(_: Any) -> None:
    """Do without."""


_parse = executor._parse_load_job_config
_apply = executor._apply_load_write_disposition
_split = tabledata._partition_rows_for_insert
_type = catalog_schema._safe_bq_to_duckdb
_rewrite = struct_helpers._rewrite_positional_structs
_applies = CountIfEmptyZeroRule.applies_to
_create = server.create_app


def _parse_load_job_config(project_id: str, config: dict[str, Any]) -> Any:
    destination = config["load"]["destinationTable"]
    table, _, partition = destination["tableId"].partition("$")
    plain = config | {"load": config["load"] | {"destinationTable": destination | {"tableId": table}}}
    job = _parse(project_id, plain)
    return replace(job, raw_config=job.raw_config | {"partition": partition})


def _apply_load_write_disposition(job: Any, ctx: Any) -> None:
    if job.write_disposition == "WRITE_TRUNCATE" and job.raw_config["partition"]:
        table = job.project_id, job.dataset_id, job.table_id
        _delete_partition(table, job.raw_config["partition"], ctx)
    else:
        _apply(job, ctx)


def _delete_partition(table: tuple[str, str, str], partition: str, ctx: Any) -> None:
    by = ctx.catalog.get_table(*table).time_partitioning
    assert by.type == "MONTH"
    column = f"strftime({by.field}, '%Y%m')"
    ctx.engine.execute(f"DELETE FROM {quoted_table_ref(*table)} WHERE {column} = ?", [partition])  # noqa: S608


def _partition_rows_for_insert(rows: list[dict[str, Any]], schema: Any) -> tuple[list[Any], list[Any]]:
    refused = [
        {"index": index, "errors": [{"reason": "invalid", "location": field.name, "debugInfo": "", "message": text}]}
        for index, row in enumerate(rows)
        for field in schema
        if not field.nullable and row["json"].get(field.name) is None
        for text in [f"Missing required field: {field.name}."]
    ]
    indices = {error["index"] for error in refused}
    good, more = _split([row for index, row in enumerate(rows) if index not in indices], schema)
    kept = [index for index in range(len(rows)) if index not in indices]
    return good, refused + [error | {"index": kept[error["index"]]} for error in more]


def _type_of_column(name: str) -> str | None:
    return "STRUCT[]" if name in {"RECORD", "STRUCT"} else _type(name)


def _rewrite_positional_structs(tree: Any) -> bool:
    for struct in tree.find_all(exp.Struct):
        if all(isinstance(child, exp.Column) for child in struct.expressions):
            named = [exp.PropertyEQ(this=exp.to_identifier(one.name), expression=one) for one in struct.expressions]
            struct.set("expressions", named)
    return _rewrite(tree)


def _is_of_an_aggregate(rule: CountIfEmptyZeroRule, node: Any) -> bool:
    return not isinstance(node.parent, exp.Window) and _applies(rule, node)


def _create_app(context: Any) -> Any:
    app = _create(context)

    @app.delete("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}${partition}", status_code=204)
    async def delete_partition(project: str, dataset: str, table: str, partition: str) -> None:
        async with context.engine.write_lock():
            _delete_partition((project, dataset, table), partition, context)

    app.router.routes.insert(0, app.router.routes.pop())
    return app


if __name__ == "__main__":
    main(Path(sys.argv[1]))
