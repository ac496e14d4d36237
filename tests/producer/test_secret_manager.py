"""Logins and the app's secret in Secret Manager, with Google's client over gRPC.

There is no emulator of Secret Manager: ``tests.standins.secret_manager`` stands in for the service, and its docstring
says what it cannot show.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from producer.accounts.app import app_of
from producer.accounts.grant import Grant, LoginStore
from producer.accounts.login import logins_of
from producer.accounts.stores import store_of
from producer.private_files import StateError
from producer.spotify.client import Endpoints
from producer.spotify.client import Spotify as Client
from producer.spotify.oauth import App, LoginError
from tests.commands import Run
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import Spotify

AT = datetime(2026, 5, 10, 20, tzinfo=UTC)
SECRET = "projects/p/secrets/heavy-rotation-me"


@pytest.fixture
def service(secret_manager: SecretManager) -> SecretManager:
    return secret_manager


@pytest.fixture
def store(service: SecretManager) -> LoginStore:
    return store_of("secretmanager://p")


def test_accounts_live_side_by_side(service: SecretManager, store: LoginStore) -> None:
    assert (store.accounts(), store.load("me")) == ([], None)
    grants = [Grant(name, f"hidden-{name}", AT) for name in ("../../etc/passwd", "a b", "a_b", "été", "me", "Me")]
    for grant in grants:
        store.save(grant)
    assert store.accounts() == sorted(grant.account_id for grant in grants)
    assert [store.load(grant.account_id) for grant in grants] == grants
    assert service.secrets[SECRET] == {"heavy_rotation_logins": "heavy-rotation"}
    assert "projects/p/secrets/heavy-rotation-a_5fb" in service.secrets


def test_a_new_grant_replaces_the_old_whose_version_is_destroyed(service: SecretManager, store: LoginStore) -> None:
    for number in range(3):
        store.save(Grant("me", f"hidden-{number}", AT + timedelta(days=number)))
    assert store.load("me") == Grant("me", "hidden-2", AT + timedelta(days=2))
    assert [data is None for data in service.versions[SECRET]] == [True, True, False]


def test_an_ended_login_is_remembered_without_its_token(service: SecretManager, store: LoginStore) -> None:
    store.save(Grant("me", "hidden", AT))
    store.discard("me", "another")
    assert store.load("me") == Grant("me", "hidden", AT), "only the token that is stored is discarded"
    with store.refreshing("me"):
        store.discard("me", "hidden")
    assert (store.accounts(), store.load("me")) == (["me"], None)
    assert all(b"hidden" not in (data or b"") for data in service.versions[SECRET])


def test_prefixes_and_other_secrets_are_apart(service: SecretManager, store: LoginStore) -> None:
    other = store_of("secretmanager://p/heavy")
    store.save(Grant("me", "hidden", AT))
    other.save(Grant("rotation-you", "hidden", AT))
    store_of("secretmanager://q").save(Grant("them", "hidden", AT))
    service.secrets["projects/p/secrets/heavy-rotation-unrelated"] = {}
    assert (store.accounts(), other.accounts()) == (["me"], ["rotation-you"])
    assert (str(store), str(other)) == ("secretmanager://p", "secretmanager://p/heavy")


def test_a_version_that_another_process_adds_meanwhile_is_not_destroyed(
    service: SecretManager, store: LoginStore
) -> None:
    store.save(Grant("me", "hidden", AT))
    service.after_adding = lambda: service.versions[SECRET].append(b"another's")
    store.save(Grant("me", "hidden-new", AT))
    assert [data is None for data in service.versions[SECRET]] == [True, False, False]


def test_where_nothing_may_be_destroyed_the_new_login_counts(
    service: SecretManager, store: LoginStore, caplog: pytest.LogCaptureFixture
) -> None:
    service.refuses["DestroySecretVersion"] = grpc.StatusCode.PERMISSION_DENIED
    with caplog.at_level(logging.WARNING, "producer"):
        store.save(Grant("me", "hidden", AT))
        assert caplog.text == ""
        store.save(Grant("me", "hidden-new", AT))
    assert store.load("me") == Grant("me", "hidden-new", AT)
    assert f"older versions of {SECRET} were not destroyed: DestroySecretVersion refused" in caplog.text
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("ListSecrets", lambda store: store.accounts()),
        ("AccessSecretVersion", lambda store: store.load("me")),
        ("AddSecretVersion", lambda store: store.save(Grant("me", "hidden-new", AT))),
        ("CreateSecret", lambda store: store.save(Grant("you", "hidden", AT))),
    ],
)
def test_a_refusal_is_told(
    service: SecretManager, store: LoginStore, method: str, ask: Callable[[LoginStore], object]
) -> None:
    store.save(Grant("me", "hidden", AT))
    service.refuses[method] = grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(StateError, match=f"Secret Manager refused .*{method} refused") as raised:
        ask(store)
    assert "hidden" not in str(raised.value)


def test_a_version_that_is_no_login_is_told(service: SecretManager, store: LoginStore) -> None:
    store.save(Grant("me", "hidden", AT))
    service.versions[SECRET].append(b"hidden")
    with pytest.raises(StateError, match="is not a login; log in again") as raised:
        store.load("me")
    assert "hidden" not in str(raised.value)
    service.versions[SECRET][-1] = None  # destroyed by hand
    assert store.load("me") is None


@pytest.mark.parametrize(
    ("payload", "environment", "app"),
    [
        (b'{"client_id": "id", "client_secret": "s"}', {}, App("id", "s")),
        (b"s\n", {"SPOTIFY_CLIENT_ID": "id"}, App("id", "s")),
        (b"12345", {"SPOTIFY_CLIENT_ID": "id"}, App("id", "12345")),
    ],
)
def test_the_app_can_be_a_secret(service: SecretManager, payload: bytes, environment: dict[str, str], app: App) -> None:
    name = "projects/p/secrets/spotify-app"
    service.versions[name] = [b"old", payload]
    assert app_of(environment | {"SPOTIFY_CLIENT_SECRET_NAME": name}) == app


def test_an_app_that_is_not_in_its_secret(service: SecretManager) -> None:
    environment = {"SPOTIFY_CLIENT_SECRET_NAME": "projects/p/secrets/app"}
    with pytest.raises(StateError, match="there is no projects/p/secrets/app, or it has no version"):
        app_of(environment)
    service.versions["projects/p/secrets/app"] = [b"hidden"]
    with pytest.raises(LoginError, match="there is no SPOTIFY_CLIENT_ID"):
        app_of(environment)
    service.versions["projects/p/secrets/app"] = [b"\xff"]
    with pytest.raises(StateError, match="is not text"):
        app_of(environment)


@pytest.mark.parametrize(
    "spec", ["secretmanager:/p", "secretmanager://", "secretmanager://p/A", "secretmanager://p/a/b"]
)
def test_a_store_that_is_misspelt(spec: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    ran = run("login", "--no-browser", "--logins", spec)
    assert (ran.code, "write it as secretmanager://PROJECT or secretmanager://PROJECT/PREFIX" in ran.err) == (1, True)


def test_a_rotated_token_outlives_a_failure_of_the_store(
    service: SecretManager, store: LoginStore, tmp_path: Path
) -> None:
    with Spotify() as server:
        server.accounts.rotate = True
        store.save(Grant("me", server.accounts.refresh_token, AT))
        app = {"SPOTIFY_CLIENT_ID": server.accounts.client_id, "SPOTIFY_CLIENT_SECRET": server.accounts.client_secret}
        [login] = logins_of(app, tmp_path, store)
        with closing(Client(login, Endpoints(server.url, server.url))) as client:
            for method in ("AccessSecretVersion", "AddSecretVersion"):
                service.refuses = {method: grpc.StatusCode.PERMISSION_DENIED}
                with pytest.raises(StateError):
                    client.recently_played()
            service.refuses, server.accounts.rotate = {}, False
            assert len(client.recently_played()) == 50
            stored = store.load("me")
            assert stored
            assert stored.refresh_token == login.refresh_token != server.accounts.refresh_token
