"""The Spotify look-alike with many accounts, each with troubles of its own."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.faults import RECENTLY_PLAYED, Answer, Fault, json_answer
from demo.spotify_feed import recently_played
from demo.spotify_http import Call
from pipelines.clock import utc_now
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore
from tests.producer.look_alike import LISTENER, NOW, Spotify

Trouble = Callable[[], Answer | None]


class ManySpotify(Spotify):
    """Whoever has a login is an account, and all of them hear the same music.

    ``trouble`` happens to an account's plays, ``ended`` are those whose refresh token is refused; ``rotates``
    gives a new refresh token with every access token. ``polled`` are the accounts asked for, with the time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trouble: dict[str, Trouble] = {}
        self.ended: set[str] = set()
        self.rotates = False
        self.polled: list[tuple[str, float]] = []
        self._lock = threading.Lock()

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        if call.path == "/api/token":
            return self._token(call.form["refresh_token"].removeprefix("refresh-").split(".")[0])
        name = (call.authorization or "").removeprefix("Bearer access-")
        if call.path != RECENTLY_PLAYED or not name or name == call.authorization:
            return super().answer(call, fault)
        with self._lock:
            self.polled.append((name, time.monotonic()))
        trouble = self.trouble.get(name, lambda: None)()
        if trouble:
            return trouble
        body: Any = recently_played(LISTENER.listens, self.now, call.query, self.url)
        self.spoil(body["items"])
        return json_answer(body)

    def _token(self, name: str) -> Answer:
        if name in self.ended:
            return json_answer({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)
        token: dict[str, object] = {"access_token": f"access-{name}", "token_type": "Bearer", "expires_in": 3600}
        return json_answer(token | ({"refresh_token": f"refresh-{name}.{time.time_ns()}"} if self.rotates else {}))

    def polls_of(self, name: str) -> list[float]:
        """When the account was asked for."""
        with self._lock:
            return [at for polled, at in self.polled if polled == name]


def sleeps(seconds: float) -> Trouble:
    """The right answer, later."""
    return lambda: time.sleep(seconds)


def log_in(folder: Path, *names: str) -> None:
    """Put logins of these accounts into a folder, authorized when the look-alike's clock began, or now."""
    for name in names:
        FileStore(folder).save(Grant(name, f"refresh-{name}", min(NOW, utc_now())))
