"""The demonstration's Spotify, with what tests ask of it: a clock of their own, spoiled items, many accounts."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.catalogue import Track
from demo.faults import RECENTLY_PLAYED, Answer, Fault, json_answer
from demo.listener import Listener
from demo.spotify import SpotifyServer
from demo.spotify_feed import last_plays, recently_played
from demo.spotify_http import Call
from pipelines.clock import utc_now
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
LISTENER = Listener(1)
Trouble = Callable[[], Answer | None]


def leave_alone(items: list[Any]) -> None:
    """Nothing spoiled."""


class Spotify(SpotifyServer):
    """The look-alike, with a clock that a test sets and items that a test can spoil."""

    def __init__(self) -> None:
        self.now = NOW
        self.spoil: Callable[[list[Any]], None] = leave_alone
        super().__init__(LISTENER.listens, clock=lambda: self.now)

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        answer = super().answer(call, fault)
        if answer.status == 200 and call.path.endswith("recently-played"):
            body = json.loads(answer.body)
            self.spoil(body["items"])
            return json_answer(body)
        return answer

    def listed(self) -> list[datetime]:
        """What it lists now, worked out from the listener's habits."""
        listens = LISTENER.listens(self.now - timedelta(days=20), self.now + timedelta(milliseconds=1))
        ended = [each.ended_at for each in listens if isinstance(each.what, Track) and each.ms_played > 30_000]
        return sorted(ended)[-50:]

    def asked(self) -> list[str]:
        return [request.path for request in self.requests]


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


class Person(SpotifyServer):
    """A listener with an account at Spotify, at one moment: when the test began.

    ``ahead`` of that is what has been heard; ``tokens_ahead`` of the real clock is the one that tokens live by.
    """

    def __init__(self) -> None:
        self._began = datetime.now(UTC)
        self.ahead = self.tokens_ahead = timedelta()
        super().__init__(Listener(1).listens, clock=self.now, token_clock=lambda: datetime.now(UTC) + self.tokens_ahead)

    def now(self) -> datetime:
        return self._began + self.ahead

    def listed(self) -> list[datetime]:
        """When the plays ended that Spotify lists now, newest first."""
        return [listen.ended_at for listen in last_plays(self.history, self.now())]


def spoil_one(items: list[Any]) -> None:
    items[5] = {"played_at": "2026-11-10T01:02:03.004Z", "track": "gone"}


def items(count: int) -> list[Any]:
    """The newest items listed, so many."""
    listed: Any = recently_played(LISTENER.listens, NOW, {"limit": str(count)}, "")["items"]
    return list(listed)


def sleeps(seconds: float) -> Trouble:
    """The right answer, later."""
    return lambda: time.sleep(seconds)


def log_in(folder: Path, *names: str) -> None:
    """Put logins of these accounts into a folder, authorized when the look-alike's clock began, or now."""
    for name in names:
        FileStore(folder).save(Grant(name, f"refresh-{name}", min(NOW, utc_now())))


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spotify]:
    with Spotify() as server:
        monkeypatch.setenv("SPOTIFY_API_URL", server.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", server.url + "/")
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", server.accounts.client_id)
        monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", server.accounts.client_secret)
        monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", server.accounts.refresh_token)
        yield server


@pytest.fixture
def many_spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManySpotify]:
    with ManySpotify() as server:
        monkeypatch.setenv("SPOTIFY_API_URL", server.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", server.url)
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", "client")
        yield server
