"""The streaming pipeline: plays from Pub/Sub into the archive, ``play_events`` and monthly top tens.

``python -m pipelines.stream --help`` lists its options.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.archive import Archive
from pipelines.checkpoint import Checkpoint, Checkpoints
from pipelines.clock import Clock, utc_now
from pipelines.command import Failure, report, run_command
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.ledger import LEDGER
from pipelines.local_pubsub import LocalPubSub
from pipelines.options import LOCAL_STREAM_RUNNER, StreamOptions, parse_stream, runner_of
from pipelines.submission import run_or_submit
from pipelines.transforms.archiving import ArchivePlays, ReplayOpenMonths, open_files
from pipelines.transforms.counting import CountTopTens, DeduplicatePlays, SplitTooLate, digests
from pipelines.transforms.parsing import ParseMessages
from pipelines.transforms.windows import WindowIntoMonths, at_played_at
from pipelines.warehouse.sinks import Sink, sink_of


def build(
    messages: PCollection[Any],
    options: StreamOptions,
    sink: Sink,
    clock: Clock = utc_now,
    known: Checkpoint | None = None,
) -> None:
    """The graph, from Pub/Sub messages with attributes to rows in the tables, which hold the ``known`` plays."""
    known = known or Checkpoint()
    archive, calendar = Archive(options.archive), options.calendar
    received, rejected = messages | "Parse messages" >> ParseMessages(clock)
    rejected | "Write rejected" >> sink("rejected")

    archived = received | "Archive plays" >> ArchivePlays(
        archive, calendar, options.archive_batch_plays, options.archive_batch_seconds
    )
    replayed = messages.pipeline | "Replay open months" >> ReplayOpenMonths(
        archive, calendar, options.lateness, clock, known.files
    )
    in_time, too_late = (
        (archived, replayed)
        | "Archived and replayed" >> beam.Flatten()
        | "Split too late" >> SplitTooLate(calendar, options.lateness, clock)
    )
    months = WindowIntoMonths(calendar, options.refresh_seconds, options.lateness)
    once = in_time | "Window into months" >> months | "Deduplicate plays" >> DeduplicatePlays()
    once | "Plays once" >> _WritePlayEvents(calendar, sink)
    too_late | "Plays too late" >> _WritePlayEvents(calendar, sink)
    counted = _with_known(once, known, months) if known.plays else once
    told = digests(known.plays, calendar, known.counted_at)
    counted | "Count top tens" >> CountTopTens(calendar, clock, told) | "Write top tens" >> sink("top_ten_snapshots")


def _with_known(once: PCollection[Play], known: Checkpoint, months: WindowIntoMonths) -> PCollection[Play]:
    plays = (
        once.pipeline
        | "Known plays" >> beam.Create(known.plays)
        | "At played_at" >> beam.Map(at_played_at)
        | "Window known plays" >> months
    )
    return (once, plays) | "Once and known" >> beam.Flatten()


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
    """Run until stopped, until no message comes if so asked, or submit to Dataflow.

    Raises Failure, StorageError, WarehouseError.
    """
    local_run = runner_of(beam_options) == LOCAL_STREAM_RUNNER
    sink = sink_of(options.warehouse, options.calendar.time_zone, options.bigquery_write_method, clock, local=local_run)
    Archive(options.archive).check_writable()

    def run(known: Checkpoint | None = None) -> None:
        pipeline = beam.Pipeline(options=beam_options)
        read = ReadFromPubSub(subscription=options.subscription, with_attributes=True)
        build(pipeline | "Read from Pub/Sub" >> read, options, sink, clock, known)
        run_or_submit(pipeline, beam_options)
        sink.finish()

    if not local_run:
        run()
        return
    _require_subscription(options.subscription)
    # The runner logs each of its tries with a stack trace; what ends it is told once, below.
    for runner in ("apache_beam.runners.direct.executor", "apache_beam.runners.common"):
        logging.getLogger(runner).setLevel(logging.CRITICAL)
    local = LocalPubSub(options.subscription, options.archive_batch_seconds, options.stop_when_idle_seconds)
    local.install()
    try:
        if options.stop_when_idle_seconds:
            _run_until_idle(options, local, run, clock())
        else:
            report(f"Reading {options.subscription}; Ctrl-C finishes what was read and ends")
            run()
    finally:
        local.finish()


def _run_until_idle(
    options: StreamOptions, local: LocalPubSub, run: Callable[[Checkpoint], None], now: datetime
) -> None:
    """Run if a message waits, or if the tables may lack something, and leave a checkpoint."""
    archive = Archive(options.archive)
    checkpoints = Checkpoints(archive, options.warehouse, options.calendar, options.lateness)
    files = open_files(archive, options.calendar, options.lateness, now)
    known = checkpoints.load(now, files)
    report(f"Reading {options.subscription} until nothing has come for {options.stop_when_idle_seconds} s")
    with _explained(options.subscription):
        came = local.wait_for_first()
    if not came and known.covers(files, options.calendar, now):
        report("Nothing new")
        return
    run(known)
    if local.stopped:
        # Plays that were waiting for their file are archived, but came too late to be counted: the next run does it.
        report("Stopped; what was read is in the archive, and the next run counts it")
        return
    checkpoints.save(known, now, [*files, *LEDGER.files])
    report(f"Read what was waiting, into {len(LEDGER.files)} new files of the archive")


def _require_subscription(subscription: str) -> None:
    """Raises Failure where there is no such subscription or nobody to ask: the runner would only retry."""
    with SubscriberClient() as client, _explained(subscription):
        client.get_subscription(subscription=subscription, timeout=10, retry=None)


@contextmanager
def _explained(subscription: str) -> Iterator[None]:
    try:
        yield
    except GoogleAPICallError as error:
        raise Failure(f"Pub/Sub does not give {subscription}: {error.message}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command("pipelines.stream", lambda: stream(*parse_stream(argv)))


if __name__ == "__main__":
    sys.exit(main())
