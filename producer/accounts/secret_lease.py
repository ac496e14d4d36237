"""A lease on a secret of Secret Manager, noted in the secret's annotations: one process at a time holds it.

Annotations change only where the etag is still the one that was read, so of two that take the lease at once one has
it. It ends by itself where its holder was killed. Adding a version has no such condition: who holds the lease makes
sure of it, with ``confirm``, right before.
"""

import logging
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.api_core.exceptions import (
    FailedPrecondition,
    GoogleAPICallError,
    NotFound,
    ResourceExhausted,
    RetryError,
    ServiceUnavailable,
)
from google.api_core.retry import Retry, if_exception_type

from pipelines.clock import Clock, utc_now
from producer.private_files import StateError

ANNOTATION = "heavy-rotation-lease"
# Longer than Spotify is ever asked for one token: where it does not answer, that is given up after a few minutes.
LASTS = timedelta(minutes=5)
_TIMEOUT_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.2
# A project may read and write so and so many secrets a minute.
_RETRY = Retry(predicate=if_exception_type(ResourceExhausted, ServiceUnavailable), initial=0.5, timeout=20)
_log = logging.getLogger(__name__)


class Lease:
    """Held by whoever ``take`` gave True to; for one thread."""

    def __init__(self, client: Any, secret: str, clock: Clock = utc_now) -> None:
        """``secret`` is ``projects/PROJECT/secrets/SECRET``, which has to be there."""
        self._client = client
        self._secret = secret
        self._clock = clock
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"

    def take(self) -> bool:
        """Whether it was free. Raises NotFound and Google's other errors."""
        secret = self._get()
        holder, until = _read(secret)
        if holder not in (None, self._holder) and self._clock() < until:
            return False
        return self._note(secret, f"{self._holder} {(self._clock() + LASTS).isoformat()}")

    def confirm(self) -> None:
        """Hold it for the whole time once more. Raises StateError where another process has taken it over."""
        for _ in range(2):  # somebody may have changed the secret's labels in between
            secret = self._get()
            if _read(secret)[0] != self._holder:
                break
            if self._note(secret, f"{self._holder} {(self._clock() + LASTS).isoformat()}"):
                return
        raise StateError(f"another process has taken over {self._secret}, since this one took too long; try again")

    def give_back(self) -> None:
        """Let others have it at once; where that cannot be said, they have it when it ends."""
        try:
            secret = self._get()
            if _read(secret)[0] == self._holder:
                self._note(secret, None)
        except NotFound:
            return  # the account was removed meanwhile
        except (GoogleAPICallError, RetryError) as error:
            _log.warning("the lease on %s was not given back: %s", self._secret, error.message)

    def _get(self) -> Any:
        return self._client.get_secret({"name": self._secret}, timeout=_TIMEOUT_SECONDS, retry=_RETRY)

    def _note(self, secret: Any, text: str | None) -> bool:
        """Write the annotation if the secret has not changed since it was read."""
        annotations = {key: value for key, value in secret.annotations.items() if key != ANNOTATION}
        if text is not None:
            annotations[ANNOTATION] = text
        changed = {"name": self._secret, "etag": secret.etag, "annotations": annotations}
        request = {"secret": changed, "update_mask": {"paths": ["annotations"]}}
        try:
            self._client.update_secret(request, timeout=_TIMEOUT_SECONDS, retry=_RETRY)
        except FailedPrecondition:
            return False
        return True


@contextmanager
def leased(lease: Lease, patience_seconds: float, busy: str) -> Iterator[None]:
    """Wait for the lease, hold it, give it back. Raises StateError, with ``busy``, where that takes too long."""
    ends = time.monotonic() + patience_seconds
    while not lease.take():
        if time.monotonic() > ends:
            raise StateError(busy)
        time.sleep(random.uniform(0.5, 1.5) * _LOOK_AGAIN_SECONDS)  # noqa: S311  so that two don't keep meeting
    try:
        yield
    finally:
        lease.give_back()


def _read(secret: Any) -> tuple[str | None, datetime]:
    """The holder, and until when it holds the lease; None where nobody does."""
    holder, _, until = secret.annotations.get(ANNOTATION, "").partition(" ")
    try:
        return holder or None, datetime.fromisoformat(until).astimezone(UTC)
    except ValueError:
        return None, datetime.min.replace(tzinfo=UTC)
