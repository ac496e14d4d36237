"""Snapshots on their way: to a topic at once, into an archive many to a file.

What an archive is still to get is in ``STATE/snapshots_pending.json``, so that who is killed has asked for nothing in
vain. A snapshot may arrive more than once, which its identity makes harmless.
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
        """When it returns, the snapshots are safe."""
        if self._topic:
            self._topic.publish_messages([snapshot.to_message() for snapshot in snapshots])
            return
        with self._lock:
            messages = [[snapshot.kind, snapshot.to_message()[0].decode()] for snapshot in snapshots]
            if len(messages) < _TOGETHER:
                kept = self._pending.change(lambda kept: {"messages": [*kept.get("messages", []), *messages]})
                if len(kept["messages"]) >= _TOGETHER:
                    self._write(kept["messages"])
            else:
                assert self._archive
                self._archive.write(snapshots)

    def pending(self) -> list[Snapshot]:
        """What the archive is still to get."""
        return [_read(*message) for message in self._pending.read().get("messages", [])]

    def flush(self) -> None:
        """Write what is pending, also that of a run that was killed."""
        if self._archive:
            with self._lock:
                self._write(self._pending.read().get("messages", []))

    def _write(self, messages: list[list[str]]) -> None:
        if not messages:
            return
        assert self._archive
        self._archive.write([_read(*message) for message in messages])
        written = {orjson.dumps(message) for message in messages}
        # Another process may have put more to it.
        self._pending.change(
            lambda kept: {
                "messages": [message for message in kept.get("messages", []) if orjson.dumps(message) not in written]
            }
        )


def _read(kind: str, text: str) -> Snapshot:
    return from_message(kind, text.encode())
