"""Many accounts: once, and as a service in a process of its own, with real signals."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.faults import QuotaExceeded, RateLimited
from pipelines.clock import utc_now
from pipelines.storage.archive import Archive
from pipelines.warehouse.folder import FolderWarehouse
from producer.accounts.stores import FileStore
from producer.state.cursor import Cursors
from tests.commands import Ran, Run
from tests.producer.exports import plays_in
from tests.standins.spotify import ManySpotify, log_in, sleeps

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def spotify(many_spotify: ManySpotify) -> ManySpotify:
    return many_spotify


@dataclass(frozen=True)
class Folders:
    """Where a test's logins, state and archive are."""

    logins: Path
    state: Path
    archive: Path

    @property
    def options(self) -> list[str]:
        return self.options_to(None)

    def options_to(self, destination: tuple[str, str] | None) -> list[str]:
        where = destination or ("--archive", str(self.archive))
        return [*where, "--state", str(self.state), "--logins", str(self.logins)]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "logins", tmp_path / "state", tmp_path / "archive")


@contextmanager
def service(
    folders: Folders, *options: str, every: str = "1s", to: tuple[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "producer", "poll", "--every", every, *folders.options_to(to), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def stopped(process: "subprocess.Popen[str]", by: signal.Signals = signal.SIGTERM) -> Ran:
    """How it ended after a signal; the test fails if that takes half a minute."""
    process.send_signal(by)
    out, err = process.communicate(timeout=30)
    return Ran(process.returncode, out, err)


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


def test_once_polls_all_and_tells_one_line_each(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    log_in(folders.logins, "ann", "ben", "cleo")
    spotify.ended.add("ben")
    ran = run("poll", "--once", *folders.options)
    assert ran.code == 1
    assert sorted(ran.out.splitlines()) == [
        f"{name}: 50 listed, 50 new, 50 published to {folders.archive}" for name in ("ann", "cleo")
    ]
    [line] = ran.err.splitlines()
    assert line.startswith("error: ben: the login has ended: ")
    assert line.endswith(f"; log in again: heavy-rotation login --logins {folders.logins}")
    assert {play.user_id for play in plays_in(folders.archive)} == {"ann", "cleo"}


def test_a_run_writes_one_file_a_month_for_all_accounts_and_then_moves_cursors(
    spotify: ManySpotify, run: Run, folders: Folders
) -> None:
    log_in(folders.logins, "ann", "ben", "cleo")
    assert run("poll", "--once", *folders.options).code == 0
    archive = Archive(str(folders.archive))
    months = [path.split("/")[-2] for path in archive.files()]
    assert months == sorted(set(months))
    assert {p.user_id for p in archive.read(archive.files()[-1])} == {"ann", "ben", "cleo"}
    assert len(plays_in(folders.archive)) == 150


def test_a_run_that_cannot_write_moves_no_cursor(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    log_in(folders.logins, "ann", "ben")
    folders.archive.write_text("in the way")
    ran = run("poll", "--once", *folders.options)
    assert (ran.code, ran.out) == (1, "")
    assert sorted(line[:10] for line in ran.err.splitlines()) == ["error: ann", "error: ben"]
    assert [Cursors(folders.state).load(name).newest for name in ("ann", "ben")] == [None, None]
    folders.archive.unlink()
    assert run("poll", "--once", *folders.options).code == 0
    assert len(plays_in(folders.archive)) == 100
    # Who has nothing new is not concerned by an archive that cannot be written.
    shutil.rmtree(folders.archive)
    folders.archive.write_text("in the way")
    log_in(folders.logins, "cleo")
    ran = run("poll", "--once", *folders.options)
    assert (ran.code, ran.out.count("0 new"), ran.err[:11]) == (1, 2, "error: cleo")


@pytest.mark.long
def test_tables_follow_the_archive_while_a_service_polls(
    spotify: ManySpotify, folders: Folders, tmp_path: Path
) -> None:
    log_in(folders.logins, "ann")
    tables = tmp_path / "tables"
    with service(folders, f"--warehouse={tables}") as process:
        wait_for(lambda: len(list(tables.glob("top_ten_snapshots/*/*.parquet"))) > 0, 90)
        log_in(folders.logins, "ben")
        wait_for(lambda: {row["user_id"] for row in rows_of(tables)} == {"ann", "ben"}, 90)
        ended = stopped(process)
    assert (ended.code, "tables: Rebuilt" in ended.out) == (0, True), ended
    assert len(rows_of(tables)) == 100


def rows_of(tables: Path) -> list[dict[str, Any]]:
    warehouse = FolderWarehouse.open(tables)
    return list(warehouse.rows("play_events", ["user_id"]))


def test_tables_without_an_archive_or_a_service_are_refused(run: Run, folders: Folders) -> None:
    for options in (
        ["--once", *folders.options],
        ["--every=10m", *folders.options_to(("--topic", "projects/p/topics/t"))],
    ):
        ran = run("poll", *options, "--warehouse=tables")
        assert (ran.code, "--warehouse is for --every with --archive" in ran.err) == (2, True)


def test_one_damaged_file_stops_one_account(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    log_in(folders.logins, "ann", "ben", "cleo")
    (folders.logins / "ann.json").write_text("{")
    (folders.logins / "ann.json").chmod(0o600)
    (folders.state / "cursors").mkdir(parents=True)
    (folders.state / "cursors" / "ben.json").write_text("{")
    ran = run("poll", "--once", *folders.options)
    assert (ran.code, ran.out.count("\n")) == (1, 1)
    assert f"ann: {folders.logins / 'ann.json'} is damaged; remove it and log in again" in ran.err
    assert f"ben: {folders.state / 'cursors' / 'ben.json'} is damaged; remove it and poll again" in ran.err


def test_accounts_are_polled_side_by_side(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    names = [f"n{number}" for number in range(10)]
    log_in(folders.logins, *names)
    spotify.trouble = dict.fromkeys(names, sleeps(0.5))
    assert run("poll", "--once", *folders.options).code == 0
    assert len(spotify.polled) == 10
    assert spotify.polled[-1][1] - spotify.polled[0][1] < 4, "one after the other it would be 4.5 s"


def test_nobody_has_logged_in(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    ran = run("poll", "--once", *folders.options)
    command = f"heavy-rotation login --logins {folders.logins}"
    assert (ran.code, ran.err) == (1, f"error: no account has logged in; run: {command}\n")


def test_a_long_wait_is_kept_for_the_next_process(spotify: ManySpotify, run: Run, folders: Folders) -> None:
    log_in(folders.logins, "ann", "ben")
    spotify.trouble["ann"] = QuotaExceeded(48_925).answer
    ran = run("poll", "--once", *folders.options)
    assert (ran.code, ran.out[:4]) == (1, "ben:")
    assert "error: ann: the daily quota" in ran.err
    wait = Cursors(folders.state).load("ann").retry_at
    assert wait
    assert timedelta(hours=13) < wait - utc_now() < timedelta(hours=14)
    assert (
        f"error: ann: Spotify asked to wait until {wait:%Y-%m-%d %H:%M:%S} UTC"
        in run("poll", "--once", *folders.options).err
    )
    assert (len(spotify.polls_of("ann")), len(spotify.polls_of("ben"))) == (1, 2)
    del spotify.trouble["ann"]
    cursors = Cursors(folders.state)
    cursors.change(cursors.read("ann"), lambda cursor: replace(cursor, retry_at=utc_now()))
    assert run("poll", "--once", *folders.options).code == 0
    assert cursors.load("ann").retry_at is None


@pytest.mark.long
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_service_polls_again_and_again_until_it_is_stopped(
    spotify: ManySpotify, folders: Folders, by: signal.Signals
) -> None:
    log_in(folders.logins, "ann")
    with service(folders) as process:
        wait_for(lambda: len(spotify.polls_of("ann")) >= 3)
        ran = stopped(process, by)
    assert ran.code == 0
    assert ran.err == ""
    lines = [line.split(" ", 2)[2] for line in ran.out.splitlines()]
    assert lines[0] == f"polling 1 account every 1 s to {folders.archive}"
    assert lines[1:3] == [f"ann: 50 listed, {new} new, {new} published to {folders.archive}" for new in (50, 0)]
    assert "stopping" in lines[-3:]
    assert lines[-1] == "stopped"
    first, second, third = spotify.polls_of("ann")[:3]
    assert second - first > 0.3
    assert third - first > 1.3


@pytest.mark.long
def test_one_account_s_trouble_delays_no_other(spotify: ManySpotify, folders: Folders) -> None:
    log_in(folders.logins, "quota", "slow", "ended", "fine")
    spotify.trouble = {"quota": QuotaExceeded(48_925).answer, "slow": sleeps(20)}
    spotify.ended.add("ended")
    with service(folders) as process:
        wait_for(lambda: len(spotify.polls_of("fine")) >= 4)
        began = time.monotonic()
        ran = stopped(process)
    assert time.monotonic() - began < 15, "an answer that does not come holds up no end"
    assert ran.code == 0
    polls = spotify.polls_of("fine")
    assert 2.1 < polls[3] - polls[0] < 15
    assert len(spotify.polls_of("quota")) == len(spotify.polls_of("slow")) == 1
    assert ran.out.endswith("stopped; 1 poll was cut short, and is repeated next time\n")
    assert Cursors(folders.state).load("slow").newest is None


def test_a_wait_that_spotify_asks_for_holds_up_no_end(spotify: ManySpotify, folders: Folders) -> None:
    log_in(folders.logins, "ann")
    spotify.trouble["ann"] = RateLimited(45).answer
    with service(folders) as process:
        wait_for(lambda: spotify.polls_of("ann"))
        began = time.monotonic()
        ran = stopped(process)
    assert time.monotonic() - began < 20
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.long
def test_a_topic_that_does_not_answer_holds_up_no_end(
    spotify: ManySpotify, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(folders.logins, "ann")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    with service(folders, to=("--topic", "projects/p/topics/plays")) as process:
        wait_for(lambda: spotify.polls_of("ann"))
        began = time.monotonic()
        ran = stopped(process)
    assert time.monotonic() - began < 10
    assert (ran.code, ran.err) == (0, "")
    assert Cursors(folders.state).load("ann").newest is None


def test_who_logs_in_meanwhile_is_polled(spotify: ManySpotify, folders: Folders) -> None:
    spotify.ended.add("ben")
    log_in(folders.logins, "ben")
    with service(folders) as process:
        wait_for(lambda: FileStore(folders.logins).load("ben") is None)
        log_in(folders.logins, "ann", "ben")
        spotify.ended.clear()
        wait_for(lambda: spotify.polls_of("ann") and spotify.polls_of("ben"))
        assert stopped(process).code == 0


def test_a_service_without_a_login_waits_for_one(spotify: ManySpotify, folders: Folders) -> None:
    with service(folders) as process:
        assert process.stdout
        process.stdout.readline()
        log_in(folders.logins, "ann")
        wait_for(lambda: spotify.polls_of("ann"))
        ran = stopped(process)
    assert f"WARNING: no account has logged in; run: {sys.executable} -m heavy_rotation login" in ran.err


@pytest.mark.long
def test_killed_at_any_time_it_skips_nothing(spotify: ManySpotify, folders: Folders) -> None:
    log_in(folders.logins, "ann")
    listed = set(spotify.listed())
    for milliseconds in (0, 10, 40):
        before = len(spotify.polls_of("ann"))
        with service(folders) as process:
            wait_for(lambda before=before: len(spotify.polls_of("ann")) > before)  # type: ignore[misc]
            time.sleep(milliseconds / 1000)
            process.kill()
            process.communicate()
        # Few enough new plays that no poll can miss one, however early the ones before it were killed.
        spotify.now += timedelta(minutes=30)
        listed |= set(spotify.listed())
    before = len(spotify.polls_of("ann"))
    with service(folders) as process:
        wait_for(lambda: len(spotify.polls_of("ann")) > before + 1)  # so that the first poll has ended
        assert stopped(process).code == 0
    archived = {play.played_at for play in plays_in(folders.archive)}
    assert archived.issuperset(spotify.listed())
    # Older ones were lost to the API if each poll that listed them was killed; after the first one there is no hole.
    assert archived == {played_at for played_at in listed if played_at >= min(archived)}


def test_too_rare_is_warned_of(spotify: ManySpotify, folders: Folders) -> None:
    log_in(folders.logins, "ann")
    with service(folders, every="21m") as process:
        wait_for(lambda: Cursors(folders.state).load("ann").polled_at)
        ran = stopped(process)
    assert (
        "WARNING: every 21 min is too rare to be safe: Spotify lists the last 50 plays only, and 50 plays take at "
        "least 25 minutes; poll every 20 minutes or more often"
    ) in ran.err


@pytest.mark.parametrize("text", ["10", "0m", "1.5h", "-1m", "1d", ""])
def test_what_is_no_duration(run: Run, folders: Folders, text: str) -> None:
    ran = run("poll", f"--every={text}", *folders.options)
    assert ran.code == 2
    assert "is not a duration; write it as 90s, 10m or 1h" in ran.err
