"""Reading Pub/Sub on this machine so that a stream can be stopped as Dataflow drains one.

Beam's local runner acknowledges messages when it pulls them and can only be cancelled, which throws away what
has not reached the archive. Its Pub/Sub reader is replaced here by one that can be told to end: the watermark
then goes to the end of time, batches and windows close, and the pipeline ends by itself.

The replacement also pulls more at a time, and does not wait long where there is nothing: the runner has one
thread, and while a pull waits, no window fires.
"""

import signal
import threading
from types import FrameType
from typing import Any

from apache_beam.runners.direct.direct_runner import _DirectReadFromPubSub
from apache_beam.runners.direct.transform_evaluator import (
    TransformEvaluatorRegistry,
    _PubSubReadEvaluator,
)
from apache_beam.runners.direct.util import TransformResult
from apache_beam.utils.timestamp import MAX_TIMESTAMP
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import PullResponse

_PULL_SECONDS = 1.0
_PULL_MESSAGES = 1_000
_draining = threading.Event()


class _DrainableRead(_PubSubReadEvaluator):
    def finish_bundle(self) -> TransformResult:
        """Pull once more, or, when draining, say that there will be no more."""
        if _draining.is_set():
            return TransformResult(self, [], [], None, {None: MAX_TIMESTAMP})
        return super().finish_bundle()

    @classmethod
    def _get_subscriber_client(cls, transform: object) -> "_BriskClient":
        return _BriskClient(super()._get_subscriber_client(transform))


class _BriskClient:
    def __init__(self, client: SubscriberClient) -> None:
        self._client = client

    def pull(self, subscription: str, **_: object) -> PullResponse:
        # A message that arrives just when the pull is given up is delivered again later.
        try:
            return self._client.pull(
                subscription=subscription, max_messages=_PULL_MESSAGES, timeout=_PULL_SECONDS, retry=None
            )
        except DeadlineExceeded:
            return PullResponse()

    def acknowledge(self, **arguments: Any) -> None:
        self._client.acknowledge(**arguments)


def make_drainable() -> None:
    """Let local pipelines of this process that read Pub/Sub be drained. Call it before they run."""
    _draining.clear()
    TransformEvaluatorRegistry._test_evaluators_overrides[_DirectReadFromPubSub] = _DrainableRead


def drain_on_signals() -> None:
    """From now on the first SIGINT or SIGTERM drains; a second one ends the process as it always does."""

    def drain(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _draining.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, drain)
