"""What would steer a terminal is spelled out, wherever text leaves for one."""

import logging
import os
import pty
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.terminal import pasteable, printable
from pipelines.warehouse.folder import FolderWarehouse

ROOT = Path(__file__).parent.parent
EVIL = "\x1b]0;owned\x07\x9b31m\u202egnp"
SPELLED = r"\x1b]0;owned\x07\x9b31m\u202egnp"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (EVIL, SPELLED),
        ("a\rb\x00\x7f", r"a\rb\x00\x7f"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("Beyoncé · 日本 · 👩\u200d🎤 · שלום\u200f", "Beyoncé · 日本 · 👩\u200d🎤 · שלום\u200f"),
        ("\u2028\u2066\udc80", r"\u2028\u2066\udc80"),
    ],
)
def test_only_what_steers_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("called", "typed"),
    [
        ("heavy-rotation", "heavy-rotation"),
        ("bin/heavy-rotation", "bin/heavy-rotation"),
        ("/work/pipelines/query.py", f"{sys.executable} -m heavy_rotation"),
    ],
)
def test_a_command_is_told_as_it_was_called(called: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert pasteable("run: heavy-rotation login; or heavy-rotation poll") == f"run: {typed} login; or {typed} poll"
    for untouched in (
        "in ~/.local/share/heavy-rotation or",
        "heavy-rotation 0.1.0",
        "pip install 'heavy-rotation[all]'",
    ):
        assert pasteable(untouched) == untouched


def test_reports_failures_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise Failure(f"no file {EVIL}")

    report(EVIL)
    assert run_command(fail) == 1
    assert run_command(lambda: f"written to {EVIL}") == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"written to {SPELLED}\n", f"{SPELLED}\nerror: no file {SPELLED}\n")


def test_the_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines.logs import set_up_logging

    set_up_logging({})
    logger = logging.getLogger("producer")
    monkeypatch.setattr(logger, "handlers", logger.handlers)
    logger.warning("polled %s", EVIL)
    assert capsys.readouterr().err == f"WARNING: polled {SPELLED}\n"


def test_a_name_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as export:
        export.writestr(f"StreamingHistory_music_{EVIL}0.json", "[{")
    ended = subprocess.run(
        [sys.executable, "-m", "heavy_rotation", "import", str(tmp_path / "export.zip"), "--user", "me", "--dry-run"],
        cwd=ROOT,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert "owned" in said
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_an_answer_on_a_terminal(form: str, tmp_path: Path) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    sql = r"SELECT '\x1b[31m\u009b' AS x"
    command = [sys.executable, "-m", "heavy_rotation", "query", "--warehouse", str(tmp_path), "--format", form, sql]
    ours, theirs = pty.openpty()
    try:
        subprocess.run(command, cwd=ROOT, stdout=theirs, stderr=subprocess.DEVNULL, timeout=60, check=True)
        shown = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "[31m" in shown
    assert not set(shown) & {"\x1b", "\x9b"}


def test_a_file_gets_what_is_there(tmp_path: Path) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    command = [sys.executable, "-m", "heavy_rotation", "query", "--warehouse", str(tmp_path), "--format", "csv"]
    ended = subprocess.run(
        [*command, r"SELECT '\x1b[31m' AS x"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "x\n\x1b[31m\n"
