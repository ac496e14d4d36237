"""On a laptop nothing needs to be named: archive, tables and state have a home."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.export import write_export
from demo.listener import Listener
from pipelines.home import home_of
from pipelines.options import parse_rebuild, parse_stream
from pipelines.query import parse as parse_query
from pipelines.top import parse as parse_top
from producer.commandline import parse as parse_producer

ROOT = Path(__file__).parents[1]
COMMAND = f"{sys.executable} -m heavy_rotation"  # as it is called here
BEGIN = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEAVY_ROTATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SPOTIFY_REFRESH_TOKEN", raising=False)
    return tmp_path / "home"


def heavy_rotation(*argv: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command as a process, whose terminal has 80 columns."""
    return subprocess.run(
        [sys.executable, "-m", "heavy_rotation", *map(str, argv)],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_from_an_export_to_a_top_ten_in_one_command(home: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "my_spotify_data.zip", Listener(7).listens(BEGIN, BEGIN + timedelta(days=30)))
    ended = heavy_rotation("import", export)
    assert (ended.returncode, ended.stderr) == (0, "")
    report, month, *rest = ended.stdout.split("\n\n")
    assert f"to {home / 'archive'}" in report
    assert month.startswith("April 2026 · ")
    assert month.partition("\n")[0].endswith(" · me")
    assert [part.partition("\n")[0] for part in rest[:3]] == ["Songs", "Artists", "Albums"]
    assert all(len(part.splitlines()) == 11 for part in rest[:3])
    assert rest[3].startswith("2026 ")
    assert rest[4].startswith(f"next: {COMMAND} top --year 2026\n")
    assert {path.name for path in home.iterdir()} == {"archive", "warehouse", "state"}
    assert {oct(path.stat().st_mode & 0o777) for path in home.iterdir()} == {"0o700"}
    for line in rest[4].replace("next:", "").splitlines()[:3:2]:  # not web, which goes on
        asked = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S602
        assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.long
def test_the_same_export_again_writes_nothing_and_shows_the_same(home: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "my_spotify_data.zip", Listener(7).listens(BEGIN, BEGIN + timedelta(days=30)))
    first, again = (heavy_rotation("import", export) for _ in range(2))
    assert (again.returncode, again.stdout.partition("\n\n")[2]) == (0, first.stdout.partition("\n\n")[2])


def test_an_archive_that_is_named_gets_the_plays_alone(home: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "my_spotify_data.zip", Listener(7).listens(BEGIN, BEGIN + timedelta(days=2)))
    ended = heavy_rotation("import", export, "--archive", tmp_path / "archive")
    assert ended.returncode == 0
    assert (
        f"next: {COMMAND} rebuild --archive {tmp_path / 'archive'} --warehouse {tmp_path / 'warehouse'}" in ended.stdout
    )
    assert {path.name for path in home.iterdir()} == {"state"}


def test_tables_that_cannot_be_made_are_told_and_the_plays_are_there(home: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "my_spotify_data.zip", Listener(7).listens(BEGIN, BEGIN + timedelta(days=2)))
    home.mkdir()
    (home / "warehouse").write_text("in the way")
    ended = heavy_rotation("import", export)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the plays are in the archive, but their tables were not made: ")
    assert list((home / "archive").rglob("*.avro"))


@pytest.mark.parametrize("by", ["environment", "option"])
def test_what_is_not_named_is_at_home(by: str, home: Path, tmp_path: Path) -> None:
    at = ["--home", str(tmp_path / "other")] if by == "option" else []
    folder = tmp_path / "other" if at else home
    for parse in (parse_query, parse_top):
        assert parse(at).warehouse == str(folder / "warehouse")
    rebuild, _ = parse_rebuild(at)
    stream, _ = parse_stream(["--subscription", "projects/my-project/subscriptions/plays", *at])
    for options in (rebuild, stream):
        assert (options.archive, options.warehouse) == (str(folder / "archive"), str(folder / "warehouse"))
    for command in (["poll", "--once"], ["doctor"], ["logout", "--account", "a"], ["import", "x"]):
        assert parse_producer([*command, *at]).state == str(folder / "state")


def test_without_a_name_home_is_the_platform_s_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEAVY_ROTATION_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    if sys.platform.startswith("linux"):
        assert home_of(None).archive == str(tmp_path / "data" / "heavy-rotation" / "archive")
        assert home_of(None).state == str(tmp_path / "state" / "heavy-rotation")
    assert home_of(str(tmp_path)).state == str(tmp_path / "state")
