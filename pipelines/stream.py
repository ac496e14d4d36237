"""The streaming pipeline: plays from Pub/Sub into the archive, ``play_events`` and monthly top tens.

``heavy-rotation stream --help`` lists its options.
"""

import signal
import sys

if __name__ == "__main__":
    # Until the command can answer a signal itself: imports take seconds, and would end in a stack trace.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.clock import Clock, utc_now
from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.options import SHOW_GRAPH, parse_show_graph, parse_stream
from pipelines.runners import LOCAL_STREAM_RUNNER, runner_of
from pipelines.storage.archive import Archive
from pipelines.streaming.graph import build
from pipelines.streaming.local import run_here
from pipelines.streaming.picture import as_svg, as_text, steps_of_stream
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import sink_of
from pipelines.streaming.subscription import check_subscription
from pipelines.submission import run_or_submit


def stream(options: StreamOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Run until stopped, or submit to Dataflow. Raises Failure."""
    local = runner_of(beam_options) == LOCAL_STREAM_RUNNER
    if local:
        check_subscription(options.subscription)  # before anything is made on disk
    archive, method = Archive(options.archive), options.bigquery_write_method
    sink = sink_of(options.warehouse, options.calendar.time_zone, archive.marks, method, clock, local=local)
    archive.check_writable()
    if local:
        run_here(options, beam_options, sink, clock, report)
        return
    pipeline = beam.Pipeline(options=beam_options)
    read = ReadFromPubSub(subscription=options.subscription, with_attributes=True)
    build(pipeline | "Read from Pub/Sub" >> read, options, sink, clock)
    run_or_submit(pipeline, beam_options)


def show_graph(argv: Sequence[str]) -> str:
    """The graph as text, or written to the SVG file that is named, and that it was. Raises Failure."""
    path = parse_show_graph(argv)
    steps = steps_of_stream()
    if path is None:
        return as_text(steps)
    try:
        path.write_text(as_svg(steps), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    return f"The graph is in {path}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if any(word.partition("=")[0] == SHOW_GRAPH for word in arguments):
        return run_command(lambda: show_graph(arguments))
    return run_command(lambda: stream(*parse_stream(arguments)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
