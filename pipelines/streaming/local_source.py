"""The unbounded source of a stream on this machine: paths of the archive's files, as they come.

Beam's local runner for streams takes unbounded input from two sources only: its own reading of Pub/Sub, which
acknowledges before anything is safe, and ``TestStream``, whose events may come from a gRPC service. The second one
is what the stream's tests run on. So here is such a service, in this process and on a socket that only its user can
open: a tick of the clock each second, an event for each file, and the watermark at the present.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Self

import apache_beam as beam
from apache_beam.coders import StrUtf8Coder
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.testing.test_stream import TestStream
from apache_beam.testing.test_stream_service import TestStreamServiceController

_events = beam_runner_api_pb2.TestStreamPayload
_TICK_SECONDS = 1.0
_OUTPUT = "files"
# An event has to fit into a message of gRPC, and the archive may have thousands of files at a launch.
_MOST_PATHS = 100
# So that what is new waits for a few files at most: the runner takes all events that it is given, and works on them in
# their order.
_MOST_PATHS_BEHIND = 4
_LOOK_SECONDS = 0.02
# Paths that were read. The runner pickles its steps, and a queue cannot be: the one of this process, which has one
# stream.
_read: SimpleQueue[str] = SimpleQueue()
_coder = StrUtf8Coder()


class FileFeed:
    """Paths that are put in here come out of ``read`` in a pipeline of this process.

    Use it as a context manager around the pipeline's run. After ``end`` the pipeline takes what was put in before, its
    windows close, and it ends by itself.
    """

    def __init__(self, refresh_seconds: int) -> None:
        self._paths: SimpleQueue[Sequence[str]] = SimpleQueue()
        self._behind: deque[Sequence[str]] = deque()
        self._refresh_seconds = refresh_seconds
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        folder = self._resources.enter_context(TemporaryDirectory(prefix="heavy-rotation-"))
        self._service = TestStreamServiceController(self, endpoint=f"unix:{Path(folder) / 'events'}")
        self._service.start()
        self._resources.callback(self._service.stop)
        return self

    def __exit__(self, *_raised: object) -> None:
        self.end()
        self._resources.close()

    def read(self) -> "ReadFiles":
        """The step that begins a pipeline."""
        return ReadFiles(self._service.endpoint)

    def put(self, *paths: str) -> None:
        """More paths, from any thread."""
        for start in range(0, len(paths), _MOST_PATHS):
            self._paths.put(paths[start : start + _MOST_PATHS])

    def put_behind(self, *paths: str) -> None:
        """Paths that are to come in this order, when there are no others."""
        for start in range(0, len(paths), _MOST_PATHS_BEHIND):
            self._behind.append(paths[start : start + _MOST_PATHS_BEHIND])

    @staticmethod
    def note_read(path: str) -> None:
        """To be told by who has read a path."""
        _read.put(path)

    def end(self) -> None:
        """There will be no more."""
        self._paths.put(())

    def read_multiple(self, _labels: object) -> Iterator[Any]:
        """The events, as Beam's service asks for them."""
        last = 0.0
        is_ending = is_over = False
        in_hand: set[str] = set()  # of those behind
        while not is_over:
            while not _read.empty():
                in_hand.discard(_read.get())
            is_busy = bool(in_hand)
            paths: Sequence[str] = ()
            try:
                if self._behind or is_ending:
                    paths = self._paths.get(timeout=_LOOK_SECONDS if is_busy else 0.0)
                else:  # timers are set for whole seconds
                    paths = self._paths.get(timeout=_TICK_SECONDS - time.time() % _TICK_SECONDS)
                is_ending |= not paths
            except Empty:
                if self._behind and not is_busy:
                    paths = self._behind.popleft()
                    in_hand = set(paths)
                else:
                    is_over = is_ending and not self._behind
            # Before what came: a timer that is due by now is not put off by it.
            now = max(time.time(), last)  # the clock of a machine may be put back
            yield _events.Event(processing_time_event=_advance(now - last))
            yield _events.Event(watermark_event=_events.Event.AdvanceWatermark(new_watermark=_micros(now), tag=_OUTPUT))
            last = now
            if not paths:
                continue
            elements = [
                _events.TimestampedElement(encoded_element=_coder.encode(path), timestamp=_micros(now))
                for path in paths
            ]
            yield _events.Event(element_event=_events.Event.AddElements(elements=elements, tag=_OUTPUT))
        # The runner ends only when no timer is left, and early panes wait for one.
        yield _events.Event(processing_time_event=_advance(self._refresh_seconds + 1))


@dataclass
class ReadFiles(beam.PTransform):
    """Paths in the global window, each at the time when it came. The watermark is the present."""

    endpoint: str

    def expand(self, begin: PBegin) -> PCollection[str]:
        """At a pipeline's beginning."""
        outputs = begin | TestStream(coder=_coder, output_tags={_OUTPUT}, endpoint=self.endpoint)
        paths: PCollection[str] = outputs[_OUTPUT] | "Paths" >> beam.Map(str).with_output_types(str)
        return paths


def _advance(seconds: float) -> Any:
    return _events.Event.AdvanceProcessingTime(advance_duration=_micros(seconds))


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
