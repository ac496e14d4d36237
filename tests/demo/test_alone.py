"""The look-alikes as servers by themselves, and what the documentation says to do with them."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "producer.md").read_text(encoding="utf-8").partition("### Without an account\n")[2]
SERVE, TRY = re.findall(r"```sh\n(.*?)```", SECTION.partition("\n### ")[0], re.DOTALL)


@contextmanager
def serving(command: str, folder: Path) -> Iterator[tuple[str, str]]:
    """A server in the background: the first line that it prints, and those of settings. It ends at Ctrl-C, with 0."""
    line = command.strip().replace(".venv/bin/python", f"exec {sys.executable} -u")
    with subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first, settings = process.stdout.readline(), ""
        wanted = 3 if "spotify" in command else 1
        while settings.count("\n") < wanted:
            settings += process.stdout.readline()
            assert process.poll() is None, first
        yield first, settings
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.long
def test_login_poll_and_doctor_work_without_an_account(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BROWSER": "true"}  # the command, which opens nothing
    environment |= {"XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    with serving(SERVE.replace("8720", "0"), tmp_path) as (_, settings):
        for line in TRY.splitlines():
            command = line.replace(".venv/bin/heavy-rotation", f"exec {sys.executable} -u -m heavy_rotation")
            with subprocess.Popen(
                ["bash", "-c", settings + command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process:
                assert process.stdout is not None
                said = ""
                for text in process.stdout:
                    said += text
                    if text.strip().startswith("http"):  # this browser agrees at once
                        requests.get(text.strip(), timeout=30).raise_for_status()
            assert process.returncode == 0, said
    assert list((tmp_path / "try" / "archive" / "plays").rglob("*.avro"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["try"], "nothing of the person's own is touched"


@pytest.mark.parametrize("module", ["demo.spotify", "demo.pubsub"])
def test_a_port_that_is_taken_is_told_in_one_line(module: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", module, "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"error: cannot listen on 127\.0\.0\.1:\d+: .*\n", ended.stderr)


def test_a_pubsub_by_itself_says_where_it_is(tmp_path: Path) -> None:
    with serving(".venv/bin/python -m demo.pubsub --port 0", tmp_path) as (_, settings):
        found = re.fullmatch(r"export PUBSUB_EMULATOR_HOST=127\.0\.0\.1:(\d+)\n", settings)
        assert found
        socket.create_connection(("127.0.0.1", int(found[1])), timeout=10).close()
