"""How the stream writes rows: the sink that a ``--warehouse`` stands for."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.ledger import LEDGER
from pipelines.warehouse.local import LocalWarehouse, WarehouseError

Row = dict[str, Any]


class WriteToFolder(beam.PTransform):
    """Appends rows to a table of a local warehouse: one file for each bundle and month, whole or not at all.

    A retried bundle writes its rows again; the views read each play and each snapshot once.
    """

    def __init__(self, warehouse: LocalWarehouse, table: str) -> None:
        self.warehouse = warehouse
        self.table = table

    def expand(self, rows: PCollection[Row]) -> PCollection[None]:
        """Any window."""
        return rows | beam.ParDo(_Append(self.warehouse, self.table))


class _Append(beam.DoFn):
    def __init__(self, warehouse: LocalWarehouse, table: str) -> None:
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


Sink = Callable[[str], beam.PTransform]


def sink_of(warehouse: str, time_zone: str) -> Sink:
    """From a ``--warehouse`` to what makes, for a table's name, the step that writes its rows.

    Raises WarehouseError if the warehouse cannot be written to.
    """
    if warehouse.startswith("bigquery://"):
        raise WarehouseError("writing to BigQuery is not there yet; give --warehouse a folder")
    return partial(WriteToFolder, LocalWarehouse(warehouse, time_zone))
