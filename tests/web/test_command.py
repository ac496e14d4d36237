"""The command ``heavy-rotation web``: where it listens, what it opens, how it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from tests.web.histories import NOW, a_play, written
from web.command import address_of, main, parse

ROOT = Path(__file__).parents[2]


@contextmanager
def started(*options: str, **environment: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address that a server says, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "heavy_rotation", "web", "--port", "0", *options],
        cwd=ROOT,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        yield process.stderr.readline().split()[0], process
    finally:
        process.kill()
        process.communicate()


def test_it_says_where_it_is_answers_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    warehouse = written(tmp_path / "warehouse", [a_play(NOW - timedelta(hours=1))])
    with started("--warehouse", warehouse, "--no-browser") as (address, process):
        assert address.startswith("http://127.0.0.1:")
        answer = requests.get(address, timeout=60)
        assert (answer.status_code, "November 2026" in answer.text) == (200, True)
        assert "server" not in answer.headers
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_it_opens_a_browser_unless_told_not_to(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened.part\nmv {tmp_path}/opened.part {tmp_path}/opened\n'
    )
    browser.chmod(0o755)
    warehouse = str(tmp_path / "warehouse")
    with started("--warehouse", warehouse, BROWSER=f"{browser} %s") as (address, _):
        requests.get(address, timeout=60)
        for _ in range(100):
            if (tmp_path / "opened").exists():
                break
            requests.get(f"{address}help", timeout=60)
        assert (tmp_path / "opened").read_text() == address


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--warehouse", str(tmp_path), "--port", port, "--no-browser"]) == 1
    said = capsys.readouterr().err
    assert f"cannot listen at 127.0.0.1, port {port}: Address already in use; --port 0 takes a free one" in said


def test_the_state_is_that_of_the_tables_at_home_and_of_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVY_ROTATION_HOME", "/music")
    assert (parse([]).warehouse, parse([]).state) == ("/music/warehouse", "/music/state")
    assert parse(["--warehouse", "/elsewhere"]).state is None
    assert parse(["--warehouse", "/elsewhere", "--state", "/its"]).state == "/its"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("localhost", "http://localhost:80/"),
        ("::1", "http://[::1]:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::", "http://127.0.0.1:80/"),
    ],
)
def test_what_to_type_into_a_browser(host: str, address: str) -> None:
    assert address_of(host, 80) == address
