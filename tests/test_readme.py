"""The README's commands do what it says: those of make are run by .ci/run, all others here, in its order."""

import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.export import write_export
from demo.listener import Listener
from demo.spotify import SpotifyServer
from pipelines.options import parse_rebuild, parse_stream
from tests.test_stream_live import Topic

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line.strip()
]


def test_what_make_is_asked_for_is_asked_by_ci_too() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    asked = [line for line in COMMANDS if line.startswith("make ")]
    assert asked
    assert set(asked) <= set(ci)


def test_every_other_command_works_in_order(
    local_pubsub_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, listener = datetime.now(UTC), Listener(7)
    write_export(tmp_path / "my_spotify_data.zip", listener.listens(now - timedelta(days=40), now - timedelta(days=2)))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    topic = Topic()
    with SpotifyServer(listener.listens) as spotify:
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", spotify.accounts.client_id)
        monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", spotify.accounts.client_secret)
        monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", spotify.accounts.refresh_token)
        monkeypatch.setenv("SPOTIFY_API_URL", spotify.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", spotify.url)
        for line in COMMANDS:
            if not line.startswith("make "):
                _run(line.replace("projects/my-project/subscriptions/plays", topic.subscription), tmp_path)


def _run(line: str, folder: Path) -> None:
    command = line.replace(".venv/bin/python", sys.executable)
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if "pipelines.stream" in line:  # runs until it is stopped
        assert process.stdout is not None
        assert "Ctrl-C" in process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said


def test_the_options_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    told = set(re.findall(r"^\| `(--\w+)` \|", README, re.MULTILINE))
    there: set[str] = set()
    for parse in (parse_stream, parse_rebuild):
        with pytest.raises(SystemExit):
            parse(["--help"])
        there |= set(re.findall(r"^  (--\w+)", capsys.readouterr().out, re.MULTILINE))
    assert told == there - {"--help"}
