"""Forgetting a person while commands are at work, each a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines.clock import utc_now
from pipelines.domain.instants import to_millisecond
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.storage.forgotten import Marks
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.builders import plays
from tests.producer.exports import extended, write_json
from tests.streaming.running import Outcome, outcome, rows
from tests.streaming.test_stream_live import Topic

pytestmark = pytest.mark.long

PATIENCE = 90
# The command with a clock that is ahead by the seconds in a file, which may change while it runs; so is the time by
# which the local stream's watermark goes.
AHEAD = """
import sys, time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from pipelines import clock, forget, stream
from pipelines.options import parse_stream
from pipelines.storage.archive import Archive
from pipelines.streaming import local_source

def ahead():
    return int(Path(sys.argv[1]).read_text())

def now():
    return clock.utc_now() + timedelta(seconds=ahead())

local_source.time = SimpleNamespace(time=lambda: time.time() + ahead())
if sys.argv[2] == "stream":
    stream.stream(*parse_stream(sys.argv[3:]), clock=now)
else:
    forget.forget("me", Archive(sys.argv[3]), sys.argv[4], dry_run=False, clock=now)
"""


def places(folder: Path) -> list[str]:
    return [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"]


def command(name: str, *arguments: object) -> list[str]:
    module = "producer" if name == "import" else f"pipelines.{name}"
    return [sys.executable, "-m", module, *(["import"] if name == "import" else []), *map(str, arguments)]


@contextmanager
def running(arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=PATIENCE)


def wait_until(condition: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def seen(folder: Path, condition: Callable[[Outcome], bool]) -> Callable[[], bool]:
    return lambda: (folder / "warehouse" / "warehouse.json").exists() and condition(outcome(folder))


@pytest.fixture
def topic(local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    made = Topic()
    made.subscription += "-kept"
    request = {"name": made.subscription, "topic": made.topic, "retain_acked_messages": True}
    with SubscriberClient() as client:
        client.create_subscription(request=request)
    yield made
    made.publisher.stop()
    made.publisher.transport.close()


STREAM = ("--refresh-seconds=1", "--archive-batch-seconds=1", "--runner=DirectRunner")


def test_a_month_that_ends_brings_nobody_back(topic: Topic, tmp_path: Path) -> None:
    calendar = Calendar()
    _, end = calendar.bounds(calendar.month_of(utc_now()))
    clock = tmp_path / "ahead"
    clock.write_text(str(int((end - datetime.now(UTC)).total_seconds()) - 3600))
    start = to_millisecond(end - timedelta(days=1)).isoformat()
    mine, others = plays("abcabc", start=start), plays("xyzx", start=start, user_id="another")
    shifted = [sys.executable, "-c", AHEAD, str(clock)]
    with running([*shifted, "stream", f"--subscription={topic.subscription}", *places(tmp_path), *STREAM]) as stream:
        topic.publish(*mine, *others)
        counted = seen(tmp_path, lambda s: {r["user_id"] for r in s.snapshots} == {"me", "another"})
        wait_until(counted, "nothing was counted")
        forgetting = run([*shifted, "forget", str(tmp_path / "archive"), str(tmp_path / "warehouse")])
        assert (forgetting.returncode, forgetting.stderr) == (0, "")
        assert {row["user_id"] for row in rows(tmp_path, "top_ten_snapshots")} == {"another"}
        clock.write_text(str(int((end - datetime.now(UTC)).total_seconds()) + 60))
        wait_until(seen(tmp_path, lambda s: any(r["is_final"] for r in s.snapshots)), "the month did not end")
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(PATIENCE) == 0
    left = outcome(tmp_path)
    assert {r["user_id"] for r in (*left.snapshots, *left.play_events)} == {"another"}
    assert {play.user_id for play in left.archived} == {"another"}


def test_a_seek_brings_nothing_back_and_what_is_polled_afterwards_counts(topic: Topic, tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    began = datetime.now(UTC) - timedelta(seconds=1)
    mine = plays("abcabc", start=yesterday.isoformat())
    others = plays("xyz", start=yesterday.isoformat(), user_id="another")
    with running(command("stream", f"--subscription={topic.subscription}", *places(tmp_path), *STREAM)) as stream:
        topic.publish_raw((b"no play", {"user_id": "me"}), (b"no play either", {"user_id": "another"}))
        topic.publish(*mine, *others)
        counted = seen(tmp_path, lambda s: len(s.rejected) == 2 and len({r["user_id"] for r in s.snapshots}) == 2)
        wait_until(counted, "nothing was counted")
        done = run(command("forget", "--user=me", *places(tmp_path)))
        assert done.returncode == 0, done.stderr
        with SubscriberClient() as client:
            client.seek(request={"subscription": topic.subscription, "time": began})
        # Two of them are listed again, as by a poll after the person came back.
        again = [replace(play, ingested_at=utc_now()) for play in mine[:2]]
        topic.publish(*again)
        wait_until(seen(tmp_path, lambda s: any(r["user_id"] == "me" for r in s.snapshots)), "they do not count")
        topic.publish(*plays("z", start=(yesterday + timedelta(hours=1)).isoformat(), user_id="another"))
        last = seen(
            tmp_path, lambda s: any(r["user_id"] == "another" and r["plays_in_month"] == 4 for r in s.snapshots)
        )
        wait_until(last, "the stream does not go on")
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(PATIENCE) == 0
    left = outcome(tmp_path)
    assert {p.ingested_at for p in left.archived if p.user_id == "me"} == {again[0].ingested_at, again[1].ingested_at}
    mine_left = [row for row in left.snapshots if row["user_id"] == "me"]
    assert oracle.of_rows(mine_left) == oracle.top_tens(again)
    assert {r["played_at"] for r in left.play_events if r["user_id"] == "me"} == {p.played_at for p in again}
    assert {row["payload"] for row in left.rejected} == {b"no play either"}


def test_an_import_under_way_leaves_nothing_and_one_that_begins_afterwards_counts(tmp_path: Path) -> None:
    first = datetime(2016, 1, 1, 12, tzinfo=UTC)
    some = [extended((first + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M:%SZ"), f"t{n % 50}") for n in range(60_000)]
    export = write_json(tmp_path / "endsong_0.json", some)
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    archive = Archive(str(tmp_path / "archive"))
    importing = command("import", export, "--user=me", f"--archive={archive.root}", f"--state={tmp_path / 'state'}")
    with running(importing) as under_way:
        wait_until(archive.files, "nothing was imported")
        os.kill(under_way.pid, signal.SIGSTOP)
        with running(command("forget", "--user=me", *places(tmp_path))) as forgetting:
            wait_until(lambda: archive.marks.read().marks, "there is no mark")
            os.kill(under_way.pid, signal.SIGCONT)
            _, said = under_way.communicate(timeout=PATIENCE)
            assert forgetting.wait(PATIENCE) == 0
    assert under_way.returncode == 1
    assert "me was forgotten while this import was under way, and nothing of it stays" in said
    assert archive.files() == []
    assert run(importing).returncode == 0
    assert sum(1 for path in archive.files() for _ in archive.read(path)) == len(some)


def invented(folder: Path, users: Sequence[str], files: int = 150) -> Archive:
    """An archive of many files, each with plays of all these users."""
    archive = Archive(str(folder / "archive"))
    for n in range(files):
        start = f"2026-11-02T{n // 60:02}:{n % 60:02}:00Z"
        archive.write(
            datetime(2026, 11, 1, tzinfo=UTC).date(), [p for u in users for p in plays("a", start, user_id=u)]
        )
    return archive


def test_beside_a_rebuild_no_table_keeps_a_row(tmp_path: Path) -> None:
    archive = invented(tmp_path, ["me", "another"])
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    with running(command("rebuild", *places(tmp_path))) as rebuilding:
        wait_until(lambda: list((tmp_path / "warehouse").glob(".rebuild-*")), "it did not begin")
        done = run(command("forget", "--user=me", *places(tmp_path)))
        assert done.returncode == 0, done.stderr
        rebuilding.communicate(timeout=PATIENCE)
    assert rebuilding.returncode == 0
    for again in (False, True):
        if again:
            assert run(command("rebuild", *places(tmp_path))).returncode == 0
        for table in ("play_events", "top_ten_snapshots"):
            assert {row["user_id"] for row in rows(tmp_path, table)} == {"another"}
    assert {play.user_id for path in archive.files() for play in archive.read(path)} == {"another"}
    assert [path.name for path in (tmp_path / "warehouse").glob(".*")] == []


def test_two_people_at_once_one_of_them_killed_and_run_again(tmp_path: Path) -> None:
    archive = invented(tmp_path, ["me", "you", "another"])
    warehouse = FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    for path in archive.files():
        warehouse.append("play_events", [play.to_row(Calendar()) for play in archive.read(path)])
    first = Path(archive.files()[0])
    with (
        running(command("forget", "--user=me", *places(tmp_path))) as one,
        running(command("forget", "--user=you", *places(tmp_path))) as other,
    ):
        wait_until(lambda: not first.exists(), "nothing went")
        one.kill()
        one.wait()
        again = run(command("forget", "--user=me", *places(tmp_path)))
        assert again.returncode == 0, again.stderr
        assert other.wait(PATIENCE) == 0
    for left in (
        [row["user_id"] for row in rows(tmp_path, "play_events")],
        [p.user_id for p in outcome(tmp_path).archived],
    ):
        assert set(left) == {"another"}
    assert len({play.played_at for play in outcome(tmp_path).archived}) == 150
    marks = Marks(archive.root).read()
    assert [marks.until(user) is not None for user in ("me", "you", "another")] == [True, True, False]
