"""A stream on this machine: what comes from Pub/Sub goes into the archive, and from there into the tables."""

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import FrameType

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.clock import Clock
from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from pipelines.streaming.graph import build_from_archive
from pipelines.streaming.intake import Intake
from pipelines.streaming.lease import Lease
from pipelines.streaming.local_source import FileFeed
from pipelines.streaming.progress import Progress, ToldSink
from pipelines.streaming.replaying import open_files, open_months
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import Sink, files_of_plays
from pipelines.streaming.subscription import Subscription

# With what closing needs, draining ends within ten seconds, which is what a service manager gives.
_DRAIN_SECONDS = 5.0


def run_here(
    options: StreamOptions, beam_options: PipelineOptions, sink: Sink, clock: Clock, say: Callable[[str], object]
) -> None:
    """Run until SIGINT or SIGTERM, which drains: what was pulled is archived, acknowledged and counted.

    Draining ends within ten seconds. What is not counted by then is in the archive, and the next launch counts it.
    A second signal ends the process as it always does. Raises Failure, also where another stream is at work on the
    archive.
    """
    stopping, giving_up = Event(), Event()

    def give_up() -> None:
        giving_up.set()
        stopping.set()

    with (
        _stopped_by_signals(stopping),
        _explained_once(),
        Lease(options.archive, clock, give_up) as lease,
        Subscription(options.subscription, stopping) as subscription,
        FileFeed(options.refresh_seconds) as feed,
        TemporaryDirectory(prefix="heavy-rotation-") as copies,
    ):
        progress = Progress(say)
        say(f"Reading {options.subscription}; Ctrl-C finishes what was read and ends")
        # First what the tables have, so that of the archive only what they lack is added; new messages go before both.
        months = open_months(options.calendar, options.lateness, clock())
        feed.put_behind(*files_of_plays(sink, months, Path(copies)))
        feed.put_behind(*open_files(Archive(options.archive), options.calendar, options.lateness, clock()))
        pipeline = beam.Pipeline(options=beam_options)
        build_from_archive(
            pipeline | "Read new files" >> feed.read(), options, ToldSink(sink), clock, FileFeed.note_read
        )
        intake = Intake(subscription, options, sink, clock, progress)
        intake.catch_up(lease.since)

        def take() -> None:
            try:
                intake.run(stopping, giving_up, feed.put)
            finally:
                stopping.set()
                feed.end()

        result = pipeline.run()
        taking, counting = _Running(take), _Running(result.wait_until_finish)
        lease.ended_well = _finished(taking, counting, stopping, progress)
        if not lease.ended_well:
            result.cancel()
        if lease.error:
            raise lease.error
        progress.summarize()
        if not lease.ended_well:
            say("Stopped before all was counted; it is in the archive, and the next launch counts it")


def _finished(taking: "_Running", counting: "_Running", stopping: Event, progress: Progress) -> bool:
    """Wait until both have ended, or until draining has taken too long. Raises what one of them raised."""
    while not stopping.wait(0.2):
        progress.tell_counted()
        if counting.ended:  # it failed: without an end of its input it does not end otherwise
            stopping.set()
    deadline = time.monotonic() + _DRAIN_SECONDS
    for running in (taking, counting):
        running.join(max(0.0, deadline - time.monotonic()))
    for running in (counting, taking):
        if running.error:
            raise running.error
    return taking.ended and counting.ended


class _Running:
    """Something that runs in a thread of its own, which does not keep the process from ending."""

    def __init__(self, run: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._run = run
        self._thread = Thread(target=self._keep_error, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it has returned or raised."""
        return not self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)

    def _keep_error(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error


@contextmanager
def _stopped_by_signals(stopping: Event) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        stopping.set()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _explained_once() -> Iterator[None]:
    """The runner logs each of its attempts. What is explained when the command ends is not logged besides."""
    runner = [logging.getLogger(f"apache_beam.runners.{name}") for name in ("direct.executor", "common")]
    for logger in runner:
        logger.addFilter(_is_not_explained)
    try:
        yield
    finally:
        for logger in runner:
            logger.removeFilter(_is_not_explained)


def _is_not_explained(record: logging.LogRecord) -> bool:
    arguments = record.args if isinstance(record.args, tuple) else ()
    raised = [
        sys.exception(),
        *arguments,
        *(part for argument in arguments if isinstance(argument, tuple) for part in argument),
    ]
    return not any(isinstance(error, Failure) for error in raised)
