"""The streaming pipeline: plays from Pub/Sub into the archive, ``play_events`` and monthly top tens.

``python -m pipelines.stream --help`` lists its options.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.pvalue import PCollection
from apache_beam.runners.direct.direct_runner import DirectPipelineResult

from pipelines.archive import Archive
from pipelines.clock import Clock, utc_now
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.options import StreamOptions, parse_stream
from pipelines.storage import StorageError
from pipelines.transforms.archiving import ArchivePlays, ReplayOpenMonths
from pipelines.transforms.counting import CountTopTens, DeduplicatePlays, SplitTooLate
from pipelines.transforms.parsing import ParseMessages
from pipelines.transforms.windows import WindowIntoMonths
from pipelines.warehouse import WarehouseError
from pipelines.warehouse.sinks import Sink, sink_of

_log = logging.getLogger("heavy_rotation")


def build(
    messages: PCollection[Any],
    options: StreamOptions,
    sink: Sink,
    clock: Clock = utc_now,
) -> None:
    """The graph, from Pub/Sub messages with attributes to rows in the tables."""
    archive, calendar = Archive(options.archive), options.calendar
    received = messages | "Parse messages" >> ParseMessages(clock)
    received.rejected | "Write rejected" >> sink("rejected")

    archived = received.plays | "Archive plays" >> ArchivePlays(
        archive, calendar, options.archive_batch_plays, options.archive_batch_seconds
    )
    replayed = messages.pipeline | "Replay open months" >> ReplayOpenMonths(
        archive, calendar, options.lateness, clock
    )
    in_time, too_late = (
        (archived, replayed)
        | "Archived and replayed" >> beam.Flatten()
        | "Split too late" >> SplitTooLate(calendar, options.lateness, clock)
    )
    once = (
        in_time
        | "Window into months" >> WindowIntoMonths(calendar, options.refresh_seconds, options.lateness)
        | "Deduplicate plays" >> DeduplicatePlays()
    )
    once | "Plays once" >> _WritePlayEvents(calendar, sink)
    too_late | "Plays too late" >> _WritePlayEvents(calendar, sink)
    once | "Count top tens" >> CountTopTens(calendar, clock) | "Write top tens" >> sink("top_ten_snapshots")


class _WritePlayEvents(beam.PTransform):
    def __init__(self, calendar: Calendar, sink: Sink) -> None:
        self.calendar = calendar
        self.sink = sink

    def expand(self, plays: PCollection[Play]) -> Any:
        return (
            plays
            | "To rows" >> beam.Map(Play.to_row, self.calendar).with_output_types(dict[str, Any])
            | "Write play_events" >> self.sink("play_events")
        )


def run(argv: Sequence[str] | None = None, clock: Clock = utc_now) -> int:
    """Run until stopped, and return the exit code."""
    options, beam_options = parse_stream(argv)
    try:
        sink = sink_of(options.warehouse, options.calendar.time_zone)
        Archive(options.archive).files([])
    except (StorageError, WarehouseError) as error:
        print(f"pipelines.stream: {error}", file=sys.stderr)
        return 1
    pipeline = beam.Pipeline(options=beam_options)
    messages = pipeline | "Read from Pub/Sub" >> ReadFromPubSub(
        subscription=options.subscription, with_attributes=True
    )
    build(messages, options, sink, clock)
    result = pipeline.run()
    if not isinstance(result, DirectPipelineResult):
        result.wait_until_finish()
        return 0
    return _until_stopped(result, options)


if __name__ == "__main__":
    sys.exit(run())
