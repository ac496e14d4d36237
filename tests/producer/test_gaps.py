"""What opens a gap, what closes it, and which archive it is in."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from producer.polling.poll import poll
from producer.polling.publishing import ArchiveDestination
from producer.private_files import StateError
from producer.state.cursor import Cursors
from producer.state.gaps import Gap
from tests.commands import Run
from tests.producer.exports import extended, listed, plays_in, write_json, write_zip
from tests.standins.spotify import NOW, Spotify

AT = datetime(2026, 5, 1, 10, tzinfo=UTC)
GAP = Gap(AT, AT + timedelta(days=20), NOW)


def name_of(number: int) -> str:
    return f"Streaming_History_Audio_2026_{number}.json"


# Of an export in three files, the second has the days that the gap is about.
FILES = {
    1: [extended(f"{AT - timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"), extended(f"{AT:%Y-%m-%dT%H:%M:%SZ}")],
    2: [extended(f"{AT + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}") for days in (2, 12)],
    3: [extended(f"{AT + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}") for days in (20, 30)],
}


@pytest.fixture
def cursors(tmp_path: Path) -> Cursors:
    """Those of a state with one gap."""
    cursors = Cursors(tmp_path / "state")
    remember(cursors, GAP)
    return cursors


def remember(cursors: Cursors, gap: Gap) -> None:
    cursors.change(cursors.read("me"), lambda cursor: replace(cursor, gaps=(gap,)))


def load(run: Run, tmp_path: Path, *exports: Path, archive: str = "archive") -> str:
    where = ["--archive", tmp_path / archive, "--state", tmp_path / "state", "--user", "me"]
    ran = run("import", *exports, *where)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


# An import closes what it covers


def test_two_files_close_no_gap_that_only_the_one_between_them_covers(
    run: Run, tmp_path: Path, cursors: Cursors
) -> None:
    """In whatever order they come."""
    first, second, third = (write_json(tmp_path / "export" / name_of(number), FILES[number]) for number in (1, 2, 3))
    assert "closed" not in load(run, tmp_path, first, third)
    assert cursors.gaps("me") == [GAP]
    assert "closed" not in load(run, tmp_path, second), "it has not got the plays at the gap's ends"
    assert cursors.gaps("me") == [GAP]
    assert "closed the gap between 2026-05-01 10:00:00 UTC" in load(run, tmp_path, first, second, third)
    assert cursors.gaps("me") == []


@pytest.mark.parametrize(("numbers", "closed"), [((1, 2, 3), True), ((1, 3), False), ((2,), False), ((1, 2), False)])
def test_a_zip_that_lacks_a_file(
    run: Run, tmp_path: Path, cursors: Cursors, numbers: tuple[int, ...], closed: bool
) -> None:
    export = write_zip(tmp_path / "my.zip", {name_of(number): FILES[number] for number in numbers})
    assert ("closed the gap" in load(run, tmp_path, export)) == closed
    assert bool(cursors.gaps("me")) != closed


def test_a_file_in_which_nothing_counts_is_covered_too(run: Run, tmp_path: Path, cursors: Cursors) -> None:
    short = [row | {"ms_played": 1000} for row in FILES[2]]
    export = write_zip(tmp_path / "my.zip", {name_of(1): FILES[1], name_of(2): short, name_of(3): FILES[3]})
    assert "closed the gap" in load(run, tmp_path, export)
    assert cursors.gaps("me") == []


def test_files_of_two_exports_are_not_one(run: Run, tmp_path: Path, cursors: Cursors) -> None:
    one = write_zip(tmp_path / "one.zip", {name_of(1): FILES[1]})
    other = write_zip(tmp_path / "other.zip", {name_of(2): FILES[3]})
    assert "closed" not in load(run, tmp_path, one, other)
    assert cursors.gaps("me") == [GAP]


def test_years_are_no_numbers(run: Run, tmp_path: Path, cursors: Cursors) -> None:
    names = ("Streaming_History_Audio_2025.json", "Streaming_History_Audio_2026.json")
    export = write_zip(tmp_path / "my.zip", dict(zip(names, (FILES[1], FILES[3]), strict=True)))
    assert "closed" not in load(run, tmp_path, export)
    assert cursors.gaps("me") == [GAP]


# Which archive it is


def test_an_import_into_another_archive_changes_no_state(run: Run, tmp_path: Path, cursors: Cursors) -> None:
    export = write_zip(tmp_path / "my.zip", {name_of(number): rows for number, rows in FILES.items()})
    early = write_json(tmp_path / "Streaming_History_Audio_2020.json", [extended("2020-05-01T10:00:00Z")])
    load(run, tmp_path, early)
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*.json")}
    said = load(run, tmp_path, export, archive="another")
    assert f"note: {tmp_path / 'state'} is of the archive {tmp_path / 'archive'}. Nothing in it was changed" in said
    assert "closed" not in said
    assert {path: path.read_bytes() for path in (tmp_path / "state").rglob("*.json")} == before
    assert cursors.gaps("me") == [GAP]
    assert len(plays_in(tmp_path / "another")) == 6
    said = load(run, tmp_path, export)
    assert "closed the gap" in said
    assert "is of the archive" not in said


def test_a_dry_run_notes_no_archive(run: Run, tmp_path: Path, cursors: Cursors) -> None:
    export = write_zip(tmp_path / "my.zip", {name_of(1): FILES[1]})
    where = ["--archive", tmp_path / "archive", "--state", tmp_path / "state", "--user", "me"]
    assert run("import", export, *where, "--dry-run").code == 0
    assert cursors.archive() is None


def test_a_poll_into_another_archive_is_refused(spotify: Spotify, run: Run, tmp_path: Path) -> None:
    into = ["poll", "--once", "--state", tmp_path / "state", "--archive"]
    assert run(*into, tmp_path / "archive").code == 0
    ran = run(*into, tmp_path / "another")
    assert (ran.code, ran.out) == (1, "")
    assert f"polls into the archive {tmp_path / 'archive'} remember, and not into {tmp_path / 'another'}" in ran.err
    assert not (tmp_path / "another").exists()
    doctor = run("doctor", "--state", tmp_path / "state", "--archive", tmp_path / "another")
    assert f"problem  state: it is of the archive {tmp_path / 'archive'}, not of" in doctor.out
    (tmp_path / "archive").rename(tmp_path / "another")
    (tmp_path / "state" / "archive.json").unlink()  # as the refusal says
    assert run(*into, tmp_path / "another").code == 0
    assert spotify.asked()


def test_an_archive_is_the_same_by_any_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cursors = Cursors(tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    assert cursors.are_of("archive", claims=True)
    for way in (str(tmp_path / "archive"), "./archive/", "archive/../archive"):
        assert cursors.are_of(way, claims=True), way
    assert not cursors.are_of("another", claims=True)
    bucket = Cursors(tmp_path / "other state")
    assert bucket.are_of("gs://b/archive/", claims=True)
    assert bucket.are_of("gs://b/archive", claims=True)
    assert not bucket.are_of("gs://b/another", claims=True)


def test_a_note_that_is_damaged_is_told(tmp_path: Path) -> None:
    write_json(tmp_path / "archive.json", {"archive": None}).chmod(0o600)
    with pytest.raises(StateError, match=r"archive\.json is damaged"):
        Cursors(tmp_path).are_of("archive", claims=True)


# What opens a gap


def poll_of(tmp_path: Path, *stamps: str) -> list[Gap]:
    """The account's gaps after Spotify listed these plays."""
    cursors = Cursors(tmp_path / "state")
    destination = ArchiveDestination(Archive(str(tmp_path / "archive")), Calendar())
    items: list[Any] = [listed(stamp, str(number)) for number, stamp in enumerate(stamps)]
    poll(items, "me", cursors, destination, NOW)
    return cursors.gaps("me")


def minutes(count: int, hour: int) -> list[str]:
    return [f"2026-05-01T{hour}:{minute:02}:00.500Z" for minute in range(count)]


def test_an_empty_list_opens_no_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    poll_of(tmp_path, *minutes(50, hour=10))
    assert poll_of(tmp_path) == []
    assert caplog.text == ""


@pytest.mark.parametrize("count", [1, 49, 50])
def test_a_list_that_does_not_reach_back_opens_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    poll_of(tmp_path, *minutes(50, hour=10))
    [gap] = poll_of(tmp_path, *minutes(count, hour=12))
    assert (f"{gap.start:%H:%M:%S}", f"{gap.end:%H:%M:%S}") == ("10:49:00", "12:00:00")
    assert gap.is_doubtful == (count < 50)
    assert ("at least one play may be missing" in caplog.text) == (count == 50)
    assert ("plays may be missing between" in caplog.text) == (count < 50)


def test_a_short_list_that_reaches_back_opens_none(tmp_path: Path) -> None:
    poll_of(tmp_path, *minutes(3, hour=10))
    assert poll_of(tmp_path, *minutes(3, hour=10)[2:], *minutes(2, hour=12)) == []


def test_doubt_is_remembered(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path / "state")
    remember(cursors, Gap(AT, AT + timedelta(days=1), NOW, is_doubtful=True))
    assert [gap.is_doubtful for gap in cursors.gaps("me")] == [True]
    [document] = (tmp_path / "state" / "cursors").glob("*.json")
    older = json.loads(document.read_text())
    for gap in older["gaps"]:
        del gap["is_doubtful"]  # as versions before wrote it
    write_json(document, older)
    assert [gap.is_doubtful for gap in cursors.gaps("me")] == [False]
