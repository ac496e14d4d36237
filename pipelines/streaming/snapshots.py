"""Snapshots on their way through a stream: into the archive, then into the table of their kind.

They go beside the plays, and meet them nowhere: what is slow or wrong with a snapshot keeps no play waiting. A row may
be written more than once; the views over the tables read each snapshot once.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.clock import Clock
from pipelines.domain.month import month_text
from pipelines.domain.play import AHEAD
from pipelines.domain.snapshots import KINDS, Snapshot, from_message
from pipelines.storage.files import MissingError, StorageError
from pipelines.storage.snapshots import SnapshotArchive, decode_snapshots, kind_of
from pipelines.streaming.archiving import in_batches
from pipelines.streaming.replaying import KEPT_BY_PUBSUB, PASSED_OVER_LINE
from pipelines.streaming.sinks import Sink
from pipelines.tables import SNAPSHOTS, table_of
from pipelines.warehouse.json_rows import Row

_log = logging.getLogger("heavy_rotation")


def rows_by_table(snapshots: Iterable[Snapshot]) -> dict[str, list[Row]]:
    """The rows of snapshots by the table that they belong to."""
    rows: dict[str, list[Row]] = {}
    for snapshot in snapshots:
        rows.setdefault(table_of(snapshot.kind), []).append(snapshot.to_row())
    return rows


@dataclass
class ArchiveSnapshots(beam.PTransform):
    """Writes snapshots to the archive and hands them on once their file is there, as it is with plays.

    A file is written for ``batch_snapshots`` of a kind and month at most, or ``batch_seconds`` after the first.
    """

    archive: SnapshotArchive
    batch_snapshots: int
    batch_seconds: int

    def expand(self, snapshots: PCollection[Snapshot]) -> PCollection[Snapshot]:
        """Snapshots in the global window, with any timestamps."""
        # A stage of their own: where FnApiRunner fuses two steps with timers, those of one may never fire.
        apart = snapshots | "Set apart" >> beam.Reshuffle()
        batches = in_batches(apart, _folder_of, _pack, list[bytes], self.batch_snapshots, self.batch_seconds)
        return batches | "Write file" >> beam.FlatMap(_write, self.archive).with_output_types(Snapshot)


@dataclass
class ReplaySnapshots(beam.PTransform):
    """The archive's snapshots of the days that Pub/Sub keeps a message: a job that was cancelled may have archived what
    no table got.

    A file that cannot be read is told in the log, counted in the metric ``files_passed_over``, and passed over.
    """

    archive: SnapshotArchive
    clock: Clock

    def expand(self, begin: PBegin) -> PCollection[Snapshot]:
        """At a pipeline's beginning; in the global window."""
        return (
            begin
            | beam.Impulse()
            | "List files" >> beam.FlatMap(_recent_files, self.archive, self.clock).with_output_types(str)
            | "Spread files" >> beam.Reshuffle()
            | "Read file" >> beam.ParDo(_Read(self.archive, self.clock)).with_output_types(Snapshot)
        )


@dataclass
class WriteSnapshots(beam.PTransform):
    """Writes snapshots to the tables of their kinds."""

    sink: Sink

    def expand(self, snapshots: Any) -> Any:
        """A tuple of PCollections, in any windows, which do not matter here."""
        rows = snapshots | "All" >> beam.Flatten() | "To rows" >> beam.FlatMap(_row).with_outputs(*SNAPSHOTS)
        for table in SNAPSHOTS:
            rows[table] | f"{table.removesuffix('_snapshots').capitalize()}s" >> self.sink(table)


def _folder_of(snapshot: Snapshot) -> str:
    return f"{snapshot.kind}/{month_text(snapshot.month)}"


def _pack(snapshots: Sequence[Snapshot]) -> list[bytes]:
    """As the data of their messages: a job that is updated to a version with new fields reads what is on its way."""
    return [snapshot.to_message()[0] for snapshot in snapshots]


def _write(batch: tuple[Any, Iterable[list[bytes]]], archive: SnapshotArchive) -> list[Snapshot]:
    sharded_key, packs = batch
    kind = sharded_key.key.partition("/")[0]
    snapshots = [from_message(kind, data) for pack in packs for data in pack]
    archive.write(snapshots)
    return snapshots


def _row(snapshot: Snapshot) -> Iterator[Any]:
    yield TaggedOutput(table_of(snapshot.kind), snapshot.to_row())


def _recent_files(_: bytes, archive: SnapshotArchive, clock: Clock) -> Iterator[str]:
    """The files that may have snapshots that Pub/Sub would still keep a message of. Raises StorageError."""
    now = clock()
    days = range(-KEPT_BY_PUBSUB.days, AHEAD.days + 1)
    months = sorted({(now + timedelta(days=day)).date().replace(day=1) for day in days})
    for kind in KINDS:
        yield from archive.files(kind, months)


class _Read(beam.DoFn):
    def __init__(self, archive: SnapshotArchive, clock: Clock) -> None:
        self.archive = archive
        self.clock = clock
        self.files_passed_over = Metrics.counter("heavy_rotation", "files_passed_over")

    def process(self, path: str) -> Iterator[Snapshot]:
        kind, since = kind_of(path), self.clock() - KEPT_BY_PUBSUB
        assert kind
        try:
            data = self.archive.read_bytes(path)
        except MissingError:
            return
        try:
            snapshots = decode_snapshots(kind, path, data)
        except StorageError as error:
            self.files_passed_over.inc()
            _log.error(PASSED_OVER_LINE, error)
            return
        yield from (snapshot for snapshot in snapshots if snapshot.taken_at >= since)
