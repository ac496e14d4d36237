"""The rebuild makes the tables of snapshots: each snapshot once within its month, and no play waits for one."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.domain.snapshots import Snapshot
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.warehouse.folder import FolderWarehouse
from tests.rebuilding.rebuilds import OCTOBER_PLAY, A, B, C, archive, contents, run, tracks
from tests.snapshots import KINDS, NOVEMBER, artist, expected, in_table, playlist, some, track

OCTOBER = NOVEMBER - timedelta(days=30)


def keep(folder: Path, *snapshots: Snapshot) -> list[Path]:
    return [Path(path) for path in SnapshotArchive(str(folder / "archive")).write(snapshots)]


def months(folder: Path, kind: str) -> set[str]:
    return {f"{row['month']:%Y-%m}" for row in in_table(folder, kind)}


def test_a_mixed_archive_becomes_all_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive(tmp_path, [A, B, C, OCTOBER_PLAY])
    keep(tmp_path, *some())
    assert run(tmp_path) == 0
    assert tracks(tmp_path) == ["october", "a", "b", "c"]
    for kind in KINDS:
        assert in_table(tmp_path, kind) == expected(some(), kind)
    assert "With them 10 rows of snapshots of playlists, artists and tracks, each once" in capsys.readouterr().err


def test_a_snapshot_in_two_files_is_one_row_and_the_earliest(tmp_path: Path) -> None:
    state, later = playlist("ab"), playlist("ab", NOVEMBER + timedelta(minutes=1))
    keep(tmp_path, *later, artist(), track())
    keep(tmp_path, *state, artist(), track())
    assert run(tmp_path) == 0
    assert [row["taken_at"] for row in in_table(tmp_path, "playlist_snapshot")] == [NOVEMBER] * 2
    assert len(in_table(tmp_path, "artist_snapshot")) == len(in_table(tmp_path, "track_snapshot")) == 1


def test_the_month_is_of_utc_whatever_the_plays_are_counted_in(tmp_path: Path) -> None:
    last_minute = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)  # November in Paris
    keep(tmp_path, artist(taken_at=last_minute))
    assert run(tmp_path) == 0
    assert [row["month"] for row in in_table(tmp_path, "artist_snapshot")] == [date(2026, 10, 1)]


def test_a_new_file_changes_its_month_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive(tmp_path, [A, OCTOBER_PLAY])
    keep(tmp_path, artist(), artist(taken_at=OCTOBER))
    assert run(tmp_path, "--months=changed") == 0
    before = contents(tmp_path)
    assert run(tmp_path, "--months=changed") == 0
    assert contents(tmp_path) == before
    keep(tmp_path, artist("new", OCTOBER))
    capsys.readouterr()
    assert run(tmp_path, "--months=changed") == 0
    assert "Rebuilt 1 months, 2026-10 to 2026-10: 1 plays" in capsys.readouterr().err
    assert {path for path in before.keys() - contents(tmp_path).keys() if "2026-11" in path} == set()
    assert len(in_table(tmp_path, "artist_snapshot")) == 3


def test_tables_that_were_made_before_there_were_snapshots_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path, [A, OCTOBER_PLAY])
    assert run(tmp_path, "--months=changed") == 0
    keep(tmp_path, artist())
    capsys.readouterr()
    assert run(tmp_path, "--months=changed") == 0
    assert "Rebuilt 1 months, 2026-11 to 2026-11" in capsys.readouterr().err
    assert months(tmp_path, "artist_snapshot") == {"2026-11"}


def test_only_the_months_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, *some())
    assert run(tmp_path, "--months=2026-10") == 0
    assert months(tmp_path, "artist_snapshot") == {"2026-10"}
    assert months(tmp_path, "track_snapshot") == set()
    assert run(tmp_path, "--months=2026-09") == 1
    assert "there are no plays of the months asked for" in capsys.readouterr().err


def test_what_the_archive_no_longer_has_goes(tmp_path: Path) -> None:
    archive(tmp_path, [A])
    keep(tmp_path, track())
    (path,) = keep(tmp_path, artist())
    assert run(tmp_path) == 0
    path.unlink()
    assert run(tmp_path, "--months=changed") == 0
    assert in_table(tmp_path, "artist_snapshot") == []
    assert len(in_table(tmp_path, "track_snapshot")) == 1
    assert tracks(tmp_path) == ["a"]


def test_a_damaged_file_keeps_its_table_of_the_month_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path, [A])
    (path,) = keep(tmp_path, artist())
    assert run(tmp_path) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    keep(tmp_path, artist("a2"), artist("a3", OCTOBER), track())
    archive(tmp_path, [B])
    capsys.readouterr()
    assert run(tmp_path, "--months=changed") == 1
    said = capsys.readouterr().err
    assert f"{path} cannot be read" in said
    assert "artist_snapshots of 2026-11 stays as before" in said
    assert tracks(tmp_path) == ["a", "b"]
    assert [row["artist_id"] for row in in_table(tmp_path, "artist_snapshot")] == ["a1", "a3"]
    assert len(in_table(tmp_path, "track_snapshot")) == 1
    path.write_bytes(whole)  # restored: the month was not noted as made
    assert run(tmp_path, "--months=changed") == 0
    assert {row["artist_id"] for row in in_table(tmp_path, "artist_snapshot")} == {"a1", "a2", "a3"}


def test_a_file_in_another_months_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = keep(tmp_path, artist())
    elsewhere = path.parents[1] / "month=2026-10" / path.name
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    assert run(tmp_path) == 1
    assert f"{elsewhere} has snapshots of another month than its folder's" in capsys.readouterr().err


def test_a_time_that_cannot_be_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, artist(), artist("a2", NOVEMBER.replace(year=2098)))
    assert run(tmp_path) == 0
    assert "Passed over 1 snapshots of a time that cannot be" in capsys.readouterr().err
    assert [row["artist_id"] for row in in_table(tmp_path, "artist_snapshot")] == ["a1"]


def test_who_is_forgotten_takes_no_snapshot_along(tmp_path: Path) -> None:
    made = archive(tmp_path, [A])
    made.marks.add("me", lambda: datetime(2026, 11, 22, tzinfo=UTC), wait=lambda _: None)
    keep(tmp_path, *some())
    assert run(tmp_path) == 0
    assert tracks(tmp_path) == []
    assert in_table(tmp_path, "track_snapshot") == expected(some(), "track_snapshot")


def test_rows_that_a_stream_wrote_twice_go_when_the_month_is_late(tmp_path: Path) -> None:
    keep(tmp_path, long_ago := artist(taken_at=datetime(2019, 5, 3, tzinfo=UTC)))
    assert run(tmp_path, "--months=late") == 0
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris").append("artist_snapshots", [long_ago.to_row()])
    assert run(tmp_path, "--months=changed") == 0
    assert len(in_table(tmp_path, "artist_snapshot")) == 2
    assert run(tmp_path, "--months=late") == 0
    assert len(in_table(tmp_path, "artist_snapshot")) == 1
