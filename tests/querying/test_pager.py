"""What is longer than a terminal goes through a pager, and nothing else does."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.querying.pager import pager_of
from tests.warehouse.listening import listening_in

ROOT = Path(__file__).parents[2]
LONG = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 90)) AS n"
SHORT = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 3)) AS n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(listening_in(tmp_path_factory.mktemp("warehouse")).folder)


def in_terminal(tmp_path: Path, *argv: str) -> tuple[str, str]:
    """What a query shows in a terminal of 24 lines whose pager notes what it is given, and what it was given."""
    noted = tmp_path / "paged"
    ours, theirs = pty.openpty()
    environment = os.environ | {"PAGER": f"tee {noted}", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-m", "heavy_rotation", "query", *argv],
        cwd=ROOT,
        env=environment,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # the other side was closed
            pass
    os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n"), noted.read_text() if noted.exists() else ""


def test_a_long_answer_is_paged_with_its_count(folder: str, tmp_path: Path) -> None:
    shown, paged = in_terminal(tmp_path, "--warehouse", folder, LONG)
    assert shown == paged
    assert paged.splitlines()[-2:] == ["90", "90 rows"]


@pytest.mark.parametrize("argv", [[SHORT], ["--no-pager", LONG]])
def test_a_short_one_is_not_nor_where_nobody_wants_it(argv: list[str], folder: str, tmp_path: Path) -> None:
    shown, paged = in_terminal(tmp_path, "--warehouse", folder, *argv)
    assert paged == ""
    assert shown.splitlines()[-1].endswith(" rows")


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({}, "less"),
        ({"PAGER": "less -S"}, "less -S"),
        ({"PAGER": ""}, None),
        ({"PAGER": "cat"}, None),
        ({"PAGER": "no-such-pager"}, None),
        ({"TERM": "dumb"}, None),
    ],
)
def test_which_pager(
    environment: dict[str, str], command: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("less", "cat"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pager_of(environment) == command
