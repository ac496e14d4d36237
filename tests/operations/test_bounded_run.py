"""The stream that a scheduler runs: everything that waits, and then it ends."""

import os
import shutil
import signal
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.streaming.checkpoint import Checkpoint, Checkpoints
from pipelines.streaming.local_reader import LocalPubSub
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.builders import play, plays
from tests.operations.runs import MONTH_BEGAN, PATIENCE, bounded, process, wait_for, waiting
from tests.streaming.running import outcome
from tests.streaming.test_stream_live import Topic

SOME = plays("abcabcabddef", start=MONTH_BEGAN)
# For tests with a clock of their own.
IN_NOVEMBER = plays("abcabcabddef", start="2026-11-02T08:00:00Z")


def test_each_run_counts_on_from_the_last_one_and_writes_only_what_is_new(
    topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic.publish(*SOME, *SOME[:5])
    first = bounded(topic, tmp_path)
    assert waiting(topic) == 0
    assert oracle.of_rows(first.snapshots) == oracle.top_tens(SOME)
    assert len(first.play_events) == len(SOME)

    assert bounded(topic, tmp_path) == first
    assert capsys.readouterr().err.endswith("Nothing new\n")

    before = rfc3339(parse(MONTH_BEGAN) - timedelta(days=1))
    late, too_late = plays("xyx", start=before, user_id="another"), play("2019-05-05T08:00:00Z")
    topic.publish(*late, too_late)
    seen = bounded(topic, tmp_path)
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens([*SOME, *late])
    assert len(seen.play_events) == len(SOME) + 4
    assert len(seen.snapshots) == len(first.snapshots) + 3
    assert waiting(topic) == 0


def test_a_run_that_is_stopped_leaves_the_counting_to_the_next(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.publish(*SOME[:6])
    bounded(topic, tmp_path)
    topic.publish(*SOME[6:])
    pull, pulled = LocalPubSub.pull, count()

    def stopped_at_the_fifth(*arguments: Any) -> Any:
        # By then plays wait for their file; they leave their batch when the watermark is at the end of time.
        if next(pulled) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return pull(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(LocalPubSub, "pull", stopped_at_the_fifth)
        stopped = bounded(topic, tmp_path, "--stop_when_idle_seconds=60", "--archive_batch_seconds=60")
    assert {p.played_at for p in stopped.archived} == {p.played_at for p in SOME}
    last = bounded(topic, tmp_path)
    assert oracle.of_rows(last.snapshots) == oracle.top_tens(SOME)


def test_tables_that_were_made_anew_are_filled_again(topic: Topic, tmp_path: Path) -> None:
    topic.publish(*SOME)
    bounded(topic, tmp_path)
    shutil.rmtree(tmp_path / "warehouse")
    again = bounded(topic, tmp_path)
    assert oracle.of_rows(again.snapshots) == oracle.top_tens(SOME)
    assert len(again.play_events) == len(SOME)


def test_two_at_once_and_one_that_is_killed_lose_nothing(topic: Topic, tmp_path: Path) -> None:
    files = tmp_path / "archive" / "plays"
    topic.publish(*SOME[:6])
    # The first is killed when its plays are in the archive and, with a long refresh, in no top ten yet.
    with process(topic, tmp_path, "--stop_when_idle_seconds=60", "--refresh_seconds=60") as killed:
        wait_for(lambda: files.exists() and len(outcome(tmp_path).archived) == 6)
        assert not outcome(tmp_path).snapshots
        killed.kill()
        killed.wait()
    with (
        process(topic, tmp_path, "--stop_when_idle_seconds=2") as one,
        process(topic, tmp_path, "--stop_when_idle_seconds=2") as other,
    ):
        for n in range(6, 12):
            topic.publish(SOME[n])
        assert (one.wait(PATIENCE), other.wait(PATIENCE)) == (0, 0)
    bounded(topic, tmp_path)
    # What the first had taken may come again only now: Pub/Sub lent it to that one.
    last = bounded(topic, tmp_path)
    assert oracle.of_rows(last.snapshots) == oracle.top_tens(SOME)
    assert {p.played_at for p in last.archived} == {p.played_at for p in SOME}


def test_a_month_that_has_ended_is_counted_once_more_to_be_final(tmp_path: Path) -> None:
    archive, calendar = Archive(str(tmp_path / "archive")), Calendar()
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    checkpoints = Checkpoints(archive, str(tmp_path / "warehouse"), calendar, timedelta(days=35))
    november, december, january = (parse(f"{day}T12:00:00Z") for day in ("2026-11-30", "2026-12-01", "2027-01-10"))
    path = archive.write(calendar.month_of(november), IN_NOVEMBER)
    checkpoints.save(Checkpoint(), november, [path])
    known = checkpoints.load(november, [path])
    assert (known.files, sorted(known.plays, key=lambda p: p.played_at)) == (frozenset([path]), IN_NOVEMBER)
    assert known.covers([path], calendar, november)
    assert not known.covers([path], calendar, december)
    assert not known.covers([path, "another"], calendar, november)
    assert checkpoints.load(january, []).plays == ()  # closed: nobody counts it any more


@pytest.mark.parametrize("length", [0, 10, 200, -20])
def test_a_damaged_checkpoint_is_none(tmp_path: Path, length: int) -> None:
    archive, calendar, now = Archive(str(tmp_path / "archive")), Calendar(), parse("2026-11-21T12:00:00Z")
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    checkpoints = Checkpoints(archive, str(tmp_path / "warehouse"), calendar, timedelta(days=35))
    file = archive.write(calendar.month_of(now), IN_NOVEMBER)
    checkpoints.save(Checkpoint(), now, [file])
    path = Path(checkpoints.path)
    path.write_bytes(path.read_bytes()[:length])
    assert checkpoints.load(now, [file]) == Checkpoint()


def test_a_checkpoint_is_not_written_over_files_that_were_removed_meanwhile(tmp_path: Path) -> None:
    archive, calendar, now = Archive(str(tmp_path / "archive")), Calendar(), parse("2026-11-21T12:00:00Z")
    FolderWarehouse(tmp_path / "warehouse", "Europe/Paris")
    checkpoints = Checkpoints(archive, str(tmp_path / "warehouse"), calendar, timedelta(days=35))
    path = archive.write(calendar.month_of(now), IN_NOVEMBER)
    archive.remove(path)
    checkpoints.save(Checkpoint(), now, [path])
    assert checkpoints.load(now, []) == Checkpoint()


def test_a_file_that_left_the_archive_is_not_counted_from_the_checkpoint(topic: Topic, tmp_path: Path) -> None:
    topic.publish(*SOME)
    bounded(topic, tmp_path)
    archive = Archive(str(tmp_path / "archive"))
    for path in archive.files():  # as one that is broken, which a person moves out
        archive.remove(path)
    shutil.rmtree(tmp_path / "warehouse" / "play_events")
    shutil.rmtree(tmp_path / "warehouse" / "top_ten_snapshots")
    others = plays("xyx", start=f"{Calendar().month_of(SOME[0].played_at):%Y-%m}-20T08:00:00Z")
    topic.publish(*others)
    last = bounded(topic, tmp_path)
    assert oracle.of_rows(last.snapshots) == oracle.top_tens(others)
