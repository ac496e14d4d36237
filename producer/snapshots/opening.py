"""What the commands that take snapshots are told, and Spotify for the logins that there are."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from producer.accounts.app import app_of
from producer.accounts.login import logins_of
from producer.accounts.stores import logins_option, store_of
from producer.private_files import StateError
from producer.snapshots.asker import Asker
from producer.snapshots.heard import Heard, artists_in_top, heard
from producer.snapshots.outbox import Outbox
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import Transport
from producer.state.cursor import Cursors


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Where snapshots and state go, as ``PollSettings`` has it. With a topic, ``archive`` is the one its stream writes.

    ``budget`` is how many requests Spotify is asked a day, of all commands with this state.
    """

    topic: str | None
    archive: str | None
    state: str
    logins: str
    environment_state: Path
    budget: int

    def outbox(self) -> Outbox:
        """Raises StateError where the state is of another archive, which has what was written before."""
        cursors = Cursors(self.state)
        if self.archive and not cursors.are_of(self.archive, claims=not self.topic):
            other = cursors.archive()
            raise StateError(
                f"{self.state} is of the archive {other}, not of {self.archive}: give each its own --state"
            )
        return Outbox(self.state, topic=self.topic, archive=self.archive)

    def heard(self) -> Heard:
        """What the archive says was heard. Raises Failure."""
        return heard(Archive(self._archive_heard()))

    def top_artists(self, count: int) -> list[str]:
        """The ids of the artists that were among the first ``count`` of any month. Raises Failure."""
        return artists_in_top(self._archive_heard(), count)

    def _archive_heard(self) -> str:
        if not self.archive:
            raise Failure("which artists and songs were heard, the archive says: name it too, with --archive")
        return self.archive


@contextmanager
def asker(settings: SnapshotSettings) -> Iterator[Asker]:
    """Asks Spotify with the logins that have not ended. Raises LoginError, StateError and StorageError."""
    app, store = app_of(os.environ), store_of(settings.logins)
    logins = [login for login in logins_of(os.environ, settings.environment_state, store) if login.refresh_token]
    if not logins:
        raise LoginError(f"no account has logged in; run: heavy-rotation login{logins_option(store)}")
    transport = Transport(time.sleep)
    endpoints = Endpoints.of(os.environ)
    try:
        spotify = [Spotify(login, endpoints, transport=transport) for login in logins]
        yield Asker(spotify, settings.state, app.client_id, per_day=settings.budget)
    finally:
        transport.close()
