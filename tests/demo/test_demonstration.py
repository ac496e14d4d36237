"""``make demo``, shortened: it shows what it promises, and leaves nothing running however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from demo.export import write_export
from demo.listener import Listener
from pipelines.domain.instants import parse
from pipelines.storage.archive import Archive
from tests.builders import play
from tests.producer.exports import plays_in

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent.parent


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PUBSUB_EMULATOR_HOST"}
    return subprocess.Popen(
        [sys.executable, "-m", "demo", "--folder", str(folder), "--seconds", "6", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(folder) in text:
            found.append(text)
    return found


def half_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part") or ".rebuild-" in path.name]


def test_it_ends_with_a_top_ten_and_can_be_run_again_with_an_export(tmp_path: Path) -> None:
    folder = tmp_path / "demo data"
    said, _ = start(folder).communicate(timeout=120)
    assert "What to type next" in said, said
    assert "10 rows" in said
    assert "playlist Line 13: 20 tracks, new" in said
    assert said.count(": popularity ") == 6
    history = said[said.index("playlist_history") :]
    # One went from the list and two came to it; three artists twice; and tracks by artist.
    assert [line for line in history.splitlines() if line.endswith((" rows", " row"))] == ["3 rows", "6 rows", "3 rows"]
    listens = Listener(3).listens(parse("2025-03-01T00:00:00Z"), parse("2025-05-01T00:00:00Z"))
    export = write_export(tmp_path / "my_spotify_data.zip", listens)
    said, _ = start(folder, "--export", str(export)).communicate(timeout=120)
    assert "What to type next" in said, said
    assert "April 2025 · " in said
    assert half_files(folder) == []


@pytest.mark.parametrize(
    ("after", "is_at_work"),
    [
        ("2/6", lambda folder: any(folder.rglob("*.avro"))),
        ("5/6", lambda folder: len(processes_of(folder)) > 1),  # itself, and the stream that it has just started
    ],
)
def test_ctrl_c_leaves_no_process_and_no_half_file(
    tmp_path: Path, after: str, is_at_work: Callable[[Path], bool]
) -> None:
    process = start(tmp_path / "data")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(after):
            break
    deadline = time.monotonic() + 60
    while not is_at_work(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # As a terminal does it: to the whole foreground group.
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert processes_of(tmp_path) == []
    assert half_files(tmp_path) == []


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    process = start(tmp_path)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "has something else in it" in said
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_what_somebody_put_to_a_demonstration_stays(tmp_path: Path) -> None:
    (tmp_path / ".heavy-rotation-demo").touch()
    mine = play("2026-11-02T08:00:00Z", user_id="me")
    Archive(str(tmp_path / "archive")).write(date(2026, 11, 1), [mine])
    for own in ("plays of me", "thesis.txt"):
        said, _ = (process := start(tmp_path)).communicate(timeout=60)
        assert (process.returncode, f" has {own} in it" in " ".join(said.split())) == (1, True), said
        (tmp_path / "thesis.txt").write_text("precious")
    assert plays_in(tmp_path / "archive") == [mine]


def test_an_export_that_is_not_there_is_told(tmp_path: Path) -> None:
    process = start(tmp_path / "data", "--export", str(tmp_path / "nothing.zip"))
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "there is no" in said) == (2, True)
