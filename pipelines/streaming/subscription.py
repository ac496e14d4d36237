"""One Pub/Sub subscription, as the stream on this machine reads it: messages are held until they are acknowledged."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import grpc
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ReceivedMessage

from pipelines.failure import Failure

_log = logging.getLogger("heavy_rotation")
_PULL_SECONDS = 1.0
_PULL_MESSAGES = 500
# A request may have 512 KiB, and an ack id has nearly 200 bytes.
_MOST_ACK_IDS = 1_000
# A message that is held comes again so long after this process was killed, and its deadline is put off in between.
_DEADLINE_SECONDS = 30
_PUT_OFF_SECONDS = 10
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 60.0
# What may be over soon. Pub/Sub's other refusals need somebody to do something.
_PASSING = (
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.GatewayTimeout,
    exceptions.TooManyRequests,
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.Unknown,
)


class PubSubError(Failure):
    """Pub/Sub does not give what is there, and waiting would not change that. The text is for the user."""


class Subscription:
    """Messages of one subscription, each held for this process until it is acknowledged or given back.

    Use it as a context manager. Where Pub/Sub is away for a while, its methods go on asking, with growing waits, until
    it is back or ``stopping`` is set; the log says so once. They raise PubSubError for what time does not heal.
    """

    def __init__(self, path: str, stopping: threading.Event) -> None:
        self.path = path
        self._stopping = stopping
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._client = _client()

    def __enter__(self) -> Self:
        self._holder = threading.Thread(target=self._hold, name="pubsub-deadlines", daemon=True)
        self._holder.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Give back what is held: it is delivered again at once, to whoever asks."""
        self._closed.set()
        self._holder.join()
        with self._client:
            for some in self._requests(self._held):
                self._put_off(some, 0)

    def pull(self) -> Sequence[ReceivedMessage]:
        """The next messages, which are held from now on; none if none come within a second."""

        def ask() -> Sequence[ReceivedMessage]:
            try:
                # A message that arrives just when the pull is given up is delivered again later.
                return self._client.pull(
                    subscription=self.path, max_messages=_PULL_MESSAGES, timeout=_PULL_SECONDS, retry=None
                ).received_messages
            except exceptions.DeadlineExceeded:
                return ()

        received = self._patiently(ask) or ()
        if received:
            ack_ids = [message.ack_id for message in received]
            with self._lock:
                self._held.update(ack_ids)
            self._put_off(ack_ids, _DEADLINE_SECONDS)
        return received

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """These messages are safe, and are not to come again."""
        for some in self._requests(ack_ids):
            self._patiently(partial(self._client.acknowledge, subscription=self.path, ack_ids=some))
            self.leave(some)

    def leave(self, ack_ids: Iterable[str]) -> None:
        """Hold these no longer: Pub/Sub delivers them again when their deadline is over."""
        with self._lock:
            self._held.difference_update(ack_ids)

    def _hold(self) -> None:
        while not self._closed.wait(_PUT_OFF_SECONDS):
            with self._lock:
                held = list(self._held)
            for some in self._requests(held):
                self._put_off(some, _DEADLINE_SECONDS)

    def _put_off(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Ask for that many seconds from now. If it is not granted, messages come again sooner; no harm."""
        try:
            self._client.modify_ack_deadline(
                subscription=self.path,
                ack_ids=ack_ids,
                ack_deadline_seconds=seconds,
                timeout=_PUT_OFF_SECONDS,
                retry=None,
            )
        except exceptions.GoogleAPICallError as error:
            _log.debug("Pub/Sub did not put off a deadline: %s", error)

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """What Pub/Sub answers as soon as it does; None where the stream is stopped before."""
        wait, away = _FIRST_WAIT_SECONDS, False
        while True:
            try:
                answer = ask()
            except _PASSING as error:
                if not away:
                    _log.warning("Pub/Sub is away (%s); asking again until it is back", error.message)
                away = True
                if self._stopping.wait(wait):
                    return None
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            except exceptions.GoogleAPICallError as error:
                raise _refusal(self.path, error) from error
            else:
                if away:
                    _log.warning("Pub/Sub is back")
                return answer

    @staticmethod
    def _requests(ack_ids: Iterable[str]) -> Iterator[list[str]]:
        ids = list(ack_ids)
        for start in range(0, len(ids), _MOST_ACK_IDS):
            yield ids[start : start + _MOST_ACK_IDS]


def check_subscription(path: str) -> None:
    """Raises PubSubError where there is no such subscription, nobody to ask, or no credentials to ask with."""
    with _client() as client:
        try:
            client.get_subscription(subscription=path, timeout=10, retry=None)
        except exceptions.GoogleAPICallError as error:
            raise _refusal(path, error) from error
        except GoogleAuthError as error:
            raise _unknown(error) from error


def _refusal(path: str, error: exceptions.GoogleAPICallError) -> PubSubError:
    return PubSubError(f"Pub/Sub does not give {path}: {error.message}")


def _unknown(error: GoogleAuthError) -> PubSubError:
    missing = isinstance(error, DefaultCredentialsError)
    what = "there are no credentials" if missing else "the credentials do not work"
    return PubSubError(
        f"{what} for Google Cloud; run: gcloud auth application-default login. For an emulator of Pub/Sub: "
        "export PUBSUB_EMULATOR_HOST=HOST:PORT"
    )


def _client() -> SubscriberClient:
    """Google's client. To an emulator it would open a channel that refuses answers of more than four megabytes.

    Raises PubSubError without credentials.
    """
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    if not emulator:
        try:
            return SubscriberClient()
        except GoogleAuthError as error:
            raise _unknown(error) from error
    channel = grpc.insecure_channel(emulator, options=[("grpc.max_receive_message_length", -1)])
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
