"""The stream's graphs, on one screen: from Pub/Sub messages, or from the archive's files, to rows in the tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.clock import Clock, utc_now
from pipelines.domain.month import Calendar
from pipelines.domain.snapshots import Snapshot
from pipelines.storage.archive import Archive
from pipelines.storage.forgotten import Marks
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.streaming.archiving import ArchivePlays
from pipelines.streaming.batches import UserPlays
from pipelines.streaming.counting import CountPlays, SplitTooLate
from pipelines.streaming.parsing import ParseMessages
from pipelines.streaming.replaying import ReadOpenPlays, ReplayOpenMonths
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import Sink
from pipelines.streaming.snapshots import ArchiveSnapshots, ReplaySnapshots, WriteSnapshots
from pipelines.streaming.windows import WindowIntoMonths


def build(messages: PCollection[Any], options: StreamOptions, sink: Sink, clock: Clock = utc_now) -> None:
    """From Pub/Sub messages with attributes, which the runner acknowledges once it has committed what came of them."""
    archive, calendar = Archive(options.archive), options.calendar
    received, snapshots, rejected = messages | "Parse messages" >> ParseMessages(clock, archive.marks)
    rejected | "Write rejected" >> sink("rejected")

    archived = received | "Archive plays" >> ArchivePlays(
        archive, calendar, options.archive_batch_plays, options.archive_batch_seconds
    )
    replayed = messages.pipeline | "Replay open months" >> ReplayOpenMonths(archive, calendar, options.lateness, clock)
    in_time, too_late = (
        (archived, replayed)
        | "Archived and replayed" >> beam.Flatten()
        | "Split too late" >> SplitTooLate(calendar, options.lateness, clock)
    )
    _count(in_time, options, sink, clock)
    too_late | "Plays too late" >> _WritePlayEvents(calendar, sink, archive.marks)
    _keep(snapshots, options, sink, clock)


def build_from_archive(
    paths: PCollection[str],
    options: StreamOptions,
    sink: Sink,
    clock: Clock = utc_now,
    note_read: Callable[[str], object] = str,
) -> None:
    """From paths of files of the archive and of ``play_events`` in a folder: those that were there at the launch, and
    each new one when it is there. ``note_read`` is told of each path that was read; it is pickled."""
    archive, calendar = Archive(options.archive), options.calendar
    in_time = paths | "Read open plays" >> ReadOpenPlays(archive, calendar, options.lateness, clock, note_read)
    _count(in_time, options, sink, clock)


def _keep(snapshots: PCollection[Snapshot], options: StreamOptions, sink: Sink, clock: Clock) -> None:
    archive = SnapshotArchive(options.archive)
    archived = snapshots | "Archive snapshots" >> ArchiveSnapshots(
        archive, options.archive_batch_plays, options.archive_batch_seconds
    )
    replayed = snapshots.pipeline | "Replay snapshots" >> ReplaySnapshots(archive, clock)
    (archived, replayed) | "Write snapshots" >> WriteSnapshots(sink)


def _count(in_time: PCollection[UserPlays], options: StreamOptions, sink: Sink, clock: Clock) -> None:
    calendar, marks = options.calendar, Archive(options.archive).marks
    once, snapshots = (
        in_time
        | "Window into months" >> WindowIntoMonths(calendar, options.lateness)
        | "Count plays" >> CountPlays(calendar, options.refresh_seconds, clock, marks)
    )
    once | "Plays once" >> _WritePlayEvents(calendar, sink, marks)
    snapshots | "Write top tens" >> sink("top_ten_snapshots")


@dataclass
class _WritePlayEvents(beam.PTransform):
    calendar: Calendar
    sink: Sink
    marks: Marks

    def expand(self, plays: PCollection[UserPlays]) -> Any:
        return (
            plays
            | "To rows" >> beam.FlatMap(_rows, self.calendar, self.marks).with_output_types(dict[str, Any])
            | "Write play_events" >> self.sink("play_events")
        )


def _rows(batch: UserPlays, calendar: Calendar, marks: Marks) -> Iterator[dict[str, Any]]:
    return (play.to_row(calendar) for play in marks.lately().without(batch[1].plays))
