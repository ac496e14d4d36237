"""The stream's steps that write to BigQuery."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.bigquery import WriteToBigQuery
from apache_beam.io.gcp.bigquery_tools import RetryStrategy
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection
from apache_beam.utils.timestamp import Timestamp

from pipelines.clock import Clock
from pipelines.tables import Field, table_schema
from pipelines.warehouse.bigquery import REJECTED_LINE, BigQueryWarehouse, reason_of
from pipelines.warehouse.folder import WarehouseError
from pipelines.warehouse.json_rows import Row, to_json, to_line

_log = logging.getLogger("heavy_rotation")
# BigQuery takes 1,500 load jobs a table and day; two steps load play_events.
_LOAD_EVERY_SECONDS = 300
# A request, and so a row, may hold ten megabytes, in which bytes take a third more.
_MOST_PAYLOAD = 5_000_000
_MOST_ROWS = 500
# What BigQuery says of a request and not of a row of it: someone has to put it right, and then it is tried again.
_NOT_THE_ROWS = {"Not Found", "Forbidden", "Unauthorized"}
# Beam has no dates of its own; the Storage Write API takes them as text.
_AS_TEXT = ("DATE", "DATETIME")


@dataclass
class WriteToTable(beam.PTransform):
    """Appends rows to a table in BigQuery, and rows that it refuses for ever to ``rejected``, with its reason.

    Rows may be written more than once. Where it refuses all of them, because the table is gone or may not be
    written, the step fails and is tried again. A load job takes all its rows or none: with FILE_LOADS one row that
    is refused fails the step too, and again.
    """

    warehouse: BigQueryWarehouse
    table: str
    method: str
    clock: Clock

    def expand(self, rows: PCollection[Row]) -> PCollection[Any]:
        """Rows in any windows, which do not matter here."""
        prepare, options = _HOW[self.method]
        if self.method == "STORAGE_WRITE_API":
            options = options | {"schema": {"fields": _sent_as_text(table_schema(self.table))}}
        written = (
            rows
            | "To BigQuery's values" >> beam.Map(prepare, self.table).with_output_types(dict[str, Any])
            | "Write rows"
            >> WriteToBigQuery(
                f"{self.warehouse.project}:{self.warehouse.dataset}.{self.table}",
                create_disposition="CREATE_NEVER",
                write_disposition="WRITE_APPEND",
                method=self.method,
                **options,
            )
        )
        if self.method == "FILE_LOADS":
            return rows
        return (
            written.failed_rows_with_errors
            | "To rejected" >> beam.Map(_refused, self.table, self.clock).with_output_types(dict[str, Any])
            | "Write rejected" >> WriteRejected(self.warehouse)
        )


@dataclass
class WriteRejected(beam.PTransform):
    """Streams rows into ``rejected`` in BigQuery. One that is refused there as well is told in the log."""

    warehouse: BigQueryWarehouse

    def expand(self, rows: PCollection[Row]) -> PCollection[Any]:
        """Rows in any windows, which do not matter here."""
        return rows | "Insert rows" >> beam.ParDo(_InsertRejected(self.warehouse))


class _InsertRejected(beam.DoFn):
    def __init__(self, warehouse: BigQueryWarehouse) -> None:
        self.warehouse = warehouse
        self.lost = Metrics.counter("heavy_rotation", "rejected_refused")
        self.rows: list[Row] = []

    def start_bundle(self) -> None:
        self.rows = []

    def process(self, row: Row) -> Iterable[None]:
        self.rows.append(row)
        return ()

    def finish_bundle(self) -> None:
        self.lost.inc(len(insert_rejected(self.warehouse, self.rows)))


def insert_rejected(warehouse: BigQueryWarehouse, rows: Sequence[Row]) -> set[int]:
    """Stream rows into ``rejected``; the indexes of those that BigQuery refuses for ever, which are told in the log.

    Raises WarehouseError.
    """
    lost: set[int] = set()
    start = 0
    for some in _requests([_fitting(row) for row in rows]):
        refused = warehouse.insert("rejected", [to_json(row) for row in some])
        lost.update(start + index for index in refused)
        start += len(some)
        if taken := len(some) - len(refused):
            _log.warning(REJECTED_LINE, taken)
        for index, reason in refused.items():
            _log.error(
                "BigQuery refused a row of rejected, %s: %s. What it told of: %s, %s",
                some[index]["message_id"] or "of no message",
                reason,
                some[index]["origin"],
                some[index]["reason"],
            )
    return lost


def insert_or_reject(warehouse: BigQueryWarehouse, table: str, rows: Sequence[Row], clock: Clock) -> None:
    """Stream rows into a table, and those that BigQuery refuses for ever into ``rejected``. Raises WarehouseError."""
    for start in range(0, len(rows), _MOST_ROWS):
        some = rows[start : start + _MOST_ROWS]
        refused = warehouse.insert(table, [to_json(row) for row in some])
        insert_rejected(warehouse, [_reject(some[n], table, reason, clock) for n, reason in refused.items()])


def _fitting(row: Row) -> Row:
    size = len(row["payload"])
    if size <= _MOST_PAYLOAD:
        return row
    reason = f"{row['reason']} (of {size:,} bytes, {_MOST_PAYLOAD:,} are here)"
    return row | {"payload": row["payload"][:_MOST_PAYLOAD], "reason": reason}


def _requests(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows of ``rejected`` in lists that one request can carry."""
    some: list[Row] = []
    size = 0
    for row in rows:
        if some and (size + len(row["payload"]) > _MOST_PAYLOAD or len(some) == _MOST_ROWS):
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row["payload"])
    if some:
        yield some


def _refused(refusal: Any, table: str, clock: Clock) -> Row:
    """The row of ``rejected`` for a row that Beam says was refused. Raises WarehouseError."""
    if isinstance(refusal, dict):  # STORAGE_WRITE_API
        row, errors = refusal["failed_row"], refusal["error_message"]
    else:
        _, row, errors = refusal
    if not isinstance(errors, str) and errors[0].get("reason") in _NOT_THE_ROWS:
        raise WarehouseError(f"BigQuery takes no rows of {table} ({reason_of(errors)}); nothing is lost")
    return _reject(_plain(row), table, reason_of(errors), clock)


def _reject(row: Row, table: str, reason: str, clock: Clock) -> Row:
    return {
        "rejected_at": clock(),
        "origin": "bigquery",
        "message_id": None,
        "reason": f"{table}: {reason}",
        "payload": to_line(row),
        "attributes": None,
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):  # a row within a row, as the Storage Write API gives it back
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.to_utc_datetime(has_tz=True) if isinstance(value, Timestamp) else value


def _for_json(row: Row, _table: str) -> Row:
    return to_json(row)


def _for_beam(row: Row, table: str) -> Row:
    return {field["name"]: _beam_value(row[field["name"]], field) for field in table_schema(table)}


def _beam_value(value: Any, field: Field) -> Any:
    if value is None:
        return None
    if field["mode"] == "REPEATED":
        return [{inner["name"]: _beam_value(item[inner["name"]], inner) for inner in field["fields"]} for item in value]
    if field["type"] == "TIMESTAMP":
        return Timestamp.from_utc_datetime(value)
    return value.isoformat() if field["type"] in _AS_TEXT else value


def _sent_as_text(fields: list[Field]) -> list[Field]:
    return [field | {"type": "STRING"} if field["type"] in _AS_TEXT else field for field in fields]


# How rows are prepared for each method, and what WriteToBigQuery is told besides.
_HOW: dict[str, tuple[Any, dict[str, Any]]] = {
    "STREAMING_INSERTS": (
        _for_json,
        # Without ids for BigQuery's own deduplication, which is brief and costs throughput: every reader reads each
        # play and each snapshot once anyway. Rows wait for a fifth of a second, so that a request has many: without it
        # Beam spreads them over 500 keys, with a row or two in each request.
        {
            "insert_retry_strategy": RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
            "ignore_insert_ids": True,
            "with_auto_sharding": True,
        },
    ),
    "FILE_LOADS": (_for_json, {"triggering_frequency": _LOAD_EVERY_SECONDS}),
    "STORAGE_WRITE_API": (_for_beam, {"use_at_least_once": True}),
}
