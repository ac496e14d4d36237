"""How the stream writes rows: the sink that a ``--warehouse`` stands for."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.clock import Clock, utc_now
from pipelines.storage.files import storage_explained
from pipelines.streaming.bigquery_sink import WriteRejected, WriteToTable
from pipelines.streaming.ledger import LEDGER
from pipelines.tables import REBUILT
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError
from pipelines.warehouse.json_rows import Row, to_line


class Sink(Protocol):
    """The warehouse as the stream sees it."""

    def __call__(self, table: str) -> beam.PTransform:
        """The step that writes rows of native Python values to a table."""

    def finish(self) -> None:
        """Bring in what still waits. Called when a pipeline on this machine has ended well."""


class FolderSink:
    """The tables in a folder."""

    def __init__(self, warehouse: FolderWarehouse) -> None:
        self.warehouse = warehouse

    def __call__(self, table: str) -> beam.PTransform:
        """Writes files."""
        return WriteToFolder(self.warehouse, table)

    def finish(self) -> None:
        """Nothing waits."""


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

    def finish(self) -> None:
        """Nothing waits."""


class LoadingSink:
    """The tables in BigQuery, loaded with one job a table when a pipeline on this machine has ended.

    Until then rows wait in a folder of this machine. If it is lost nothing else is: their plays are in the archive,
    and the next launch replays the months that are open; a rebuild brings in those of closed months.
    """

    def __init__(self, warehouse: BigQueryWarehouse) -> None:
        self.warehouse = warehouse
        self.waiting = LineFolder(tempfile.mkdtemp(prefix="heavy-rotation-"))
        atexit.register(self.waiting.remove)

    def __call__(self, table: str) -> beam.PTransform:
        """Writes files that wait; ``rejected`` is as in BigQuerySink."""
        return WriteRejected(self.warehouse) if table == "rejected" else WriteToFolder(self.waiting, table)

    def finish(self) -> None:
        """Load what waits. Raises WarehouseError."""
        for table in REBUILT:
            if paths := self.waiting.files(table):
                self.warehouse.load(table, paths)
        self.waiting.remove()


def sink_of(
    warehouse: str, time_zone: str, method: str = "STREAMING_INSERTS", clock: Clock = utc_now, *, local: bool = True
) -> Sink:
    """The sink that a ``--warehouse`` stands for; ``local`` says whether the pipeline runs on this machine.

    Raises WarehouseError if the warehouse cannot be written to, or is not as it has to be.
    """
    if not warehouse.startswith(SCHEME):
        return FolderSink(FolderWarehouse(warehouse, time_zone))
    if method == "STORAGE_WRITE_API" and shutil.which("java") is None:
        raise WarehouseError("STORAGE_WRITE_API needs Java where the pipeline is launched, and there is none here")
    tables = BigQueryWarehouse(warehouse)
    tables.check(time_zone)
    if local:  # Beam's own client asks for the credentials' project, and some have none.
        os.environ.setdefault("GOOGLE_CLOUD_PROJECT", tables.project)
    return LoadingSink(tables) if local and method == "FILE_LOADS" else BigQuerySink(tables, method, clock)


class Appendable(Protocol):
    """Where rows can be added, all or none of them."""

    def append(self, table: str, rows: Sequence[Row]) -> None:
        """Raises StorageError."""


class LineFolder:
    """Rows that wait to be loaded: files of JSON lines in a folder for each table."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def append(self, table: str, rows: Sequence[Row]) -> None:
        """One file. Raises StorageError."""
        path = Path(self.folder) / table / f"{uuid4().hex}.part"
        with storage_explained(path):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"".join(to_line(row) + b"\n" for row in rows))
            path.rename(path.with_suffix(".json"))

    def files(self, table: str) -> list[str]:
        """The paths of a table's files."""
        return sorted(map(str, Path(self.folder).glob(f"{table}/*.json")))

    def remove(self) -> None:
        """The folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class WriteToFolder(beam.PTransform):
    """Appends rows to a table of a local warehouse: one file for each bundle and month, whole or not at all.

    A retried bundle writes its rows again; the views read each play and each snapshot once.
    """

    def __init__(self, warehouse: Appendable, table: str) -> None:
        self.warehouse = warehouse
        self.table = table

    def expand(self, rows: PCollection[Row]) -> PCollection[None]:
        """Any window."""
        return rows | "Append rows" >> beam.ParDo(_Append(self.warehouse, self.table))


class _Append(beam.DoFn):
    def __init__(self, warehouse: Appendable, table: str) -> None:
        self.warehouse = warehouse
        self.table = table
        self.rows: list[Row] = []

    def start_bundle(self) -> None:
        self.rows = []

    def process(self, row: Row) -> Iterable[None]:
        self.rows.append(row)
        return ()

    def finish_bundle(self) -> None:
        if self.rows:
            self.warehouse.append(self.table, self.rows)
            # A rejected message ends here; a play's is settled once it is in the archive.
            LEDGER.settle(row["message_id"] for row in self.rows if "message_id" in row)
