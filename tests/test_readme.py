"""The README's commands do what it says: those of make are run by .ci/run, all others here, in its order."""

import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from demo.export import write_export
from demo.listener import Listener
from demo.spotify import SpotifyServer
from pipelines.options import parse_rebuild, parse_stream
from tests.standins.pubsub import Topic

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


@pytest.mark.long
def test_every_other_command_works_in_order(topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, listener = datetime.now(UTC), Listener(7)
    (tmp_path / "Downloads").mkdir()
    write_export(
        tmp_path / "Downloads" / "my_spotify_data.zip",
        listener.listens(now - timedelta(days=40), now - timedelta(days=2)),
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path / "music"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with SpotifyServer(listener.listens) as spotify:
        monkeypatch.setenv("SPOTIFY_CLIENT_ID", spotify.accounts.client_id)
        monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", spotify.accounts.client_secret)
        monkeypatch.setenv("BROWSER", "true")  # the command, which opens nothing
        monkeypatch.setenv("SPOTIFY_API_URL", spotify.url)
        monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", spotify.url)
        for line in COMMANDS:
            if not line.startswith("make "):
                _run(line.replace("projects/my-project/subscriptions/plays", topic.subscription), tmp_path)


def _run(line: str, folder: Path) -> None:
    command = line.replace(".venv/bin/heavy-rotation", f"{sys.executable} -u -m heavy_rotation")
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    if "heavy-rotation login" in line:  # waits for a browser: this one agrees at once, as the look-alike's page does
        for said in process.stdout:
            if said.strip().startswith("http"):
                requests.get(said.strip(), timeout=30).raise_for_status()
                break
    for runs_on, sign in (("heavy-rotation stream", "Ctrl-C"), ("--every", "published")):
        if runs_on in line:  # until it is stopped
            said = next(text for text in process.stdout if sign in text)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=120)[0]
    assert process.returncode == 0, said


def test_the_cloud_s_commands_are_the_runbook_s() -> None:
    """Nobody runs them here; the runbook's are held to gcloud and to Terraform."""
    section = README.partition("\n## On Google Cloud\n")[2].partition("\n## ")[0]
    lines = [line.partition(" #")[0].strip() for line in section.splitlines() if line.startswith("    ")]
    parts = [part for line in lines for part in line.split(" && ")]
    assert len(parts) > 10
    runbook = " ".join((ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split())
    assert [part for part in parts if part not in runbook] == []


def test_the_options_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    told = set(re.findall(r"^\| `(--[\w-]+)` \|", README, re.MULTILINE))
    there: set[str] = set()
    for parse in (parse_stream, parse_rebuild):
        with pytest.raises(SystemExit):
            parse(["--help"])
        there |= set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    assert told == there - {"--help"}
