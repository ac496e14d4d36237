"""The runbook's procedures, rehearsed. Each test is named after its section of docs/operations.md."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
import requests
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient

from demo.listener import Listener
from demo.spotify import SpotifyServer
from pipelines import forget, query, rebuild
from pipelines.archive import Archive
from pipelines.tables import play_schema
from pipelines.warehouse.local import LocalWarehouse
from producer.logins.grants import Grant
from producer.logins.stores import FileStore
from tests import oracle
from tests.builders import plays
from tests.operations.runs import PATIENCE, bounded, process, wait_for, waiting
from tests.streaming import outcome, rows
from tests.test_stream_live import Topic

SOME = plays("abcabcabddefghij")
NOVEMBER = date(2026, 11, 1)


def places(folder: Path) -> list[str]:
    return [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"]


def closing(made: Topic) -> Iterator[Topic]:
    yield made
    made.publisher.stop()
    made.publisher.transport.close()


@pytest.fixture
def topic(local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    yield from closing(Topic())


@pytest.fixture
def google_topic(emulator_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    """In Google's emulator, with what infra/pubsub.tf gives topic and subscription."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator_pubsub_host)
    yield from closing(Topic(retained=True))


def seek(subscription: str, time: datetime) -> None:
    with SubscriberClient() as client:
        client.seek(request={"subscription": subscription, "time": time})


def take(subscription: str, *, acknowledge: bool) -> list[bytes]:
    """What the subscription gives within a second, acknowledged or given back."""
    with SubscriberClient() as client:
        try:
            got = client.pull(subscription=subscription, max_messages=1000, timeout=1, retry=None).received_messages
        except DeadlineExceeded:
            return []
        ids = [message.ack_id for message in got]
        if ids and acknowledge:
            client.acknowledge(subscription=subscription, ack_ids=ids)
        elif ids:
            client.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=0)
        return [message.message.data for message in got]


def test_drain(topic: Topic, tmp_path: Path) -> None:
    topic.publish(*SOME[:10])
    with process(topic, tmp_path) as job:
        wait_for(lambda: (tmp_path / "archive" / "plays").exists())
        topic.publish(*SOME[10:])
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE) == 0
    assert not any(row["is_final"] for row in outcome(tmp_path).snapshots)
    assert oracle.of_rows(bounded(topic, tmp_path).snapshots) == oracle.top_tens(SOME)


def test_cancel_and_come_back(google_topic: Topic, tmp_path: Path) -> None:
    topic, before = google_topic, datetime.now(UTC) - timedelta(seconds=1)
    topic.publish(*SOME[:5])
    first = bounded(topic, tmp_path)
    # What Dataflow acknowledges is in its own state for a while: cancelled, it is nowhere.
    topic.publish(*SOME[5:8])
    lost: list[bytes] = []

    def take_all() -> bool:
        lost.extend(take(topic.subscription, acknowledge=True))
        return len(lost) == 3

    wait_for(take_all)
    topic.publish(*SOME[8:])
    without = bounded(topic, tmp_path)
    assert len({p.played_at for p in without.archived}) == len(SOME) - 3
    seek(topic.subscription, before)
    again = bounded(topic, tmp_path)
    assert oracle.of_rows(again.snapshots) == oracle.top_tens(SOME)
    assert {row["plays_in_month"] for row in first.snapshots} == {5}
    assert waiting(topic) == 0


def test_a_poisoned_message(google_topic: Topic, tmp_path: Path) -> None:
    topic, before = google_topic, datetime.now(UTC) - timedelta(seconds=1)
    topic.publish_raw((b"\x00 no play", {}))
    topic.publish(*SOME)
    seen = bounded(topic, tmp_path)
    assert [row["payload"] for row in seen.rejected] == [b"\x00 no play"]
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(SOME)

    # One that no run survives: each takes it, and ends before it is settled.
    later = plays("z", start="2026-11-20T08:00:00Z")
    topic.publish(*later)
    given_up: list[bytes] = []

    def try_again() -> bool:
        take(topic.subscription, acknowledge=False)
        given_up.extend(take(topic.dead_letters, acknowledge=False))
        return bool(given_up)

    wait_for(try_again)
    assert given_up[0] == later[0].to_message()[0]
    assert bounded(topic, tmp_path) == seen
    # Whatever it was has been put right.
    seek(topic.subscription, before)
    again = bounded(topic, tmp_path)
    assert oracle.of_rows(again.snapshots) == oracle.top_tens([*SOME, *later])
    seek(topic.dead_letters, datetime.now(UTC) + timedelta(seconds=1))


def test_move_between_sizes(topic: Topic, tmp_path: Path) -> None:
    topic.publish(*SOME[:6])
    bounded(topic, tmp_path)
    with process(topic, tmp_path) as job:
        topic.publish(*SOME[4:11])
        wait_for(lambda: oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(SOME[:11]))
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE) == 0
    topic.publish(*SOME[9:])
    seen = bounded(topic, tmp_path)
    assert oracle.of_rows(seen.snapshots) == oracle.top_tens(SOME)
    assert {row["played_at"] for row in seen.play_events} == {p.played_at for p in SOME}
    assert bounded(topic, tmp_path) == seen


def test_rejects(topic: Topic, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play = json.loads(SOME[0].to_message()[0])
    topic.publish_raw((json.dumps(play | {"played_at": "yesterday"}).encode(), {}))
    bounded(topic, tmp_path)
    asked = "SELECT reason, payload FROM heavy_rotation.rejected"
    capsys.readouterr()
    assert query.main([places(tmp_path)[1], asked, "--format=json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["reason"] == "played_at is not an RFC 3339 time with an offset"
    topic.publish_raw((json.dumps(play).encode(), {}))  # repaired; without attributes
    assert oracle.of_rows(bounded(topic, tmp_path).snapshots) == oracle.top_tens(SOME[:1])


def test_a_schema_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, fields = Archive(str(tmp_path / "archive")), play_schema()["fields"]
    added = {"name": "mood", "type": ["null", "string"], "default": None}
    # reason_end and isrc stand for fields that were added since the first file was written.
    older = [field for field in fields if field["name"] not in ("reason_end", "isrc")]
    for n, version in enumerate((older, fields, [*fields, added])):
        file = io.BytesIO()
        names = {field["name"] for field in version}
        written: list[dict[str, Any]] = [
            {name: value for name, value in (p.to_record() | {"mood": "calm"}).items() if name in names}
            for p in SOME[n * 5 : n * 5 + 5]
        ]
        fastavro.writer(file, play_schema() | {"fields": version}, written, codec="deflate")
        path = tmp_path / "archive" / "plays" / "month=2026-11" / f"plays-{n}.avro"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
    assert [p for path in archive.files() for p in archive.read(path)] == SOME[:15]
    assert rebuild.main(places(tmp_path)) == 0
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(SOME[:15])

    # Tables too have files of before.
    warehouse = LocalWarehouse.open(tmp_path / "warehouse")
    (path,) = warehouse.files("play_events", NOVEMBER)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(["isrc", "reason_end"]), path.with_name("older.parquet"))
    capsys.readouterr()
    asked = "SELECT COUNT(*) AS plays, COUNT(isrc) AS known FROM heavy_rotation.plays"
    assert query.main([places(tmp_path)[1], asked, "--format=csv"]) == 0
    assert capsys.readouterr().out == "plays,known\r\n15,0\r\n"
    assert forget.main(["--user=me", *places(tmp_path)]) == 0
    assert outcome(tmp_path).play_events == []


def test_rotate_secrets(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-u", "-m", "producer", *arguments, f"--logins={tmp_path / 'logins'}"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as started:
            assert started.stdout is not None
            if "login" in arguments:
                page = next(line.strip() for line in started.stdout if line.strip().startswith("http"))
                requests.get(page, timeout=30).raise_for_status()
            said = started.communicate(timeout=PATIENCE)[0]
            return started.returncode, said

    def tokens() -> list[str]:
        return [json.loads(path.read_text())["refresh_token"] for path in (tmp_path / "logins").glob("*.json")]

    app = tmp_path / "app.json"
    with SpotifyServer(Listener(7).listens) as spotify:
        accounts = spotify.accounts
        environment = os.environ | {
            "SPOTIFY_CLIENT_FILE": str(app), "SPOTIFY_API_URL": spotify.url, "SPOTIFY_ACCOUNTS_URL": spotify.url,
            "BROWSER": "true",
        }  # fmt: skip
        app.write_text(json.dumps({"client_id": accounts.client_id, "client_secret": accounts.client_secret}))
        app.chmod(0o600)
        assert run("login")[0] == 0
        (old,) = tokens()
        assert run("login")[0] == 0
        (new,) = tokens()
        assert new != old
        poll = ("poll", "--once", f"--archive={tmp_path / 'archive'}", f"--state={tmp_path / 'state'}")
        assert run(*poll)[0] == 0
        # The app's secret is another one from now on.
        accounts.client_secret = "rotated"
        code, said = run(*poll)
        assert (code, new in said) == (1, False)
        app.write_text(json.dumps({"client_id": accounts.client_id, "client_secret": "rotated"}))
        assert run(*poll)[0] == 0


def test_forget_a_person(topic: Topic, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        kept = [f"--logins={tmp_path / 'logins'}", f"--state={tmp_path / 'state'}"]
        command = [sys.executable, "-m", "producer", *arguments, *kept]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout + done.stderr

    poll = ["poll", "--once", f"--topic={topic.topic}"]
    with SpotifyServer(Listener(7).listens) as spotify:
        accounts, her = spotify.accounts, spotify.account_id
        environment = os.environ | {
            "SPOTIFY_CLIENT_ID": accounts.client_id, "SPOTIFY_CLIENT_SECRET": accounts.client_secret,
            "SPOTIFY_API_URL": spotify.url, "SPOTIFY_ACCOUNTS_URL": spotify.url,
        }  # fmt: skip
        FileStore(tmp_path / "logins").save(Grant(her, accounts.refresh_token, datetime.now(UTC)))
        assert run(*poll)[0] == 0
        topic.publish(*SOME)
        assert her in {p.user_id for p in bounded(topic, tmp_path).archived}

        logout = ["logout", f"--account={her}"]
        assert "removed" in run(*logout, "--dry-run")[1]
        assert run(*logout)[0] == 0
        forgetting = [f"--user={her}", *places(tmp_path)]
        assert forget.main([*forgetting, "--dry_run"]) == 0
        assert forget.main(forgetting) == 0
        for _ in range(2):
            assert "no account has logged in" in run(*poll)[1]
            seen = bounded(topic, tmp_path)
            assert oracle.of_rows(seen.snapshots) == oracle.top_tens(SOME)
            assert {row["user_id"] for row in seen.play_events} == {"me"} == {p.user_id for p in seen.archived}
        assert f"there is nothing of {her} in " in run(*logout)[1]
    for path in tmp_path.rglob("*"):
        assert her not in path.name
        assert path.is_dir() or her.encode() not in path.read_bytes()


def test_restore_a_month(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path / "archive"))
    october = plays("pqrpq", start="2026-10-02T08:00:00Z")
    for month, some in ((NOVEMBER, SOME[8:]), (date(2026, 10, 1), october)):
        archive.write(month, some)
    path = Path(archive.write(NOVEMBER, SOME[:8]))
    assert rebuild.main(places(tmp_path)) == 0
    warehouse = LocalWarehouse.open(tmp_path / "warehouse")
    good, kept = outcome(tmp_path), path.read_bytes()
    # The file is cut short, then gone; the tables of its month are gone.
    path.write_bytes(kept[:100])
    assert rebuild.main([*places(tmp_path), "--months=2026-11"]) == 1
    for table, was in (("play_events", good.play_events), ("top_ten_snapshots", good.snapshots)):
        assert list(rows(tmp_path, table)) == was
        warehouse.remove(warehouse.files(table, NOVEMBER))
    path.write_bytes(kept)  # copied back
    assert rebuild.main([*places(tmp_path), "--months=2026-11"]) == 0
    again = outcome(tmp_path)
    assert oracle.of_rows(again.snapshots) == oracle.top_tens([*SOME, *october])
    assert oracle.of_rows(again.snapshots) == oracle.of_rows(good.snapshots)
    assert len(again.play_events) == len(good.play_events)
