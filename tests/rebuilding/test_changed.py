"""Which months a rebuild of the changed ones, or of the late ones, takes: those, and no others."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar
from pipelines.rebuild import rebuild
from pipelines.rebuilding.settings import RebuildOptions, Selection
from pipelines.runners import LOCAL_BATCH_RUNNER
from pipelines.storage.archive import Archive
from pipelines.warehouse.folder import FolderWarehouse
from tests.builders import play, plays
from tests.rebuilding.rebuilds import archive, arguments, contents, run, tracks
from tests.streaming.running import outcome

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
IN_NOVEMBER = parse("2026-11-21T09:00:00Z")
NOTHING = "No month has changed since its tables were made\n"


class Changed:
    """Rebuilds of what has changed in a folder, by a clock of the test; what each says."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.now = IN_NOVEMBER

    def __call__(self, months: Selection = "changed") -> str:
        self.capsys.readouterr()
        places = str(self.folder / "archive"), str(self.folder / "warehouse")
        runner = PipelineOptions([], runner=LOCAL_BATCH_RUNNER)
        rebuild(RebuildOptions(*places, Calendar(), months), runner, partial(_constant, self.now))
        return self.capsys.readouterr().err


def _constant(now: datetime) -> datetime:
    return now


@pytest.fixture
def changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> Changed:
    """After a first rebuild of the folder's archive: October and November."""
    made = Changed(folder, capsys)
    assert "Rebuilt 2 months, 2026-10 to 2026-11: 4 plays" in made()
    return made


def test_a_month_whose_files_came_or_went(folder: Path, changed: Changed) -> None:
    before = contents(folder)
    assert (changed(), contents(folder)) == (NOTHING, before)
    archive(folder, [play("2026-11-12T10:00:00Z", "new")])
    assert "Rebuilt 1 months, 2026-11 to 2026-11: 4 plays, each once, from 5" in changed()
    assert (changed(), tracks(folder)) == (NOTHING, ["october", *"abc", "new"])
    assert {name: data for name, data in contents(folder).items() if "2026-10" in name}.items() <= before.items()
    there = Archive(str(folder / "archive"))
    there.remove(there.files([OCTOBER])[0])
    assert changed() == "Removed 2026-10: the archive has nothing of them any more\n"
    assert (changed(), tracks(folder)) == (NOTHING, [*"abc", "new"])


def test_a_neighbours_file_counts_only_where_it_holds_plays_of_the_month(folder: Path, changed: Changed) -> None:
    # At midnight in Paris it is still October in New York, whose writer files it there.
    new = play("2026-10-31T23:30:00Z", "first")
    archive(folder, [new], zone="America/New_York")
    assert "Rebuilt 1 months, 2026-11 to 2026-11: 4 plays" in changed()
    assert (changed(), tracks(folder)) == (NOTHING, ["october", "first", *"abc"])
    archive(
        folder, [play("2026-10-31T23:40:00Z", "second"), play("2026-10-11T10:00:00Z", "o")], zone="America/New_York"
    )
    assert "Rebuilt 2 months, 2026-10 to 2026-11: 7 plays" in changed()
    assert (changed(), tracks(folder)) == (NOTHING, ["october", "o", "first", "second", *"abc"])


def test_of_a_months_neighbours_only_files_with_plays_of_it_are_read(
    folder: Path, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(folder, [play("2026-11-12T10:00:00Z", "new")])
    read, read_bytes = [], Archive.read_bytes

    def noted(self: Archive, path: str) -> bytes:
        read.append(path)
        return read_bytes(self, path)

    monkeypatch.setattr(Archive, "read_bytes", noted)
    changed()
    assert {path.split("/")[-2] for path in read} == {"month=2026-11"}


def test_a_month_that_has_ended_since(folder: Path, changed: Changed) -> None:
    assert {row["is_final"] for row in outcome(folder).snapshots if row["month"] == NOVEMBER} == {False}
    changed.now = parse("2026-11-30T22:59:59Z")
    assert changed() == NOTHING
    changed.now = parse("2026-11-30T23:00:00Z")
    assert "Rebuilt 1 months, 2026-11 to 2026-11" in changed()
    assert {row["is_final"] for row in outcome(folder).snapshots} == {True}
    assert changed() == NOTHING


def test_tables_that_are_gone(folder: Path, changed: Changed) -> None:
    shutil.rmtree(folder / "warehouse" / "top_ten_snapshots" / "month=2026-10")
    assert "Rebuilt 1 months, 2026-10 to 2026-10: 1 plays" in changed()
    shutil.rmtree(folder / "warehouse")
    assert "Rebuilt 2 months" in changed()
    assert (changed(), tracks(folder)) == (NOTHING, ["october", *"abc"])


def test_tables_that_were_restored_with_their_times_are_other_tables(folder: Path, changed: Changed) -> None:
    warehouse, copy = folder / "warehouse", folder / "copy"
    subprocess.run(["cp", "-a", warehouse, copy], check=True)
    archive(folder, [play("2026-11-12T10:00:00Z", "new")])
    assert "Rebuilt 1 months" in changed()
    shutil.rmtree(warehouse)
    subprocess.run(["cp", "-a", copy, warehouse], check=True)
    assert tracks(folder) == ["october", *"abc"]
    assert "Rebuilt 1 months, 2026-11 to 2026-11: 4 plays" in changed()
    assert (changed(), tracks(folder)) == (NOTHING, ["october", *"abc", "new"])


def test_rows_that_a_stream_adds_change_nothing(folder: Path, changed: Changed) -> None:
    FolderWarehouse.open(folder / "warehouse").append("play_events", [play("2026-11-12T10:00:00Z").to_row(Calendar())])
    assert changed() == NOTHING


def test_files_that_come_while_it_reads_are_the_next_runs(
    folder: Path, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(folder, [play("2026-11-12T10:00:00Z", "new")])
    finish = FolderWarehouse.take
    came: list[object] = []

    def another_comes(*arguments: Any) -> str:
        if not came:
            came.append(archive(folder, [play("2026-11-13T10:00:00Z", "later")]))
        return finish(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(FolderWarehouse, "take", another_comes)
        changed()
    assert tracks(folder) == ["october", *"abc", "new"]
    assert "Rebuilt 1 months, 2026-11" in changed()
    assert tracks(folder) == ["october", *"abc", "new", "later"]


# Runs the command, which kills itself when it has moved new files of a month in, and removed no old one of it.
_KILLED = """
import os, signal, sys
from pipelines.rebuild import main
from pipelines.warehouse.folder import FolderWarehouse
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
FolderWarehouse.remove_files = killed
main(sys.argv[1:])
"""


@pytest.mark.long
@pytest.mark.parametrize("months", ["2026-11", "all", "changed"])
def test_what_a_rebuild_that_was_killed_began_to_replace_has_changed(
    folder: Path, changed: Changed, months: str
) -> None:
    if months == "changed":
        archive(folder, [play("2026-11-12T10:00:00Z", "new")])
    command = [sys.executable, "-c", _KILLED, *arguments(folder, f"--months={months}")]
    killed = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"TMPDIR": str(folder)})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(tracks(folder)) > 4
    assert "Rebuilt " in changed()
    assert tracks(folder) == ["october", *"abc", *(["new"] if months == "changed" else [])]
    assert changed() == NOTHING


def test_an_archive_that_has_nothing_yet_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--months=changed") == 0
    assert capsys.readouterr().err == f"There are no plays in {tmp_path / 'archive'} yet\n"
    assert not (tmp_path / "warehouse").exists()


# Months that are late


def test_late_months_are_those_whose_files_their_last_rebuild_did_not_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = archive(tmp_path, plays("ab", start="2019-01-05T10:00:00Z"), plays("cd", start="2019-07-05T10:00:00Z"))
    recent = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT10:00:00Z")
    archive(tmp_path, [play(recent, "open")])
    assert run(tmp_path, "--months=late") == 0
    assert tracks(tmp_path) == [*"abcd"]
    before = contents(tmp_path)

    def late() -> str:
        capsys.readouterr()
        assert run(tmp_path, "--months=late") == 0
        return capsys.readouterr().err

    nothing = "No month is late: those that take no more plays were rebuilt from all the files they have\n"
    assert (late(), contents(tmp_path)) == (nothing, before)
    archive(tmp_path, [play("2019-07-06T10:00:00Z", "e")])
    assert "Rebuilt 1 months, 2019-07 to 2019-07: 3 plays" in late()
    assert (late(), tracks(tmp_path)) == (nothing, [*"abcde"])
    # A file that is gone, as when someone was forgotten, is another archive too.
    made.remove(made.files([date(2019, 1, 1)])[0])
    archive(tmp_path, [play("2019-01-07T10:00:00Z", "f")])
    assert "Rebuilt 1 months, 2019-01 to 2019-01: 1 plays" in late()
    assert tracks(tmp_path) == [*"fcde"]
    # Every rebuild is noted.
    archive(tmp_path, [play("2019-01-08T10:00:00Z", "g")])
    assert run(tmp_path, "--months=2019-01") == 0
    assert late() == nothing
    # Other tables have not seen anything.
    shutil.rmtree(tmp_path / "warehouse")
    assert "Rebuilt 2 months" in late()


def test_of_a_closed_months_snapshots_the_fullest_is_left(tmp_path: Path) -> None:
    archive(tmp_path, plays("abc", start="2019-01-05T10:00:00Z"))
    assert run(tmp_path, "--months=late") == 0
    before = outcome(tmp_path)
    # As a stream that is launched again, whose state has a part of the month.
    warehouse = FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    warehouse.append("top_ten_snapshots", [row | {"plays_in_month": 2, "items": []} for row in before.snapshots])
    warehouse.append("play_events", before.play_events[:2])
    assert run(tmp_path, "--months=changed") == 0
    assert outcome(tmp_path).counts() == {"2019-01": [2, 3]}
    for _ in range(2):
        assert run(tmp_path, "--months=late") == 0
        assert outcome(tmp_path).counts() == {"2019-01": [3]}
        assert len(outcome(tmp_path).snapshots) == 3
        assert tracks(tmp_path) == [*"abc"]


def test_a_month_with_the_first_hours_of_the_next_is_late_with_its_neighbour(tmp_path: Path) -> None:
    archive(tmp_path, plays("a", start="2019-01-05T10:00:00Z"))
    assert run(tmp_path, "--months=late") == 0
    # At midnight in Paris it is still January in New York, whose writer files it there.
    made = archive(tmp_path, [play("2019-02-01T00:30:00Z", "b")], zone="America/New_York")
    assert [path.split("/")[-2] for path in made.files()] == ["month=2019-01"] * 2
    archive(tmp_path, plays("c", start="2019-02-05T10:00:00Z"))
    assert run(tmp_path, "--months=late") == 0
    archive(tmp_path, [play("2019-01-31T23:45:00Z", "d")], zone="America/New_York")
    assert run(tmp_path, "--months=late") == 0
    assert tracks(tmp_path) == [*"adbc"]


def test_a_note_that_cannot_be_written_is_told_and_no_more(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "archive" / "rebuilt").write_text("in the way")
    assert run(folder) == 0
    assert "what was rebuilt could not be noted" in caplog.text
    assert tracks(folder) == ["october", "a", "b", "c"]
