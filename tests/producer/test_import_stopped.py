"""Imports that are stopped, by whatever means, and run again; and what is seen of one that runs."""

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.__main__ import main
from producer.importing.progress import Meter, ProgressBar
from tests.commands import Run
from tests.producer.exports import account, extended, identities, plays_in, write_json
from tests.producer.history import History

REPOSITORY = Path(__file__).parents[2]
ROWS = 700


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many months, so that a stopped import has written some of them and not others."""
    folder = tmp_path_factory.mktemp("export")
    for year in range(2012, 2026):
        days = [f"{year}-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
        rows = [extended(f"{day}T{hour:02}:00:00Z", "abc"[hour % 3]) for day in days for hour in (9, 12)]
        write_json(folder / f"Streaming_History_Audio_{year}.json", rows)
    write_json(
        folder / "StreamingHistory_music_0.json", [account("2025-12-28 09:00", "a"), account("2026-01-01 09:00")]
    )
    return folder


# The signal comes when five files are written, however busy the machine is.
_STOPPED_AFTER_THE_FIFTH_FILE = """
import itertools, os, sys
from pipelines.storage.archive import Archive
from producer.__main__ import main
write, number = Archive.write_records, itertools.count(1)
def write_and_stop(*arguments):
    path = write(*arguments)
    if next(number) == 5:
        os.kill(os.getpid(), int(sys.argv[1]))
    return path
Archive.write_records = write_and_stop
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_and_run_again(export: Path, tmp_path: Path, how: signal.Signals) -> None:
    arguments = ["import", str(export), "--user", "me", "--archive", str(tmp_path / "archive")]
    process = subprocess.run(
        [sys.executable, "-c", _STOPPED_AFTER_THE_FIFTH_FILE, str(how.value), *arguments],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False,
    )  # fmt: skip
    assert 5 <= len(list(tmp_path.rglob("*.avro"))) < 14 * 12, "it was stopped in the middle"
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert (process.returncode, process.stderr) == (
            130,
            "stopped; what was written is whole, and the same command can be run again\n",
        )
        assert not list(tmp_path.rglob("*.part")), "nothing half is left behind"
    assert main(arguments) == 0
    assert main([*arguments[:-1], str(tmp_path / "at once")]) == 0
    resumed, at_once = plays_in(tmp_path / "archive"), plays_in(tmp_path / "at once")
    assert identities(resumed) == identities(at_once), "what was there is not written again"


def test_a_dry_run_compares_and_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    history = History(tmp_path)
    history.poll_elsewhere("2026-05-01T10:00:01.500Z")
    export = write_json(tmp_path / "endsong_0.json", [extended(), extended("2026-05-02T10:00:00Z")])
    before = sorted(tmp_path.rglob("*"))
    options = ("--user", "me", "--dry-run", "--state", tmp_path / "state")
    ran = run("import", export, *options, "--archive", history.folder / "archive")
    assert (ran.code, ran.err) == (0, "")
    assert "known               1 already known from polling\n" in ran.out
    assert "written             0 of 1 new play: this was a dry run\n" in ran.out
    assert run("import", export, *options, "--archive", tmp_path / "nowhere").code == 0
    assert run("import", export, *options).code == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_the_report_tells_what_was_known(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", [extended(), extended("2026-05-02T10:00:00Z")])
    arguments = ("import", export, "--user", "me", "--archive", tmp_path / "archive")
    History(tmp_path).poll_elsewhere("2026-05-01T10:00:00.250Z")
    once = run(*arguments).out
    assert "known               1 already known from polling\n" in once
    assert "written             1 play and 1 further copy in 1 file to" in once
    again = run(*arguments).out
    assert "known               2 imported before\n" in again
    assert "written             0 plays in 0 files" in again


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ticks() -> Iterator[float]:
    """A clock that moves on a second whenever it is asked."""
    second = 0.0
    while True:
        yield second
        second += 1


def test_the_bar() -> None:
    terminal, clock = Terminal(), ticks()
    meter = Meter(ProgressBar(terminal, lambda: next(clock)), total_bytes=200, writes=True)
    assert list(meter.batches(50, [([0] * 140, 25), ([0] * 60, 25)])) == [[0] * 140, [0] * 60]
    assert list(meter.batches(150, [([0] * 600, 150)])) == [[0] * 600]
    meter.comparing()
    meter.writing(0)
    meter.writing(0.5)
    assert terminal.getvalue().split("\r\x1b[2K")[1:] == [
        "reading   ░░░░░░░░░░░░░░░░░░░░░░░░   0%",
        "reading   ██░░░░░░░░░░░░░░░░░░░░░░   9%       28 rows/s  0:48 left",
        "reading   ████░░░░░░░░░░░░░░░░░░░░  19%       25 rows/s  0:35 left",
        "comparing ██████████████████░░░░░░  75%       73 rows/s  0:04 left",
        "writing   ██████████████████░░░░░░  75%       57 rows/s  0:05 left",
        "writing   █████████████████████░░░  88%       47 rows/s  0:02 left",
    ]


def test_the_bar_of_a_dry_run_is_full_when_all_is_read() -> None:
    terminal, clock = Terminal(), ticks()
    meter = Meter(ProgressBar(terminal, lambda: next(clock)), total_bytes=200, writes=False)
    assert list(meter.batches(200, [([0] * 600, 200)])) == [[0] * 600]
    meter.comparing()
    assert "comparing " + "█" * 24 + " 100%" in terminal.getvalue()


def test_no_bar_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    bar("reading", 0.5, 10)
    bar.clear()
    assert stream.getvalue() == ""
