"""Polls of the Spotify look-alike over real HTTP, into an archive."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.faults import DuplicateItems, Fault, LateListing, ShuffledItems, SlowAnswer
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.storage.rejects import Rejects
from producer.polling.poll import poll
from producer.polling.publishing import ArchiveDestination, PublishError, Reject
from producer.state.cursor import Cursors
from tests.commands import Run
from tests.producer.exports import extended, identities, plays_in, write_json
from tests.producer.history import History
from tests.standins.spotify import NOW, Spotify, items, leave_alone, spoil_one

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def into_archive(tmp_path: Path) -> list[str | Path]:
    return ["poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state"]


def archived(tmp_path: Path) -> list[datetime]:
    return [play.played_at for play in plays_in(tmp_path / "archive")]


def test_polling_twice_publishes_each_play_once(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    first = run(*into_archive)
    assert (first.code, first.err) == (0, "")
    account, to = spotify.account_id, f"published to {tmp_path / 'archive'}\n"
    assert first.out == f"{account}: 50 listed, 50 new, 50 {to}"
    assert run(*into_archive).out == f"{account}: 50 listed, 0 new, 0 {to}"
    known = set(archived(tmp_path))
    spotify.now += timedelta(hours=14)
    new = len(set(spotify.listed()) - known)
    assert 0 < new < 50
    assert run(*into_archive).out == f"{account}: 50 listed, {new} new, {new} {to}"
    plays = plays_in(tmp_path / "archive")
    assert [play.played_at for play in plays] == sorted(known | set(spotify.listed()))
    assert {play.user_id for play in plays} == {account}
    assert spotify.asked().count("/v1/me") == 1, "whose login it is, is asked once"


def test_the_state_is_for_its_owner_only_and_holds_no_token(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    run(*into_archive)
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".json"]) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    cursor = Cursors(tmp_path / "state").load(spotify.account_id)
    assert cursor.newest == int(spotify.listed()[-1].timestamp() * 1000)
    accounts = spotify.accounts
    for secret in (accounts.refresh_token, accounts.client_secret, accounts.client_id):
        assert all(secret not in path.read_text() for path in files)


@pytest.mark.parametrize("fault", [ShuffledItems(), DuplicateItems()])
def test_order_and_repetition_in_the_list_do_not_matter(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any], fault: Fault
) -> None:
    spotify.faults.add(fault)
    assert run(*into_archive).code == 0
    assert archived(tmp_path) == spotify.listed()


def test_a_play_that_is_listed_late_is_not_missed(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    spotify.spoil = lambda items: items.pop(3)
    run(*into_archive)
    assert archived(tmp_path) == [*spotify.listed()[:-4], *spotify.listed()[-3:]]
    spotify.spoil = leave_alone
    assert "1 new" in run(*into_archive).out
    assert archived(tmp_path) == spotify.listed()


def test_a_list_that_lags_brings_nothing_back(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    run(*into_archive)
    spotify.faults.add(LateListing(7200))
    ran = run(*into_archive)
    assert ran.err == ""
    run(*into_archive)
    # A list that ends earlier begins earlier: what it shows more is new, and nothing comes twice.
    assert len(set(archived(tmp_path))) == len(archived(tmp_path)) > 50


def test_a_gap_is_told_once_and_remembered(spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]) -> None:
    run(*into_archive)
    known = spotify.listed()[-1]
    spotify.now += timedelta(days=5)
    oldest = spotify.listed()[0]
    assert oldest > known
    ran = run(*into_archive)
    assert ran.code == 0
    assert ran.err == (
        f"WARNING: {spotify.account_id}: at least one play may be missing between "
        f"{known:%Y-%m-%d %H:%M:%S} UTC and {oldest:%Y-%m-%d %H:%M:%S} UTC; an export import will close it "
        "(Spotify lists no more than its last 50)\n"
    )
    assert run(*into_archive).err == "", "once is enough"
    [gap] = Cursors(tmp_path / "state").gaps(spotify.account_id)
    assert (gap.start, gap.end) == (known, oldest)


def test_an_import_closes_the_gap_that_it_covers(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    run(*into_archive)
    spotify.now += timedelta(days=5)
    run(*into_archive)
    [gap] = Cursors(tmp_path / "state").gaps(spotify.account_id)
    instants = (gap.start, gap.end - timedelta(hours=1), gap.end)
    rows = [extended(f"{instant:%Y-%m-%dT%H:%M:%SZ}") for instant in instants]
    export = write_json(tmp_path / "Streaming_History_Audio_2026.json", rows)
    importing = ["import", export, "--archive", tmp_path / "archive", "--state", tmp_path / "state"]
    assert "closed" not in run(*importing, "--dry-run").out
    assert Cursors(tmp_path / "state").gaps(spotify.account_id) == [gap]
    assert "closed the gap between" in run(*importing).out
    assert Cursors(tmp_path / "state").gaps(spotify.account_id) == []


def test_an_unreadable_item_is_kept_and_the_others_go_on(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    spotify.spoil = spoil_one
    ran = run(*into_archive)
    assert ran.code == 0
    assert "50 listed, 50 new, 1 of them unreadable, 49 published" in ran.out
    [kept] = (tmp_path / "archive" / "rejected").glob("*.json")
    assert ran.err == f"WARNING: an item of Spotify's cannot be read (track is not an object); it is kept in {kept}\n"
    assert json.loads(kept.read_text())["item"]["track"] == "gone"
    again = run(*into_archive)
    assert (again.err, "0 new" in again.out) == ("", True)


def test_what_an_older_version_kept_in_the_state_goes_to_the_archive(
    spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]
) -> None:
    older = tmp_path / "state" / "rejected"
    older.mkdir(parents=True)
    kept = {"user_id": "me", "seen_at": "2026-11-10T01:02:03.004Z", "reason": "no track", "item": {"track": "gone"}}
    (older / "0123.json").write_text(json.dumps(kept))
    (older / "damaged.json").write_text("{")
    ran = run(*into_archive)
    assert (ran.code, ran.err.splitlines()) == (
        0,
        [f"WARNING: {older / 'damaged.json'} is damaged, and stays where it is"],
    )
    rejects = Rejects(str(tmp_path / "archive"))
    [name] = rejects.ids()
    assert json.loads(rejects.read(name)) == kept
    assert [path.name for path in older.iterdir()] == ["damaged.json"]


def test_of_a_play_that_was_published_nothing_more_is_read(tmp_path: Path) -> None:
    cursors, archive = Cursors(tmp_path / "state"), Archive(str(tmp_path / "archive"))
    destination = ArchiveDestination(archive, Calendar())
    listed = items(20)
    poll(listed[1:], "me", cursors, destination, NOW)
    listed[5]["track"] = "gone"
    polled = poll(listed, "me", cursors, destination, NOW)
    assert (polled.listed, polled.published, polled.repeated, polled.rejected) == (20, 1, 19, 0)


@pytest.mark.parametrize("played_at", [None, 5, "yesterday", "2026-11-10T01:02:03", "9999-12-31T23:59:59-14:00"])
def test_an_instant_that_cannot_be_read(tmp_path: Path, played_at: object) -> None:
    cursors, archive = Cursors(tmp_path / "state"), Archive(str(tmp_path / "archive"))
    listed = items(20)
    listed[5]["played_at"] = played_at
    listed.append("no object")
    for rejected in (2, 0):
        polled = poll(listed, "me", cursors, ArchiveDestination(archive, Calendar()), NOW)
        assert (len(cursors.load("me").published), polled.rejected) == (19, rejected)


class Dies(ArchiveDestination):
    """An archive after which the process ends, at the worst moment."""

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        super().publish(plays, rejects)
        raise KeyboardInterrupt


class Refuses:
    """A destination that acknowledges nothing."""

    def publish(self, plays: Sequence[Play], rejects: Sequence[Reject]) -> None:
        raise PublishError("no")


def test_a_crash_between_publishing_and_the_cursor_repeats_and_skips_nothing(tmp_path: Path) -> None:
    cursors, archive = Cursors(tmp_path / "state"), Archive(str(tmp_path / "archive"))
    listed = items(20)
    with pytest.raises(KeyboardInterrupt):
        poll(listed, "me", cursors, Dies(archive, Calendar()), NOW)
    assert cursors.load("me").newest is None
    polled = poll(listed, "me", cursors, ArchiveDestination(archive, Calendar()), NOW)
    assert polled.published == 20
    plays = plays_in(tmp_path / "archive")
    assert len(plays) == 40
    assert len(set(identities(plays))) == 20


def test_a_clock_that_was_set_back_ends_nothing(tmp_path: Path) -> None:
    cursors, archive = Cursors(tmp_path / "state"), Archive(str(tmp_path / "archive"))
    destination = ArchiveDestination(archive, Calendar())
    for now in (NOW, NOW - timedelta(days=3), NOW - timedelta(days=3)):
        poll(items(50), "me", cursors, destination, now)
        assert cursors.load("me").polled_at == now
    assert cursors.load("me").interval == timedelta()


def test_what_is_not_acknowledged_does_not_move_the_cursor(tmp_path: Path) -> None:
    cursors, archive = Cursors(tmp_path / "state"), Archive(str(tmp_path / "archive"))
    poll(items(50)[30:], "me", cursors, ArchiveDestination(archive, Calendar()), NOW)
    before = cursors.load("me")
    with pytest.raises(PublishError):
        poll(items(50), "me", cursors, Refuses(), NOW)
    after = cursors.load("me")
    assert replace(after, polled=before.polled) == before
    assert len(after.polled) == 50, "under which instants the next poll publishes them"


def test_ctrl_c(spotify: Spotify, into_archive: list[str | Path]) -> None:
    spotify.faults.always(SlowAnswer(5))
    with subprocess.Popen(
        [sys.executable, "-m", "producer", *map(str, into_archive)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        while "/v1/me" not in spotify.asked():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error.count("\n")) == (130, 1)
    assert error.startswith("stopped; ")


def test_a_damaged_cursor_is_told(spotify: Spotify, run: Run, tmp_path: Path, into_archive: list[Any]) -> None:
    run(*into_archive)
    path = tmp_path / "state" / "cursors" / f"{spotify.account_id}.json"
    for text in ("{", "[]", '{"account_id": "x"}'):
        path.write_text(text)
        ran = run(*into_archive)
        assert ran.code == 1
        assert f"{path} is damaged; remove it and poll again" in ran.err


def test_a_state_folder_that_cannot_be_written(spotify: Spotify, run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    ran = run("poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state")
    assert ran.code == 1
    assert "is a file, and a folder is needed there" in ran.err


def test_an_account_id_may_hold_anything(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path)
    for name in ("../../etc/passwd", "a b", "été"):
        poll([], name, cursors, Refuses(), NOW)
        poll(items(1), name, cursors, ArchiveDestination(Archive(str(tmp_path / "a")), Calendar()), NOW)
    assert sorted(cursors.accounts()) == ["../../etc/passwd", "a b", "été"]
    assert len(list((tmp_path / "cursors").glob("*.json"))) == 3


def test_a_play_of_a_time_that_cannot_be_moves_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.poll("2026-05-01T10:00:00.500Z", "2031-01-01T10:00:00.500Z")
    assert [play.played_at for play in history.counted()] == [parse("2026-05-01T10:00:00.500Z")]
    cursor = history.cursors.load("me")
    assert cursor.newest == to_millis(parse("2026-05-01T10:00:00.500Z"))
    assert len(cursor.rejected) == 1
