"""Reading Pub/Sub on this machine as Dataflow reads it: nothing that was taken is lost.

Beam's local reader acknowledges messages when it pulls them, pulls ten at a time for up to thirty seconds, during
which no window fires, and can't be stopped but by throwing away what is under way. The one here takes its place
in the runner's own table of overrides, and

- acknowledges a message when it is settled (``ledger.py``): what was not is delivered again;
- pulls many messages, and briefly;
- can be told to drain: the watermark then goes to the end of time, batches and windows close, and the pipeline
  ends by itself.
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

from pipelines.ledger import LEDGER

_PULL_SECONDS = 1.0
_PULL_MESSAGES = 1_000
# Pub/Sub's own limits of an acknowledgement deadline.
_SHORTEST_LEASE_SECONDS, _LONGEST_LEASE_SECONDS = 10, 600


class LocalPubSub:
    """One process's reading of one subscription with Beam's local runner, whose messages rest a while before
    they are settled: ``settling_seconds`` at most, when all goes well."""

    def __init__(self, subscription: str, settling_seconds: int) -> None:
        self.subscription = subscription
        # Twice, so that no message comes again while its first copy still waits for its file.
        self.lease_seconds = min(_SHORTEST_LEASE_SECONDS + 2 * settling_seconds, _LONGEST_LEASE_SECONDS)
        self.draining = threading.Event()

    def install(self) -> None:
        """Let pipelines that this process runs from now on read this way, and SIGINT and SIGTERM drain them.

        A second signal ends the process as it always does.
        """
        read = type("_Read", (_Read,), {"local": self})
        TransformEvaluatorRegistry._test_evaluators_overrides[_DirectReadFromPubSub] = read
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._drain)

    def finish(self) -> None:
        """Acknowledge what is settled, give back what is not. Call it when the pipeline has ended or failed."""
        with SubscriberClient() as client:
            _acknowledge(client, self.subscription)
            if left := LEDGER.give_up():
                client.modify_ack_deadline(subscription=self.subscription, ack_ids=left, ack_deadline_seconds=0)

    def _drain(self, _number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.draining.set()


class _Read(_PubSubReadEvaluator):
    local: LocalPubSub

    def finish_bundle(self) -> TransformResult:
        """Pull once more, or, when draining, say that there will be no more."""
        if self.local.draining.is_set():
            return TransformResult(self, [], [], None, {None: MAX_TIMESTAMP})
        return super().finish_bundle()

    @classmethod
    def _get_subscriber_client(cls, transform: object) -> "_Client":
        return _Client(super()._get_subscriber_client(transform), cls.local.lease_seconds)


class _Client:
    """The two calls that the runner's reader makes, done our way."""

    def __init__(self, client: SubscriberClient, lease_seconds: int) -> None:
        self._client = client
        self._lease_seconds = lease_seconds

    def pull(self, subscription: str, **_: object) -> PullResponse:
        _acknowledge(self._client, subscription)
        try:
            # A message that arrives just when the pull is given up is delivered again later.
            response = self._client.pull(
                subscription=subscription, max_messages=_PULL_MESSAGES, timeout=_PULL_SECONDS, retry=None
            )
        except DeadlineExceeded:
            return PullResponse()
        for received in response.received_messages:
            LEDGER.take(received.message.message_id, received.ack_id)
        if ack_ids := [received.ack_id for received in response.received_messages]:
            self._client.modify_ack_deadline(
                subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=self._lease_seconds
            )
        return response

    def acknowledge(self, **_: Any) -> None:
        """Not yet."""


def _acknowledge(client: SubscriberClient, subscription: str) -> None:
    if due := LEDGER.collect():
        client.acknowledge(subscription=subscription, ack_ids=due)
