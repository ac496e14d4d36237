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
from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.storage import StorageError
from pipelines.warehouse.local import LocalWarehouse

NAMESPACE = "heavy_rotation"
# A month of many users is too much for one worker's memory; all plays of one user have to meet in one part.
_PARTS = 16

Part = tuple[str, int]


class ReadParts(beam.PTransform):
    """Archive files to ``((month, part), plays)``, plays as an Arrow stream.

    A file that cannot be read is named in the metric ``unreadable`` with the reason, and the others go on; it
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
        try:
            plays = columnar.read_plays(path, self.archive.read_bytes(path))
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
            | "Finish part" >> beam.ParDo(_FinishPart(self.staging, self.calendar, self.computed_at))
        )


class _FinishPart(beam.DoFn):
    def __init__(self, staging: LocalWarehouse, calendar: Calendar, computed_at: datetime) -> None:
        self.staging = staging
        self.calendar = calendar
        self.computed_at = computed_at
        self.distinct = Metrics.counter(NAMESPACE, "plays_distinct")

    def process(self, element: tuple[Part, Iterable[bytes]]) -> Iterable[None]:
        (month, _), batches = element
        plays = columnar.each_once(pl.concat(map(_from_bytes, batches)))
        self.distinct.inc(plays.height)
        snapshots = columnar.snapshots(plays, self.calendar, self.computed_at)
        self.staging.write("play_events", parse_month(month), plays.to_arrow())
        self.staging.write("top_ten_snapshots", parse_month(month), snapshots.to_arrow())
        return ()


def _to_bytes(plays: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    plays.write_ipc_stream(stream)
    return stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
