"""The runbook's procedures for whoever reads the subscription, rehearsed. Each test is named after its section."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread, Timer

import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient

from pipelines import rebuild
from pipelines.domain.instants import parse
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from tests import oracle
from tests.builders import play, plays
from tests.commands import Run
from tests.operations.runbook import told
from tests.operations.runs import (
    MONTH_BEGAN,
    PATIENCE,
    arguments,
    drained,
    keep_login,
    process,
    run_and_drain,
    wait_for,
    waiting,
)
from tests.standins.pubsub import Topic
from tests.standins.spotify import Person
from tests.streaming.running import outcome

pytestmark = pytest.mark.long

SOME = plays("abcabcabddefghij", start=MONTH_BEGAN)


@contextmanager
def coming(topic: Topic) -> Iterator[tuple[list[Play], Event]]:
    """Plays that go on coming, many a second, until the event; those that came."""
    came: list[Play] = []
    enough = Event()

    def publish() -> None:
        while not enough.wait(0.05):
            came.append(play(parse(MONTH_BEGAN) + timedelta(seconds=31 * len(came)), "abc"[len(came) % 3]))
            topic.publish(came[-1])

    thread = Thread(target=publish)
    thread.start()
    try:
        yield came, enough
    finally:
        enough.set()
        thread.join()


def seek(subscription: str, time: datetime) -> None:
    with SubscriberClient() as client:
        client.seek(request={"subscription": subscription, "time": time})


def take(subscription: str) -> list[bytes]:
    """What the subscription gives within a second, acknowledged."""
    with SubscriberClient() as client:
        try:
            got = client.pull(subscription=subscription, max_messages=1000, timeout=1, retry=None).received_messages
        except DeadlineExceeded:
            return []
        ids = [message.ack_id for message in got]
        if ids:
            client.acknowledge(subscription=subscription, ack_ids=ids)
        return [message.message.data for message in got]


def test_update(topic: Topic, tmp_path: Path) -> None:
    """As on a laptop, where one version ends and the next one begins, while messages go on coming.

    What Dataflow is asked for with --update, tests/templates/test_submission.py says.
    """
    with coming(topic) as (came, enough):
        with process(topic, tmp_path) as old:
            wait_for(lambda: (tmp_path / "archive" / "plays").exists())
            old.send_signal(signal.SIGTERM)
            assert old.wait(PATIENCE) == 0
        by_then = len(came)
        Timer(1, enough.set).start()

        def new_has_counted_all() -> bool:
            snapshots = drained(topic, tmp_path).snapshots
            return oracle.of_rows(snapshots) == oracle.top_tens(came)

        wait_for(new_has_counted_all)
    assert len(came) > by_then
    assert {row["played_at"] for row in outcome(tmp_path).play_events} == {p.played_at for p in came}


def test_drain(topic: Topic, tmp_path: Path) -> None:
    topic.publish(*SOME[:10])
    with process(topic, tmp_path) as job:
        wait_for(lambda: (tmp_path / "archive" / "plays").exists())
        topic.publish(*SOME[10:])
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE) == 0
    assert not any(row["is_final"] for row in outcome(tmp_path).snapshots)
    assert oracle.of_rows(drained(topic, tmp_path).snapshots) == oracle.top_tens(SOME)


def test_cancel_and_come_back(google_topic: Topic, tmp_path: Path) -> None:
    topic, before = google_topic, datetime.now(UTC) - timedelta(seconds=1)
    topic.publish(*SOME[:5])
    first = drained(topic, tmp_path)
    # What Dataflow acknowledges is in its own state for a while: cancelled, it is nowhere.
    topic.publish(*SOME[5:8])
    lost: list[bytes] = []

    def take_all() -> bool:
        lost.extend(take(topic.subscription))
        return len(lost) == 3

    wait_for(take_all)
    topic.publish(*SOME[8:])
    without = drained(topic, tmp_path)
    assert len({p.played_at for p in without.archived}) == len(SOME) - 3
    seek(topic.subscription, before)
    again = drained(topic, tmp_path)
    assert oracle.of_rows(again.snapshots) == oracle.top_tens(SOME)
    assert {row["plays_in_month"] for row in first.snapshots} == {5}
    assert waiting(topic) == 0


def test_move_between_sizes(
    topic: Topic, spotify: Person, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways: small, then the stream, then small again, with new plays in each."""
    archive, places = Archive(str(tmp_path / "archive")), arguments(topic, tmp_path)[1:3]
    logins = str(tmp_path / "logins")
    keep_login(spotify, logins)
    poll = ["poll", "--once", f"--state={tmp_path / 'state'}", f"--logins={logins}"]

    def small(days_ago: int) -> str:
        spotify.ahead = timedelta(days=-days_ago)
        assert run(*poll, places[0]).code == 0
        assert rebuild.main([*places, "--months=changed"]) == 0
        return capsys.readouterr().err

    def known() -> list[Play]:
        return oracle.distinct(p for path in archive.files() for p in archive.read(path))

    assert "Rebuilt" in small(days_ago=4)
    before = len(known())
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(known())
    with process(topic, tmp_path) as job:
        spotify.ahead = timedelta(days=-2)
        assert run(*poll, f"--topic={topic.topic}").code == 0
        wait_for(lambda: len(known()) > before)
        wait_for(lambda: waiting(topic) == 0)
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE) == 0
    streamed = len(known())
    assert {row["played_at"] for row in outcome(tmp_path).play_events} == {p.played_at for p in known()}
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(known())
    assert "Rebuilt" in small(days_ago=0)
    seen = outcome(tmp_path)
    assert len(seen.play_events) == len(known()) > streamed
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(known())
    assert small(days_ago=0).endswith("No month has changed since its tables were made\n")


def test_backlog(google_topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topic, before = google_topic, datetime.now(UTC) - timedelta(seconds=1)
    topic.publish(*SOME)
    # Runs fail, and take nothing: here the place of the archive.
    (tmp_path / "archive").touch()
    assert run_and_drain(arguments(topic, tmp_path)) == 1
    assert f"{tmp_path / 'archive'} is a file, and a folder is needed there" in capsys.readouterr().err
    assert waiting(topic) == len(SOME)
    (tmp_path / "archive").unlink()
    seen = drained(topic, tmp_path)
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(SOME)
    assert waiting(topic) == 0
    # After a seek it is meant to be so, and goes.
    seek(topic.subscription, before)
    assert waiting(topic) == len(SOME)
    assert oracle.of_rows(drained(topic, tmp_path).snapshots) == oracle.top_tens(SOME)
    assert waiting(topic) == 0


def test_rejects(topic: Topic, tmp_path: Path) -> None:
    good = json.loads(SOME[0].to_message()[0])
    topic.publish_raw((json.dumps(good | {"played_at": "yesterday"}).encode(), {}))
    drained(topic, tmp_path)
    query = told("Rejects", "pipelines.query", {"$WAREHOUSE": str(tmp_path / "warehouse")})
    # In a process of its own: it forks, which threads of gRPC that are at work here do not survive.
    asked = [sys.executable, "-m", "pipelines.query", *query, "--format=json"]
    (row,) = json.loads(subprocess.run(asked, check=True, capture_output=True, timeout=PATIENCE).stdout)
    assert (row["origin"], row["messages"]) == ("pubsub", 1)
    assert row["reason"] == "played_at is not an RFC 3339 time with an offset"
    topic.publish_raw((json.dumps(good).encode(), {}))  # repaired; without attributes
    assert oracle.of_rows(drained(topic, tmp_path).snapshots) == oracle.top_tens(SOME[:1])
