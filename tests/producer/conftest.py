"""What the producer's tests share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from producer.__main__ import main
from producer.accounts.secret_manager import client_of
from tests.producer.look_alike import Spotify
from tests.producer.secret_manager import SecretManager
from tests.pubsub_hosts import emulator_pubsub_host, local_pubsub_host, pubsub_host

__all__ = ["emulator_pubsub_host", "local_pubsub_host", "pubsub_host"]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the logins and the state of whoever runs it, nor the app."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    for name in ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_FILE", "CLIENT_SECRET_NAME", "REFRESH_TOKEN"):
        monkeypatch.delenv(f"SPOTIFY_{name}", raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the producer with these arguments, in this process."""

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's way
            code = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def secret_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    """A look-alike of Secret Manager, which Google's client is sent to."""
    with SecretManager() as service:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", service.address)
        yield service
        client_of(service.address).transport.close()


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spotify]:
    with Spotify() as server:
        monkeypatch.setenv("SPOTIFY_API_URL", server.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", server.url + "/")
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", server.accounts.client_id)
        monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", server.accounts.client_secret)
        monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", server.accounts.refresh_token)
        yield server
