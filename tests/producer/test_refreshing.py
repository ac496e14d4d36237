"""One refresh of an account at a time: processes at once, against the look-alike with tokens that work once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from producer.accounts import secret_manager as module
from producer.accounts.grant import Grant, LoginStore
from producer.accounts.secret_lease import ANNOTATION, LASTS, Lease
from producer.accounts.secret_manager import client_of
from producer.accounts.stores import store_of
from producer.private_files import StateError
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import Spotify

AT = datetime(2026, 5, 10, 20, tzinfo=UTC)
SECRET = "projects/p/secrets/heavy-rotation-me"
# Each refresh asks Spotify for a new access token, as a poll does that begins. The first line says that it is ready.
REFRESHES = """
import os, sys
from contextlib import closing
from pathlib import Path
from producer.accounts.login import logins_of
from producer.accounts.stores import store_of
from producer.spotify.client import Endpoints, Spotify

logins, state, times = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(times)):
    [login] = logins_of(os.environ, Path(state), store_of(logins))
    with closing(Spotify(login, Endpoints.of(os.environ))) as spotify:
        assert len(spotify.recently_played()) == 50
"""
PROCESSES, TIMES = 3, 6


@pytest.fixture
def rotating(spotify: Spotify, monkeypatch: pytest.MonkeyPatch) -> Spotify:
    """A refresh token of it works once, as Spotify's do for an app without a secret."""
    spotify.accounts.rotate = True
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    return spotify


@pytest.fixture(params=["folder", "Secret Manager"])
def logins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "Secret Manager":
        request.getfixturevalue("secret_manager")
        yield "secretmanager://p"
    else:
        yield str(tmp_path / "logins")


def refresh_at_once(logins: str, state: Path) -> list[tuple[int, str]]:
    """How each of the processes ended, and what it said."""
    with ExitStack() as processes:
        started = [
            processes.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", REFRESHES, logins, state, str(TIMES)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(PROCESSES)
        ]
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        return [(process.wait(120), process.stderr.read() if process.stderr else "") for process in started]


@pytest.mark.long
def test_processes_at_once_lose_no_token(
    rotating: Spotify, logins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(logins)
    store.save(Grant("me", rotating.accounts.refresh_token, AT))
    monkeypatch.delenv("SPOTIFY_REFRESH_TOKEN")
    assert refresh_at_once(logins, tmp_path / "state") == [(0, "")] * PROCESSES
    refreshes = [request for request in rotating.requests if request.path == "/api/token"]
    assert [request.status for request in refreshes] == [200] * PROCESSES * TIMES, "no token was sent twice"
    stored = store.load("me")
    assert stored
    assert rotating.accounts.token({"grant_type": "refresh_token", "refresh_token": stored.refresh_token,
                                    "client_id": rotating.accounts.client_id}, None).status == 200  # fmt: skip


def test_processes_at_once_lose_no_token_of_the_environment(rotating: Spotify, tmp_path: Path) -> None:
    assert refresh_at_once(str(tmp_path / "logins"), tmp_path / "state") == [(0, "")] * PROCESSES
    [kept] = (tmp_path / "state" / "from_environment").glob("*.json")
    token = json.loads(kept.read_text())["refresh_token"]
    assert rotating.accounts.token({"grant_type": "refresh_token", "refresh_token": token,
                                    "client_id": rotating.accounts.client_id}, None).status == 200  # fmt: skip


def test_a_new_login_beside_a_refresh_stays(logins: str) -> None:
    store, newer = store_of(logins), Grant("me", "newer", AT + timedelta(days=1))
    store.save(newer)
    store.save(Grant("me", "older", AT))
    assert store.load("me") == newer
    with store.refreshing("me"):
        assert store.replace(Grant("me", "rotated of the older", AT))
        store.discard("me", "older")
        assert store.load("me") == newer
        assert store.replace(Grant("me", "rotated", newer.authorized_at))
    assert store.load("me") == Grant("me", "rotated", newer.authorized_at)


def test_a_login_from_a_time_to_come_gives_way(logins: str) -> None:
    """It was made under a clock that was wrong, and must not keep its owner from logging in again."""
    store = store_of(logins)
    store.save(Grant("me", "of 2999", AT + timedelta(days=365_000)))
    store.save(Grant("me", "new", AT))
    assert store.load("me") == Grant("me", "new", AT)


# The lease in Secret Manager


@pytest.fixture
def store(secret_manager: SecretManager, monkeypatch: pytest.MonkeyPatch) -> LoginStore:
    monkeypatch.setattr(module, "_LEASE_PATIENCE_SECONDS", 0.3)
    store = store_of("secretmanager://p")
    store.save(Grant("me", "hidden", AT))
    return store


def lease(service: SecretManager, now: datetime = AT) -> Lease:
    return Lease(client_of(service.address), SECRET, lambda: now)


def test_one_at_a_time_has_it(secret_manager: SecretManager, store: LoginStore) -> None:
    assert secret_manager.annotations[SECRET] == {}
    with store.refreshing("me"):
        assert "hidden" not in secret_manager.annotations[SECRET][ANNOTATION]
        with pytest.raises(StateError, match="another process is refreshing the login of me"), store.refreshing("me"):
            pytest.fail("two have the lease")
    assert secret_manager.annotations[SECRET] == {}, "it was given back"
    with store.refreshing("me"):
        pass


def test_of_two_that_take_it_at_once_one_has_it(secret_manager: SecretManager, store: LoginStore) -> None:
    assert store
    first, second = lease(secret_manager), lease(secret_manager)
    read = second._get()
    assert first.take()
    assert not second._note(read, "second 2026-05-10T20:05:00+00:00"), "the etag is another by now"
    assert not second.take()


def test_the_lease_of_a_process_that_was_killed_ends(secret_manager: SecretManager, store: LoginStore) -> None:
    assert store
    assert lease(secret_manager).take()
    assert not lease(secret_manager, AT + LASTS - timedelta(seconds=1)).take()
    assert lease(secret_manager, AT + LASTS).take()


def test_who_was_too_slow_writes_nothing(secret_manager: SecretManager, store: LoginStore) -> None:
    with store.refreshing("me"):
        secret_manager.annotations[SECRET] = {ANNOTATION: f"another {(AT + timedelta(days=999)).isoformat()}"}
        with pytest.raises(StateError, match="has taken over"):
            store.replace(Grant("me", "hidden-late", AT))
    assert store.load("me") == Grant("me", "hidden", AT)
    assert secret_manager.annotations[SECRET], "another's lease is not given back"


def test_other_annotations_stay(secret_manager: SecretManager, store: LoginStore) -> None:
    secret_manager.annotations[SECRET] = {"owner": "somebody"}
    with store.refreshing("me"):
        assert store.replace(Grant("me", "hidden-new", AT))
    assert secret_manager.annotations[SECRET] == {"owner": "somebody"}
