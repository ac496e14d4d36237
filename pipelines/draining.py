"""Stopping a stream on this machine as Dataflow drains one: stop reading, finish what was read, end.

Beam's local runner acknowledges messages when it pulls them and can only be cancelled, which throws away what
has not reached the archive. Its Pub/Sub reader, replaced here by one that can be told to end, is then simply
finished: the watermark goes to the end of time, batches and windows close, and the pipeline ends by itself.
"""

import signal
import threading
from types import FrameType

from apache_beam.runners.direct.direct_runner import _DirectReadFromPubSub
from apache_beam.runners.direct.transform_evaluator import (
    TransformEvaluatorRegistry,
    _PubSubReadEvaluator,
)
from apache_beam.runners.direct.util import TransformResult
from apache_beam.utils.timestamp import MAX_TIMESTAMP

_draining = threading.Event()


class _DrainableRead(_PubSubReadEvaluator):
    def finish_bundle(self) -> TransformResult:
        """Pull once more, or, when draining, say that there will be no more."""
        if _draining.is_set():
            return TransformResult(self, [], [], None, {None: MAX_TIMESTAMP})
        return super().finish_bundle()


def make_drainable() -> None:
    """Let local pipelines of this process that read Pub/Sub be drained. Call it before they run."""
    _draining.clear()
    TransformEvaluatorRegistry._test_evaluators_overrides[_DirectReadFromPubSub] = _DrainableRead


def drain_on_signals() -> None:
    """From now on the first SIGINT or SIGTERM drains; a second one ends the process as it always does."""

    def drain(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        drain_now()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, drain)


def drain_now() -> None:
    """End the reading of the local pipelines of this process."""
    _draining.set()
