"""How the stream writes rows: the sink that a ``--warehouse`` stands for."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.clock import Clock, utc_now
from pipelines.storage.forgotten import Marks
from pipelines.streaming.bigquery_sink import WriteRejected, WriteToTable, insert_or_reject, insert_rejected
from pipelines.tables import play_schema
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError
from pipelines.warehouse.json_rows import Row
from pipelines.warehouse.persons import append_remembered

_log = logging.getLogger("heavy_rotation")
_ROWS_OF_A_COPY = 50_000


class Sink(Protocol):
    """The warehouse as the stream sees it."""

    def __call__(self, table: str) -> beam.PTransform:
        """The step that writes rows of native Python values to a table."""

    def append(self, table: str, rows: Sequence[Row]) -> set[int]:
        """Write rows at once: they are there when this returns, but for those of the indexes that it returns, which
        are refused for ever. Raises StorageError."""


class FolderSink:
    """The tables in a folder. Rows of people who were forgotten stay out."""

    def __init__(self, warehouse: FolderWarehouse, marks: Marks) -> None:
        self.warehouse = warehouse
        self.marks = marks

    def __call__(self, table: str) -> beam.PTransform:
        """Writes files."""
        return WriteToFolder(self.warehouse, table, self.marks)

    def append(self, table: str, rows: Sequence[Row]) -> set[int]:
        """Writes one file for each month; a folder refuses no row."""
        append_remembered(self.warehouse, table, rows, self.marks)
        return set()


class BigQuerySink:
    """The tables in BigQuery, written by Beam's own step with one of its methods.

    Messages that could not be read are few and have to be in ``rejected`` before they are acknowledged: they are
    always streamed in, by a step that knows which rows were taken.
    """

    def __init__(self, warehouse: BigQueryWarehouse, method: str, clock: Clock) -> None:
        self.warehouse = warehouse
        self.method = method
        self.clock = clock

    def __call__(self, table: str) -> beam.PTransform:
        """Writes rows, and those that are refused to ``rejected``."""
        if table == "rejected":
            return WriteRejected(self.warehouse)
        return WriteToTable(self.warehouse, table, self.method, self.clock)

    def append(self, table: str, rows: Sequence[Row]) -> set[int]:
        """Streams rows in, and those that are refused into ``rejected``; what that refuses as well is nowhere."""
        if table == "rejected":
            return insert_rejected(self.warehouse, rows)
        insert_or_reject(self.warehouse, table, rows, self.clock)
        return set()


def files_of_plays(sink: Sink, months: Iterable[date], folder: Path) -> list[str]:
    """The paths of files that have the rows of ``play_events``: a folder's own, or copies of BigQuery's in ``folder``.

    None where BigQuery cannot be asked, by somebody who may only write: then rows are written again, which the views
    allow for. Raises StorageError.
    """
    match sink:
        case FolderSink():
            return [str(path) for month in months for path in sink.warehouse.files("play_events", month)]
        case BigQuerySink():
            try:
                return list(_copies(sink.warehouse, list(months), folder))
            except WarehouseError as error:
                _log.warning("what the tables have is not known, and is written again: %s", error)
    return []


def _copies(warehouse: BigQueryWarehouse, months: Sequence[date], folder: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [field["name"] for field in play_schema()["fields"]]
    schema = pa.schema([arrow_schema("play_events").field(name) for name in names])
    rows = warehouse.rows_of("play_events", months, names)
    while some := list(islice(rows, _ROWS_OF_A_COPY)):
        path = folder / f"{uuid4().hex}.parquet"
        pq.write_table(pa.Table.from_pylist(some, schema), path)
        yield str(path)


def sink_of(
    warehouse: str,
    time_zone: str,
    marks: Marks,
    method: str = "STREAMING_INSERTS",
    clock: Clock = utc_now,
    *,
    local: bool = True,
) -> Sink:
    """The sink that a ``--warehouse`` stands for; ``local`` says whether the pipeline runs on this machine.

    ``marks`` are the archive's: of people who were forgotten.

    Raises WarehouseError if the warehouse cannot be written to, or is not as it has to be.
    """
    if not warehouse.startswith(SCHEME):
        return FolderSink(FolderWarehouse(warehouse, time_zone), marks)
    if method == "STORAGE_WRITE_API" and shutil.which("java") is None:
        raise WarehouseError("STORAGE_WRITE_API needs Java where the pipeline is launched, and there is none here")
    tables = BigQueryWarehouse(warehouse)
    tables.check(time_zone)
    if local:  # Beam's own client asks for the credentials' project, and some have none.
        os.environ.setdefault("GOOGLE_CLOUD_PROJECT", tables.project)
    return BigQuerySink(tables, method, clock)


@dataclass
class WriteToFolder(beam.PTransform):
    """Appends rows to a table of a local warehouse: one file for each bundle and month, whole or not at all.

    A retried bundle writes its rows again; the views read each play and each snapshot once.
    """

    warehouse: FolderWarehouse
    table: str
    marks: Marks

    def expand(self, rows: PCollection[Row]) -> PCollection[Any]:
        """Rows in any windows, which do not matter here: a row has its own month."""
        return rows | "Append rows" >> beam.ParDo(_Append(self.warehouse, self.table, self.marks))


class _Append(beam.DoFn):
    def __init__(self, warehouse: FolderWarehouse, table: str, marks: Marks) -> None:
        self.warehouse = warehouse
        self.table = table
        self.marks = marks
        self.rows: list[Row] = []

    def start_bundle(self) -> None:
        self.rows = []

    def process(self, row: Row) -> Iterable[None]:
        self.rows.append(row)
        return ()

    def finish_bundle(self) -> None:
        if self.rows:
            append_remembered(self.warehouse, self.table, self.rows, self.marks)
