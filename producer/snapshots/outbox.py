"""Snapshots on their way, to a topic or into an archive, many to a file.

What is to go there is first in ``STATE/snapshots_pending.json``, so that who is killed has asked for nothing in vain.
It goes with the next that is put, or at the end: until then, whoever put it can take note of it, and where that is not
done, ``pending`` tells. A snapshot may arrive more than once, which its identity makes harmless.
"""

import threading
from collections.abc import Sequence

import orjson

from pipelines.domain.snapshots import Snapshot, from_message
from pipelines.storage.snapshots import SnapshotArchive
from producer.polling.publishing import TopicDestination
from producer.state.documents import Documents
from producer.state.kept import Kept

# To a file of the archive; the fewer files, the faster they are read.
_TOGETHER = 500


class Outbox:
    """Takes snapshots from any thread. Methods raise PublishError, StateError and StorageError."""

    def __init__(self, state: str, *, topic: str | None, archive: str | None) -> None:
        """To the topic, if one is given, and else into the archive."""
        self._topic = TopicDestination(topic) if topic else None
        self._archive = SnapshotArchive(archive or "") if not topic else None
        self._pending = Kept(Documents(state), "snapshots_pending.json")
        self._lock = threading.Lock()

    def put(self, snapshots: Sequence[Snapshot]) -> None:
        """When it returns, the snapshots are safe: kept here, or where they go, where they are many."""
        with self._lock:
            if len(snapshots) >= _TOGETHER:
                self._send(snapshots)
                return
            new = [[snapshot.kind, snapshot.to_message()[0].decode()] for snapshot in snapshots]
            before, sent = self._messages(), []
            try:
                if before and (self._topic or len(before) >= _TOGETHER):
                    self._send([_read(*message) for message in before])
                    sent = before
            finally:  # where it cannot be sent, the new is kept nevertheless
                self._replace(sent, new)

    def pending(self) -> list[Snapshot]:
        """What is still to go where snapshots go."""
        return [_read(*message) for message in self._messages()]

    def flush(self) -> None:
        """Send what is pending, also that of a run that was killed."""
        with self._lock:
            if messages := self._messages():
                self._send([_read(*message) for message in messages])
                self._replace(messages, [])

    def _messages(self) -> list[list[str]]:
        messages: list[list[str]] = self._pending.read().get("messages", [])
        return messages

    def _replace(self, sent: list[list[str]], new: list[list[str]]) -> None:
        """Another process may have put more to it."""
        gone = {orjson.dumps(message) for message in sent}
        self._pending.change(
            lambda kept: {
                "messages": [each for each in kept.get("messages", []) if orjson.dumps(each) not in gone] + new
            }
        )

    def _send(self, snapshots: Sequence[Snapshot]) -> None:
        if self._topic:
            self._topic.publish_messages([snapshot.to_message() for snapshot in snapshots])
        elif self._archive:
            self._archive.write(snapshots)


def _read(kind: str, text: str) -> Snapshot:
    return from_message(kind, text.encode())
