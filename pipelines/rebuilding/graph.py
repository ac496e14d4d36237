"""The steps of the rebuild: archive files in, finished files in a staging warehouse out.

Work goes by columns: a file is read whole, split by month and by user, and each part is finished at once. What
crosses a shuffle is a part in Arrow's format, not a play.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.clock import Clock
from pipelines.domain.month import Calendar, month_text
from pipelines.rebuilding import columns
from pipelines.rebuilding.manifests import Fingerprints, Rebuilt
from pipelines.storage.archive import Archive, around
from pipelines.storage.files import StorageError

NAMESPACE = "heavy_rotation"
# A month of many users is too much for one worker's memory; all plays of one user have to meet in one part.
_PARTS = 16
# Plays that are finished at once, if not one part has more: some hundred megabytes.
_TOGETHER = 200_000

Part = tuple[str, int]
# Table, month as 2026-11, path.
Made = tuple[str, str, str]
_UNREADABLE = "unreadable"


class Staging(Protocol):
    """Where finished files wait until all of them are there."""

    def write(self, table: str, month: date, arrow_table: pa.Table) -> str | Path:
        """A new file with rows of one month of a table; its path. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be rebuilt: ``months`` or, if None, all; ``listed`` is all of the archive, before it was read.

    ``asked`` says that a person named the months, and means some that are not there as a mistake. ``fingerprints`` are
    for ``rebuilt`` to note in the end.
    """

    archive: Archive
    calendar: Calendar
    months: tuple[date, ...] | None
    asked: bool
    listed: list[str]
    clock: Clock
    rebuilt: Rebuilt
    fingerprints: Fingerprints

    @property
    def paths(self) -> list[str]:
        """The files to read."""
        return around(self.months, self.listed)

    def stage(self, pipeline: beam.Pipeline, staging: Staging) -> Any:
        """The steps to what was made, and to what could not be read."""
        parts, unreadable = (
            pipeline
            | "List files" >> beam.Create(self.paths)
            | "Spread files" >> beam.Reshuffle()
            | "Read parts" >> ReadParts(self.archive, self.calendar, self.months)
        )
        return parts | "Finish parts" >> FinishParts(staging, self.calendar, self.clock()), unreadable


class ReadParts(beam.PTransform):
    """Archive files to a pair: ``((month, part), plays)``, plays as an Arrow stream, and what could not be read.

    Of a file with broken contents there is the reason, with its path, in the metric ``unreadable`` too, and the
    others go on; it is for the caller not to use what was made then.
    """

    def __init__(self, archive: Archive, calendar: Calendar, months: tuple[date, ...] | None) -> None:
        self.archive = archive
        self.calendar = calendar
        self.months = months

    def expand(self, paths: PCollection[str]) -> Any:
        """Paths of archive files. Plays of other months than ``months`` are passed over."""
        ways = paths | "Read files" >> beam.ParDo(_ReadParts(self.archive, self.calendar, self.months)).with_outputs(
            _UNREADABLE, main="parts"
        )
        return ways.parts, ways[_UNREADABLE]


class _ReadParts(beam.DoFn):
    def __init__(self, archive: Archive, calendar: Calendar, months: tuple[date, ...] | None) -> None:
        self.archive = archive
        self.calendar = calendar
        self.months = months
        self.read = Metrics.counter(NAMESPACE, "plays_read")
        self.unreadable = Metrics.string_set(NAMESPACE, "unreadable")

    def process(self, path: str) -> Iterator[Any]:
        data = self.archive.read_bytes(path)
        try:
            plays = columns.read_plays(path, data)
        except StorageError as error:
            self.unreadable.add(str(error))
            yield TaggedOutput(_UNREADABLE, str(error))
            return
        plays = columns.with_local_time(plays, self.calendar)
        if self.months is not None:
            plays = plays.filter(pl.col("month").is_in(self.months))
        self.read.inc(plays.height)
        plays = plays.with_columns(part=pl.col("user_id").hash() % _PARTS)
        for (month, part), rows in plays.partition_by("month", "part", as_dict=True, include_key=True).items():
            yield (month_text(month), int(part)), _to_bytes(rows.drop("part"))


class FinishParts(beam.PTransform):
    """Parts to files of ``play_events`` and ``top_ten_snapshots`` in the staging warehouse."""

    def __init__(self, staging: Staging, calendar: Calendar, computed_at: datetime) -> None:
        self.staging = staging
        self.calendar = calendar
        self.computed_at = computed_at

    def expand(self, parts: PCollection[tuple[Part, bytes]]) -> PCollection[Made]:
        """In the global window of a bounded pipeline."""
        return (
            parts
            | "Collect parts" >> beam.GroupByKey()
            | "Finish parts"
            >> beam.ParDo(_FinishParts(self.staging, self.calendar, self.computed_at)).with_output_types(Made)
        )


class _FinishParts(beam.DoFn):
    """Takes parts together, since a hundred small ones would cost a hundred times what one costs."""

    def __init__(self, staging: Staging, calendar: Calendar, computed_at: datetime) -> None:
        self.staging = staging
        self.calendar = calendar
        self.computed_at = computed_at
        self.distinct = Metrics.counter(NAMESPACE, "plays_distinct")
        self.waiting: list[pl.DataFrame] = []

    def start_bundle(self) -> None:
        self.waiting = []

    def process(self, element: tuple[Part, Iterable[bytes]]) -> Iterator[Made]:
        _, batches = element
        self.waiting += map(_from_bytes, batches)
        if sum(plays.height for plays in self.waiting) >= _TOGETHER:
            yield from self._finish()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self.waiting:
            for made in self._finish():
                yield WindowedValue(made, MIN_TIMESTAMP, (GlobalWindow(),))

    def _finish(self) -> Iterator[Made]:
        plays = columns.with_keys(columns.each_once(pl.concat(self.waiting)))
        self.waiting = []
        self.distinct.inc(plays.height)
        snapshots = columns.snapshots(plays, self.calendar, self.computed_at)
        for table, rows in (("play_events", plays), ("top_ten_snapshots", snapshots)):
            for (month,), of_month in rows.partition_by("month", as_dict=True).items():
                yield table, month_text(month), str(self.staging.write(table, month, of_month.to_arrow()))


def _to_bytes(plays: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    plays.write_ipc_stream(stream, compression="lz4")
    return stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
