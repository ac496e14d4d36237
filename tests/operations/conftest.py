"""What rehearsals share: a topic, a listener, and stand-ins for Google's services."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.operations.runbook import commands
from tests.standins import browser
from tests.standins.pubsub import Topic, a_topic
from tests.standins.secret_manager import SecretManager
from tests.standins.spotify import Person


@pytest.fixture
def google_topic(emulator_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    """In Google's emulator, with what infra/pubsub.tf gives topic and subscription."""
    with a_topic(emulator_pubsub_host, monkeypatch, retained=True) as made:
        yield made


@pytest.fixture
def secrets(secret_manager: SecretManager) -> SecretManager:
    return secret_manager


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody listens; nobody has logged in yet, and a browser is there that agrees to everything."""
    with Person() as person:
        monkeypatch.setenv("SPOTIFY_API_URL", person.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", person.url)
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", person.accounts.client_id)
        monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", person.accounts.client_secret)
        monkeypatch.setenv("BROWSER", f"{shlex.quote(sys.executable)} {shlex.quote(browser.__file__)} %s")
        yield person


@pytest.fixture
def app(spotify: Person, secrets: SecretManager, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a version to the secret that the runbook names, with the app's id and this secret of it.

    The app is known from there alone.
    """
    monkeypatch.delenv("SPOTIFY_CLIENT_ID")
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    export = next(line for line in commands() if line.startswith("export SPOTIFY_"))
    name, _, secret = export.removeprefix("export ").partition("=")
    monkeypatch.setenv(name, secret)
    secrets.secrets[secret], secrets.versions[secret] = {}, []

    def add(client_secret: str) -> None:
        known = {"client_id": spotify.accounts.client_id, "client_secret": client_secret}
        secrets.versions[secret].append(json.dumps(known).encode())

    return add
