"""The streaming pipeline: plays from Pub/Sub into the archive, ``play_events`` and monthly top tens.

``python -m pipelines.stream --help`` lists its options.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.clock import Clock, utc_now
from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.options import LOCAL_STREAM_RUNNER, parse_stream, runner_of
from pipelines.storage.archive import Archive
from pipelines.streaming.archiving import open_files
from pipelines.streaming.checkpoint import Checkpoint, Checkpoints
from pipelines.streaming.graph import build
from pipelines.streaming.ledger import LEDGER
from pipelines.streaming.local_reader import LocalPubSub
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import sink_of
from pipelines.submission import run_or_submit


def stream(options: StreamOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Run until stopped, until no message comes if so asked, or submit to Dataflow.

    Raises Failure.
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
