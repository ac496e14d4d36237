"""What every test may use."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

pytest_plugins = [
    "tests.commands",
    *(f"tests.standins.{name}" for name in ("cloud", "cloud_storage", "pubsub", "secret_manager", "spotify")),
]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Programs that come as packages are found in an environment that nobody has activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# How long an example takes says how busy the machine is, and nothing of the code. What CI has set besides stays.
settings.register_profile("patient", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("patient")
# Hypothesis also draws the literals of all modules that are loaded. A test that loads one changes what is drawn under
# its own feet, and is called flaky.
vars(providers)["_get_local_constants"] = lambda: providers.Constants()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where translated queries are kept: one for all tests, as a person has one for all commands."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_settings(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the logins and the state of whoever runs it, nor the app; commands are called by their name."""
    monkeypatch.setattr(sys, "argv", ["heavy-rotation"])
    monkeypatch.setenv("PAGER", "cat")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.delenv("HEAVY_ROTATION_HOME", raising=False)
    for name in ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_FILE", "CLIENT_SECRET_NAME", "REFRESH_TOKEN"):
        monkeypatch.delenv(f"SPOTIFY_{name}", raising=False)
