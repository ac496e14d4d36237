"""The streaming pipeline: plays from Pub/Sub into the archive, ``play_events`` and monthly top tens.

``python -m pipelines.stream --help`` lists its options.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.pvalue import PCollection
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.archive import Archive
from pipelines.clock import Clock, utc_now
from pipelines.command import Failure, report, run_command
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.local_pubsub import LocalPubSub
from pipelines.options import LOCAL_STREAM_RUNNER, StreamOptions, parse_stream
from pipelines.submission import run_or_submit
from pipelines.transforms.archiving import ArchivePlays, ReplayOpenMonths
from pipelines.transforms.counting import CountTopTens, DeduplicatePlays, SplitTooLate
from pipelines.transforms.parsing import ParseMessages
from pipelines.transforms.windows import WindowIntoMonths
from pipelines.warehouse.sinks import Sink, sink_of


def build(
    messages: PCollection[Any],
    options: StreamOptions,
    sink: Sink,
    clock: Clock = utc_now,
) -> None:
    """The graph, from Pub/Sub messages with attributes to rows in the tables."""
    archive, calendar = Archive(options.archive), options.calendar
    received, rejected = messages | "Parse messages" >> ParseMessages(clock)
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


def stream(options: StreamOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Run until stopped, or submit to Dataflow. Raises Failure, StorageError, WarehouseError."""
    sink = sink_of(options.warehouse, options.calendar.time_zone)
    Archive(options.archive).check_writable()
    pipeline = beam.Pipeline(options=beam_options)
    messages = pipeline | "Read from Pub/Sub" >> ReadFromPubSub(subscription=options.subscription, with_attributes=True)
    build(messages, options, sink, clock)
    if beam_options.view_as(StandardOptions).runner != LOCAL_STREAM_RUNNER:
        run_or_submit(pipeline, beam_options)
        return
    _require_subscription(options.subscription)
    # The runner logs each of its tries with a stack trace; what ends it is told once, below.
    for runner in ("apache_beam.runners.direct.executor", "apache_beam.runners.common"):
        logging.getLogger(runner).setLevel(logging.CRITICAL)
    local = LocalPubSub(options.subscription, options.archive_batch_seconds)
    local.install()
    report(f"Reading {options.subscription}; Ctrl-C finishes what was read and ends")
    try:
        pipeline.run().wait_until_finish()
    finally:
        local.finish()


def _require_subscription(subscription: str) -> None:
    """Raises Failure where there is no such subscription or nobody to ask: the runner would only retry."""
    with SubscriberClient() as client:
        try:
            client.get_subscription(subscription=subscription, timeout=10, retry=None)
        except GoogleAPICallError as error:
            raise Failure(f"Pub/Sub does not give {subscription}: {error.message}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command("pipelines.stream", lambda: stream(*parse_stream(argv)))


if __name__ == "__main__":
    sys.exit(main())
