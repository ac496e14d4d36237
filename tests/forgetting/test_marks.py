"""Marks keep a person out: on every path, whoever is faster, and only up to their instant."""

import json
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from pipelines import forget, rebuild
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from pipelines.storage.forgotten import Forgotten, Marks
from pipelines.storage.rejects import Rejects
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.persons import append_remembered
from tests.builders import INGESTED_AT, plays
from tests.streaming.running import Script, rows, run_stream

NOVEMBER = date(2026, 11, 1)
MINE, OTHERS = plays("abcabd"), plays("xyzxyz", user_id="another")
# The same plays, read again afterwards: the copy of what is read first is preferred to them otherwise.
AGAIN = [replace(p, ingested_at=INGESTED_AT + timedelta(days=2)) for p in MINE]


def then() -> datetime:
    return INGESTED_AT + timedelta(days=1)


def in_archive(archive: Archive) -> list[Play]:
    """Each play that is there once; who writes and who forgets may both have kept a copy."""
    plays = {(p.user_id, p.played_at): p for path in archive.files() for p in archive.read(path)}
    return [plays[key] for key in sorted(plays)]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    return Archive(str(tmp_path / "archive"))


def test_the_mark_names_nobody_and_is_for_its_owner_alone(archive: Archive) -> None:
    until = archive.marks.add("me", then)
    path = Path(archive.marks.path)
    kept = json.loads(path.read_text())
    assert list(kept["marks"].values()) == [until.isoformat(timespec="milliseconds").replace("+00:00", "Z")]
    assert sha256(b"me").hexdigest() not in path.read_text()
    assert len(bytes.fromhex(kept["key"])) == 32
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert archive.marks.read().until("me") == until
    assert archive.marks.read().until("another") is None
    assert archive.marks.read().has("me", until)
    assert not archive.marks.read().has("me", until + timedelta(milliseconds=1))


def test_of_many_at_once_every_mark_stays_and_of_two_of_one_person_the_later(archive: Archive) -> None:
    users = [f"user {n}" for n in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda user: archive.marks.add(user, then), users))
    later = archive.marks.add("user 0")
    assert archive.marks.add("user 0", then) < later
    found = archive.marks.read()
    assert len(found.marks) == 6
    assert found.until("user 0") == later
    assert found.until("user 1") == then() + timedelta(milliseconds=100)


def test_damaged_marks_let_nobody_in(archive: Archive) -> None:
    archive.marks.add("me", then)
    Path(archive.marks.path).write_text("{")
    with pytest.raises(StorageError, match="who was forgotten could come back"):
        archive.write(NOVEMBER, MINE)


class Between:
    """Does something once, at one moment of what another is doing: before or after the first call of a method."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, of: type, method: str, *, before: bool) -> None:
        self.work: Callable[[], object] | None = None
        called = getattr(of, method)

        def hooked(*arguments: object, **more: object) -> object:
            work, self.work = self.work, None
            if work and before:
                work()
            answer = called(*arguments, **more)
            if work and not before:
                work()
            return answer

        monkeypatch.setattr(of, method, hooked)


@pytest.mark.parametrize("before", [True, False], ids=["before a file is written", "before its writer looks again"])
def test_who_is_forgotten_while_plays_are_written_is_not_among_them(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    between = Between(monkeypatch, Archive, "_write_new", before=before)
    between.work = lambda: forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    archive.write(NOVEMBER, [*MINE, *OTHERS])
    assert between.work is None
    assert in_archive(archive) == OTHERS
    only_mine = Between(monkeypatch, Archive, "_write_new", before=before)
    only_mine.work = lambda: forget.forget("third", archive, str(tmp_path / "warehouse"), dry_run=False)
    assert archive.write(NOVEMBER, plays("ab", user_id="third")) is None
    assert in_archive(archive) == OTHERS


@pytest.mark.parametrize("before", [True, False], ids=["before files are listed", "after files were listed"])
def test_what_is_written_while_a_person_is_forgotten_is_without_it(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    archive.write(NOVEMBER, MINE[:2])
    # By one who does not know of the mark when he begins.
    monkeypatch.setattr(Marks, "lately", lambda _: Forgotten())
    between = Between(monkeypatch, Archive, "everything", before=before)
    between.work = lambda: archive.write(NOVEMBER, [*MINE, *OTHERS])
    found = forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    assert (between.work, found.left) == (None, [])
    assert in_archive(archive) == OTHERS


def test_a_forgetting_that_writes_a_file_anew_brings_nobody_back_who_is_forgotten_meanwhile(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = plays("ab", user_id="third")
    archive.write(NOVEMBER, [*MINE, *OTHERS, *third])
    between = Between(monkeypatch, Archive, "_write_new", before=True)
    between.work = lambda: forget.forget("third", archive, str(tmp_path / "warehouse"), dry_run=False)
    forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    assert {play.user_id for play in in_archive(archive)} == {"another"}


@pytest.mark.parametrize("before", [True, False], ids=["before rows are written", "before their writer looks again"])
def test_rows_that_a_stream_has_in_hand_stay_out(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    warehouse = FolderWarehouse.open(tmp_path / "warehouse")
    between = Between(monkeypatch, FolderWarehouse, "write", before=before)
    between.work = lambda: forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    some = [play.to_row(Calendar()) for play in (*MINE, *OTHERS)]
    append_remembered(warehouse, "play_events", some, archive.marks)
    assert between.work is None
    left = {(row["user_id"], row["played_at"]) for row in rows(tmp_path, "play_events")}
    assert left == {("another", play.played_at) for play in OTHERS}


def test_plays_from_a_copy_of_the_archive_stay_out_of_the_tables_and_are_told(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.write(NOVEMBER, [*MINE, *OTHERS])
    shutil.copytree(tmp_path / "archive" / "plays", tmp_path / "copy")
    forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False)
    shutil.copytree(tmp_path / "copy", tmp_path / "archive" / "plays", dirs_exist_ok=True)
    places = [f"--archive={archive.root}", f"--warehouse={tmp_path / 'warehouse'}"]
    assert rebuild.main(places) == 0
    assert f"Passed over {len(MINE)} plays of people who were forgotten since" in capsys.readouterr().err
    for table in ("play_events", "top_ten_snapshots"):
        assert {row["user_id"] for row in rows(tmp_path, table)} == {"another"}


def test_the_same_plays_count_when_they_are_ingested_later(archive: Archive, tmp_path: Path) -> None:
    archive.write(NOVEMBER, [*MINE, *OTHERS])
    forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False, clock=then)
    archive.write(NOVEMBER, AGAIN)
    places = [f"--archive={archive.root}", f"--warehouse={tmp_path / 'warehouse'}"]
    assert rebuild.main(places) == 0
    mine = [row for row in rows(tmp_path, "play_events") if row["user_id"] == "me"]
    assert {row["ingested_at"] for row in mine} == {AGAIN[0].ingested_at}
    assert len(mine) == len(MINE)


def test_a_stream_drops_what_comes_again_and_counts_what_is_ingested_later(archive: Archive, tmp_path: Path) -> None:
    archive.marks.add("me", then)
    # As after a seek: first all that was there before, then what was polled again, then a copy of the first.
    script = Script(INGESTED_AT + timedelta(days=3)).plays(*MINE, *OTHERS).early_pane()
    script = script.plays(*AGAIN[:2]).early_pane().plays(*MINE[:2])
    seen = run_stream(tmp_path, script)
    assert seen.counts() == {"2026-11": [2]}
    assert seen.counts(user="another") == {"2026-11": [len(OTHERS)]}
    assert sorted(row["played_at"] for row in seen.play_events if row["user_id"] == "me") == [
        play.played_at for play in AGAIN[:2]
    ]
    assert {play.ingested_at for play in seen.archived if play.user_id == "me"} == {AGAIN[0].ingested_at}


def test_a_launch_replays_nobody_who_was_forgotten(archive: Archive, tmp_path: Path) -> None:
    archived = [*MINE, *OTHERS]
    for play in archived:
        archive.write(NOVEMBER, [play])
    # The mark alone, as where the forgetting was killed behind it.
    archive.marks.add("me", then)
    seen = run_stream(tmp_path, Script(INGESTED_AT + timedelta(days=3)).plays(*OTHERS))
    assert {row["user_id"] for row in (*seen.play_events, *seen.snapshots)} == {"another"}


def test_an_item_that_was_seen_before_stays_out_and_one_seen_later_is_kept(archive: Archive, tmp_path: Path) -> None:
    rejects, early, late = Rejects(archive.root), INGESTED_AT, INGESTED_AT + timedelta(days=2)
    rejects.keep("me", {"track": 1}, "no track", early)
    rejects.keep("me", {"track": 2}, "no track", late)
    found = forget.forget("me", archive, str(tmp_path / "warehouse"), dry_run=False, clock=then)
    rejects.keep("me", {"track": 3}, "no track", early)
    assert (found.rejects, len(rejects.ids())) == (1, 1)
    assert b'"track": 2' in rejects.read(rejects.ids()[0])


def test_plays_that_were_ingested_after_the_instant_stay_and_are_told(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    archive.write(NOVEMBER, [*MINE[:1], *(replace(play, ingested_at=ahead) for play in MINE[1:3])])
    places = [f"--archive={archive.root}", f"--warehouse={tmp_path / 'warehouse'}"]
    assert forget.main(["--user=me", *places]) == 0
    assert "        2 plays stay, which were ingested after 20" in capsys.readouterr().out
    assert in_archive(archive) == [replace(play, ingested_at=ahead) for play in MINE[1:3]]


def test_what_killed_commands_left_goes_too(archive: Archive, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    path = archive.write(NOVEMBER, OTHERS)
    assert path is not None
    unnamed = [Path(path).with_name(f".plays-1.avro.{'0' * 32}.part"), warehouse / f".1.parquet.{'0' * 32}.part"]
    for part in unnamed:
        part.write_bytes(b"half of it")
    staged = warehouse / ".rebuild-killed" / "play_events"
    staged.mkdir(parents=True)
    (staged / "1.parquet").write_bytes(b"all of it")
    assert forget.forget("me", archive, str(warehouse), dry_run=True).leftovers == 3
    assert forget.forget("me", archive, str(warehouse), dry_run=False).leftovers == 3
    assert not any(part.exists() for part in (*unnamed, staged.parent))
    assert in_archive(archive) == OTHERS
