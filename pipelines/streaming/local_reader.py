"""Reading Pub/Sub on this machine as Dataflow reads it: nothing that was taken is lost.

Beam's local reader acknowledges messages when it pulls them, pulls ten at a time for up to thirty seconds, during
which no window fires, and can't be stopped but by throwing away what is under way. The one here takes its place
in the runner's own table of overrides, and

- acknowledges a message when it is settled (``ledger.py``): what was not is delivered again;
- pulls many messages, and briefly;
- can be told to drain: the watermark then goes to the end of time, batches and windows close, and the pipeline
  ends by itself;
- drains by itself, when it is asked to, once no message has come for a while.
"""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
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
from google.pubsub_v1.types import PullResponse, ReceivedMessage

from pipelines.streaming.ledger import LEDGER

_PULL_SECONDS = 1.0
_PULL_MESSAGES = 1_000
_MOST_ACK_IDS = 1_000
# Pub/Sub's own limits of an acknowledgement deadline.
_SHORTEST_LEASE_SECONDS, _LONGEST_LEASE_SECONDS = 10, 600


class LocalPubSub:
    """One process's reading of one subscription with Beam's local runner, whose messages rest a while before
    they are settled: ``settling_seconds`` at most, when all goes well.

    It drains when no message has come for ``idle_seconds``; None is never.
    """

    def __init__(self, subscription: str, settling_seconds: int, idle_seconds: int | None = None) -> None:
        self.subscription = subscription
        # Twice, so that no message comes again while its first copy still waits for its file.
        self.lease_seconds = min(_SHORTEST_LEASE_SECONDS + 2 * settling_seconds, _LONGEST_LEASE_SECONDS)
        self.draining = threading.Event()
        # By a signal, which does not wait until all is in the archive.
        self.stopped = False
        self._idle_seconds = idle_seconds
        self._last_came = time.monotonic()
        self._first: PullResponse | None = None

    def wait_for_first(self) -> bool:
        """Whether messages come before it is idle; the pipeline will be given them first."""
        with SubscriberClient() as client:
            self._last_came = time.monotonic()
            while not self.draining.is_set():
                response = self.pull(client)
                if response.received_messages:
                    self._first = response
                    return True
        return False

    def install(self) -> None:
        """Let pipelines that this process runs from now on read this way, and SIGINT and SIGTERM drain them.

        A second signal ends the process as it always does.
        """
        read = type("_Read", (_Read,), {"local": self})
        TransformEvaluatorRegistry._test_evaluators_overrides[_DirectReadFromPubSub] = read
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._drain)

    def pull(self, client: SubscriberClient) -> PullResponse:
        """The next messages, which are taken with it; none if none come within a second."""
        if self._first:
            response, self._first = self._first, None
            return response
        self._acknowledge(client)
        try:
            # A message that arrives just when the pull is given up is delivered again later.
            response = client.pull(
                subscription=self.subscription, max_messages=_PULL_MESSAGES, timeout=_PULL_SECONDS, retry=None
            )
        except DeadlineExceeded:
            response = PullResponse()
        if received := response.received_messages:
            self._take(client, received)
        elif self._idle_seconds and time.monotonic() - self._last_came >= self._idle_seconds and not LEDGER.waiting:
            # Not before all is in the archive: what leaves its batch only when the watermark is at the end of time
            # is too late to be counted.
            self.draining.set()
        return response

    def finish(self) -> None:
        """Acknowledge what is settled, give back what is not. Call it when the pipeline has ended or failed."""
        with SubscriberClient() as client:
            self._acknowledge(client)
            self._lease(client, LEDGER.give_up(), 0)

    def _take(self, client: SubscriberClient, messages: Sequence[ReceivedMessage]) -> None:
        for received in messages:
            LEDGER.take(received.message.message_id, received.ack_id)
        self._lease(client, [received.ack_id for received in messages], self.lease_seconds)
        self._last_came = time.monotonic()

    def _acknowledge(self, client: SubscriberClient) -> None:
        for ack_ids in _in_requests(LEDGER.collect()):
            client.acknowledge(subscription=self.subscription, ack_ids=ack_ids)

    def _lease(self, client: SubscriberClient, ack_ids: Sequence[str], seconds: int) -> None:
        for some in _in_requests(ack_ids):
            client.modify_ack_deadline(subscription=self.subscription, ack_ids=some, ack_deadline_seconds=seconds)

    def _drain(self, _number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.stopped = True
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
        return _Client(super()._get_subscriber_client(transform), cls.local)


class _Client:
    """The two calls that the runner's reader makes, done our way."""

    def __init__(self, client: SubscriberClient, local: LocalPubSub) -> None:
        self._client = client
        self._local = local

    def pull(self, **_: object) -> PullResponse:
        return self._local.pull(self._client)

    def acknowledge(self, **_: Any) -> None:
        """Not yet."""


def _in_requests(ack_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """A request may have 512 KiB, and an ack id has nearly 200 bytes."""
    for start in range(0, len(ack_ids), _MOST_ACK_IDS):
        yield ack_ids[start : start + _MOST_ACK_IDS]
