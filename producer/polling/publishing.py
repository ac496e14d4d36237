"""Where polled plays go: a Pub/Sub topic, or an archive directly.

Both take plays and what could not be read, and return only when all of it is safe. After an error some of it
may have arrived: publishing the same again is harmless, since a play's identity is its user and its instant.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol

import orjson
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, PublisherOptions

from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play, Source
from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from pipelines.storage.files import storage_of
from pipelines.storage.rejects import Rejects
from producer.state.documents import rejected_of

_PATIENCE_SECONDS = 30.0
_TRANSIENT = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
_log = logging.getLogger(__name__)


class PublishError(Failure):
    """Pub/Sub did not acknowledge every message. What it did acknowledge may come again."""


@dataclass(frozen=True, slots=True)
class Reject:
    """An item that Spotify listed and that cannot be read as a play: ``item`` is its parsed JSON."""

    user_id: str
    item: Any
    reason: str
    seen_at: datetime

    @property
    def payload(self) -> bytes:
        """The item as JSON."""
        return orjson.dumps(self.item)

    @property
    def digest(self) -> str:
        """The same for the same item, whatever the order of its fields."""
        return hashlib.sha256(orjson.dumps(self.item, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


class Destination(Protocol):
    """What a poll needs of the place where plays go."""

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        """Return when all of it is safe. Raises PublishError, StateError or StorageError otherwise."""


class TopicDestination:
    """A Pub/Sub topic: a message for each play, and for each reject one that the stream puts into ``rejected``."""

    def __init__(self, topic: str, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """``topic`` is ``projects/P/topics/T``. Trouble that may pass is retried for at most ``patience_seconds``."""
        self._topic = topic
        self._patience = patience_seconds
        # The client's own patience is ten minutes: a poll that waits so long keeps the next one from trying.
        retry = Retry(predicate=if_exception_type(*_TRANSIENT), initial=0.1, timeout=patience_seconds)
        options = PublisherOptions(retry=retry, timeout=patience_seconds)
        try:
            self._client = PublisherClient(BatchSettings(max_messages=500, max_latency=0.05), options)
        except GoogleAuthError as error:
            raise PublishError(explanation(self._topic, error)) from error

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        """Publish in batches and wait until Pub/Sub has acknowledged every message."""
        self.publish_messages([play.to_message() for play in plays] + [_rejected_message(reject) for reject in rejects])

    def publish_messages(self, messages: Sequence[tuple[bytes, dict[str, str]]]) -> None:
        """The same for messages, each its data and its attributes. Raises PublishError."""
        futures = [self._client.publish(self._topic, data, **attributes) for data, attributes in messages]
        for future in futures:
            try:
                # The client gives up by itself; the longer wait is for a client that hangs.
                future.result(timeout=2 * self._patience)
            except (GoogleAuthError, exceptions.GoogleAPIError, TimeoutError) as error:
                raise PublishError(explanation(self._topic, error)) from error


class ArchiveDestination:
    """An archive, without a pipeline in between. What cannot be read is kept there too, beside the plays."""

    def __init__(self, archive: Archive, calendar: Calendar) -> None:
        """Months are the calendar's."""
        self._archive = archive
        self._calendar = calendar
        self._rejects = Rejects(archive.root)

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        """One new file for each month, whosever plays they are, and one for each reject."""
        for reject in rejects:
            place = self._rejects.keep(reject.user_id, reject.item, reject.reason, reject.seen_at)
            _log.warning("an item of Spotify's cannot be read (%s); it is kept in %s", reject.reason, place)
        in_order = sorted(plays, key=lambda play: play.played_at)
        for month, of_month in groupby(in_order, key=lambda play: self._calendar.month_of(play.played_at)):
            self._archive.write(month, list(of_month))


def move_rejects(state: str, archive: Archive) -> None:
    """What an older version kept in the state of what could not be read goes to the archive. Raises StorageError."""
    storage, rejects = storage_of(state), Rejects(archive.root)
    for path in storage.files(rejected_of(state), ".json"):
        try:
            kept = orjson.loads(storage.read(path).data)
            rejects.keep(str(kept["user_id"]), kept["item"], str(kept["reason"]), parse(kept["seen_at"]))
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is damaged, and stays where it is", path)
        else:
            storage.remove(path)


def _rejected_message(reject: Reject) -> tuple[bytes, dict[str, str]]:
    # The stream reads every message's timestamp from played_at, so a message without it could hold it up.
    return reject.payload, {
        "user_id": reject.user_id,
        "played_at": rfc3339(reject.seen_at),
        "source": Source.RECENTLY_PLAYED.value,
        "reason": reject.reason,
    }


def explanation(topic: str, error: Exception) -> str:
    """What an error of Pub/Sub's client means, and what to do about it."""
    _, project, _, name = topic.split("/")
    match error:
        case GoogleAuthError():
            return (
                f"Google Cloud knows nobody here ({error}); run: gcloud auth application-default login, or set "
                "PUBSUB_EMULATOR_HOST for a local Pub/Sub"
            )
        case exceptions.NotFound():
            return f"there is no {topic}; create it: gcloud pubsub topics create {name} --project {project}"
        case exceptions.PermissionDenied() | exceptions.Unauthenticated():
            return f"no permission to publish to {topic}; it takes the role roles/pubsub.publisher"
        case exceptions.RetryError() | TimeoutError():
            return "Pub/Sub cannot be reached, or did not take the plays in time; the next poll repeats them"
        case _:
            return f"Pub/Sub refused the plays: {getattr(error, 'message', error)}"
