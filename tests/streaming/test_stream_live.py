"""The stream as a person runs it: a process of its own, a real Pub/Sub, signals."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from demo.pubsub import PubSubServer
from pipelines.domain.instants import rfc3339
from tests import oracle, snapshots
from tests.builders import plays
from tests.ports import free_port
from tests.standins.pubsub import Topic, a_topic
from tests.streaming.running import Outcome, outcome

pytestmark = pytest.mark.long

_PATIENCE = 60
# The stream's clock is the real one, and it counts nothing of months that are long over.
YESTERDAY = rfc3339(datetime.now(UTC) - timedelta(days=1))


@pytest.fixture
def topic(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    with a_topic(pubsub_host, monkeypatch) as made:
        yield made


@contextmanager
def streaming(topic: Topic, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``heavy-rotation stream`` in the background; killed at the end if it still runs."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.stream", f"--subscription={topic.subscription}"),
            *(f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse'}"),
            *("--refresh_seconds=1", "--archive_batch_seconds=1", "--runner=DirectRunner"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[Outcome], bool], folder: Path) -> Outcome:
    """What the stream left, as soon as it is so. Fails after a while."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if (folder / "warehouse" / "warehouse.json").exists() and condition(seen := outcome(folder)):
            return seen
        time.sleep(0.3)
    raise AssertionError(f"not within {_PATIENCE} s: {outcome(folder)}")


def test_messages_become_archive_and_tables_and_a_second_launch_goes_on_where_the_first_ended(
    topic: Topic, tmp_path: Path
) -> None:
    some = plays("abcabcabdd", start=YESTERDAY)
    with streaming(topic, tmp_path) as stream:
        # An unreadable message with an unreadable time stands in the way of nothing.
        topic.publish_raw((b"\x00 not a play", {"played_at": "never"}))
        topic.publish(*some[:6])
        wait_for(lambda seen: len(seen.play_events) == 6 and bool(seen.rejected), tmp_path)
        topic.publish(*some[3:8])
        wait_for(lambda seen: len(seen.play_events) == 8, tmp_path)
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(_PATIENCE) == 0
    with streaming(topic, tmp_path) as stream:
        topic.publish(*some[7:])
        seen = wait_for(lambda seen: {p.played_at for p in seen.archived} == {p.played_at for p in some}, tmp_path)
        seen = wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(some), tmp_path)
        stream.send_signal(signal.SIGINT)
        assert stream.wait(_PATIENCE) == 0
    assert [row["payload"] for row in seen.rejected] == [b"\x00 not a play"]


def test_stopping_loses_nothing_that_was_taken_from_pubsub(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    topic, some = Topic(), plays("abcdefghij" * 60, start=YESTERDAY)
    *first, last = some
    topic.publish(*first)
    # Stopped in the middle of it, twice, without waiting for anything to be written.
    archived = 0
    for _ in range(2):
        topic.publish(*some[: len(some) // 2])
        with streaming(topic, tmp_path) as stream:
            archived = len(wait_for(lambda seen: len(seen.archived) > archived, tmp_path).archived)  # noqa: B023
            stream.send_signal(signal.SIGTERM)
            assert stream.wait(_PATIENCE) == 0
    with streaming(topic, tmp_path) as stream:
        topic.publish(last)
        wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(some), tmp_path)
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(_PATIENCE) == 0
    assert {p.played_at for p in outcome(tmp_path).archived} == {p.played_at for p in some}


class KilledAt(grpc.ServerInterceptor):  # type: ignore[misc]
    """Kills who asks: when it was given messages, or before its acknowledgement is heard, as ``method`` says."""

    method = "None"
    kill: Callable[[], object]

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        if not details.method.endswith(f"/{self.method}"):
            return handler

        def answer(request: Any, context: Any) -> Any:
            if self.method == "Acknowledge":
                self.kill()
                context.abort(grpc.StatusCode.UNAVAILABLE, "nobody is there to hear it")
            answered = handler.unary_unary(request, context)
            if answered.received_messages:
                self.kill()
            return answered

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def test_a_stream_that_is_killed_again_and_again_loses_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed, some = KilledAt(), plays("abcdefghij" * 30, start=YESTERDAY)
    with PubSubServer(interceptors=[killed]) as server, a_topic(server.address, monkeypatch) as topic:
        for n, method in enumerate(["Pull", "Acknowledge", "Acknowledge"]):
            topic.publish(*some[n * 100 : (n + 1) * 100])
            with streaming(topic, tmp_path) as stream:
                killed.method, killed.kill = method, stream.kill
                assert stream.wait(_PATIENCE) == -signal.SIGKILL
                killed.method = "None"
            is_archived = any((tmp_path / "archive").rglob("*.avro"))
            assert is_archived == (method == "Acknowledge"), "archived, and then acknowledged"
        with streaming(topic, tmp_path):
            wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(some), tmp_path)


def test_a_stream_that_is_killed_keeps_every_snapshot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed, some = KilledAt(), snapshots.some()
    with PubSubServer(interceptors=[killed]) as server, a_topic(server.address, monkeypatch) as topic:
        topic.publish_raw(*(snapshot.to_message() for snapshot in some))
        for method in ("Pull", "Acknowledge"):
            with streaming(topic, tmp_path) as stream:
                killed.method, killed.kill = method, stream.kill
                assert stream.wait(_PATIENCE) == -signal.SIGKILL
                killed.method = "None"
            assert any((tmp_path / "archive").rglob("*.avro")) == (method == "Acknowledge")
        # As if the kill had come between archive and table.
        shutil.rmtree(tmp_path / "warehouse" / "artist_snapshots", ignore_errors=True)
        with streaming(topic, tmp_path):
            wait_for(lambda _: all(is_whole(tmp_path, kind) for kind in snapshots.KINDS), tmp_path)


def is_whole(folder: Path, kind: str) -> bool:
    table = snapshots.in_table(folder, kind)
    return snapshots.each_once(table, kind) == snapshots.expected(snapshots.some(), kind)


def test_a_second_stream_is_refused_until_the_first_one_is_gone(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    topic, some = Topic(), plays("ab", start=YESTERDAY)
    with streaming(topic, tmp_path) as first:
        assert first.stderr is not None
        assert "Ctrl-C" in first.stderr.readline()
        with streaming(topic, tmp_path) as second:
            assert second.wait(_PATIENCE) == 1
            assert second.stderr is not None
            said = second.stderr.read()
        assert said.startswith(f"error: process {first.pid} on ")
        assert said.count("\n") == 1
        first.kill()
        first.wait()
    # Its lease has not ended, and there is nobody to hold it.
    with streaming(topic, tmp_path) as third:
        topic.publish(*some)
        wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(some), tmp_path)
        third.send_signal(signal.SIGTERM)
        assert third.wait(_PATIENCE) == 0
    assert not list((tmp_path / "archive").glob("stream*"))


def test_an_archive_that_cannot_be_written_ends_the_stream_in_one_line_and_loses_nothing(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    topic, some = Topic(), plays("abcabb", start=YESTERDAY)
    folder = tmp_path / "archive" / "plays"
    folder.parent.mkdir()
    with streaming(topic, tmp_path) as stream:
        assert stream.stderr is not None
        assert "Ctrl-C" in stream.stderr.readline()
        folder.write_text("in the way")
        topic.publish(*some)
        assert stream.wait(_PATIENCE) == 1
        *told, said = stream.stderr.read().splitlines()
    assert all(line.startswith("Read ") for line in told)
    assert said.startswith(f"error: {folder}")
    assert said.endswith(" is a file, and a folder is needed there")
    folder.unlink()
    with streaming(topic, tmp_path):
        wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(some), tmp_path)


def test_it_tells_what_happens_and_sums_up_at_its_end(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    topic, some = Topic(), plays("abcab", start=YESTERDAY)
    topic.publish_raw((b"not a play", {}))
    topic.publish(*some)
    with streaming(topic, tmp_path) as stream:
        assert stream.stderr is not None
        told = [stream.stderr.readline()]
        while told[-1] and not (told[-1].startswith("Counted ") and sum_of(told, "Archived ") == 5):
            told.append(stream.stderr.readline())
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(_PATIENCE) == 0
        told += stream.stderr.readlines()
    assert [line.partition(" ")[0] for line in told[:2]] == ["Reading", "Read"]
    assert "Rejected 1 message; the first: not JSON\n" in told
    summary = r"In all: 6 messages read, 5 plays archived, 1 rejected \(not JSON\), [12] months? counted\n"
    assert re.fullmatch(summary, told[-1])


def sum_of(lines: list[str], beginning: str) -> int:
    """The sum of the first numbers of the lines that begin so."""
    return sum(int(line.split()[1]) for line in lines if line.startswith(beginning))


def test_without_credentials_it_says_so_in_a_line_and_makes_nothing(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "pipelines.stream", "--subscription=projects/a-project/subscriptions/plays"),
        *(f"--archive={tmp_path / 'archive'}", f"--warehouse={tmp_path / 'warehouse'}"),
    ]
    # As of somebody who never logged in, on a machine that is none of Google's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PUBSUB_", "GOOGLE_"))}
    environment |= {"HOME": str(tmp_path / "home"), "CLOUDSDK_CONFIG": str(tmp_path / "home"), "NO_GCE_CHECK": "true"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: there are no credentials for Google Cloud; ")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_signal_during_the_imports_gives_no_stack_trace() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipelines.stream", "--help"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as starting:
        assert starting.stderr is not None
        while "apache_beam" not in starting.stderr.readline():
            pass
        starting.send_signal(signal.SIGINT)
        said = starting.stderr.read()
    assert starting.returncode == -signal.SIGINT
    assert "Traceback" not in said


def failed_launch(folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.stream", f"--archive={folder / 'a'}", f"--warehouse={folder / 'w'}"),
            *more,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        env=os.environ,
    )
    return done.returncode, done.stderr


def test_a_missing_subscription_is_told(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    code, said = failed_launch(tmp_path, "--subscription=projects/heavy-rotation-test/subscriptions/nobody")
    assert code == 1
    assert "Pub/Sub does not give projects/heavy-rotation-test/subscriptions/nobody" in said
    assert "Traceback" not in said


def test_no_network_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    code, said = failed_launch(tmp_path, "--subscription=projects/heavy-rotation-test/subscriptions/plays")
    assert code == 1
    assert "Pub/Sub does not give" in said
    assert "Traceback" not in said


def test_a_warehouse_that_is_a_file_is_told(
    local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local_pubsub_host)
    (tmp_path / "w").write_text("")
    code, said = failed_launch(tmp_path, f"--subscription={Topic().subscription}")
    assert (code, "a folder is needed there" in said, "Traceback" in said) == (1, True, False)
