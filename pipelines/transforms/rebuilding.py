"""The steps of the rebuild: archive files in, finished Parquet files in a staging warehouse out.

Work goes by columns: a file is read whole, split by month and by user, and each part is finished at once. What
crosses a shuffle is a part in Arrow's format, not a play.
"""

import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime

import apache_beam as beam
import polars as pl
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection

from pipelines import columnar
from pipelines.archive import Archive
from pipelines.domain.month import Calendar, month_text
from pipelines.storage import StorageError
from pipelines.warehouse.local import LocalWarehouse

NAMESPACE = "heavy_rotation"
# A month of many users is too much for one worker's memory; all plays of one user have to meet in one part.
_PARTS = 16
# Plays that are finished at once, if not one part has more: some hundred megabytes.
_TOGETHER = 200_000

Part = tuple[str, int]


class ReadParts(beam.PTransform):
    """Archive files to ``((month, part), plays)``, plays as an Arrow stream.

    A file with broken contents is named in the metric ``unreadable`` with the reason, and the others go on; it
    is for the caller not to use what was made then.
    """

    def __init__(self, archive: Archive, calendar: Calendar, months: tuple[date, ...] | None) -> None:
        self.archive = archive
        self.calendar = calendar
        self.months = months

    def expand(self, paths: PCollection[str]) -> PCollection[tuple[Part, bytes]]:
        """Paths of archive files. Plays of other months than ``months`` are passed over."""
        return paths | beam.ParDo(_ReadParts(self.archive, self.calendar, self.months)).with_output_types(
            tuple[Part, bytes]
        )


class _ReadParts(beam.DoFn):
    def __init__(self, archive: Archive, calendar: Calendar, months: tuple[date, ...] | None) -> None:
        self.archive = archive
        self.calendar = calendar
        self.months = months
        self.read = Metrics.counter(NAMESPACE, "plays_read")
        self.unreadable = Metrics.string_set(NAMESPACE, "unreadable")

    def process(self, path: str) -> Iterator[tuple[Part, bytes]]:
        data = self.archive.read_bytes(path)
        try:
            plays = columnar.read_plays(path, data)
        except StorageError as error:
            self.unreadable.add(str(error))
            return
        plays = columnar.with_local_time(plays, self.calendar)
        if self.months is not None:
            plays = plays.filter(pl.col("month").is_in(self.months))
        self.read.inc(plays.height)
        plays = plays.with_columns(part=pl.col("user_id").hash() % _PARTS)
        for (month, part), rows in plays.partition_by("month", "part", as_dict=True, include_key=True).items():
            yield (month_text(month), int(part)), _to_bytes(rows.drop("part"))


class FinishParts(beam.PTransform):
    """Parts to files of ``play_events`` and ``top_ten_snapshots`` in the staging warehouse."""

    def __init__(self, staging: LocalWarehouse, calendar: Calendar, computed_at: datetime) -> None:
        self.staging = staging
        self.calendar = calendar
        self.computed_at = computed_at

    def expand(self, parts: PCollection[tuple[Part, bytes]]) -> PCollection[None]:
        """In the global window of a bounded pipeline."""
        return (
            parts
            | "Collect parts" >> beam.GroupByKey()
            | "Finish parts" >> beam.ParDo(_FinishParts(self.staging, self.calendar, self.computed_at))
        )


class _FinishParts(beam.DoFn):
    """Takes parts together, since a hundred small ones would cost a hundred times what one costs."""

    def __init__(self, staging: LocalWarehouse, calendar: Calendar, computed_at: datetime) -> None:
        self.staging = staging
        self.calendar = calendar
        self.computed_at = computed_at
        self.distinct = Metrics.counter(NAMESPACE, "plays_distinct")
        self.waiting: list[pl.DataFrame] = []

    def start_bundle(self) -> None:
        self.waiting = []

    def process(self, element: tuple[Part, Iterable[bytes]]) -> Iterable[None]:
        _, batches = element
        self.waiting += map(_from_bytes, batches)
        if sum(plays.height for plays in self.waiting) >= _TOGETHER:
            self._finish()
        return ()

    def finish_bundle(self) -> None:
        if self.waiting:
            self._finish()

    def _finish(self) -> None:
        plays = columnar.each_once(pl.concat(self.waiting))
        self.waiting = []
        self.distinct.inc(plays.height)
        snapshots = columnar.snapshots(plays, self.calendar, self.computed_at)
        for table, rows in (("play_events", plays), ("top_ten_snapshots", snapshots)):
            for (month,), of_month in rows.partition_by("month", as_dict=True).items():
                self.staging.write(table, month, of_month.to_arrow())


def _to_bytes(plays: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    plays.write_ipc_stream(stream, compression="lz4")
    return stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
