"""Messages on their way into the archive, from a real Pub/Sub that goes away, lacks, or holds very much."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from google.cloud.pubsub_v1 import SubscriberClient

from demo.pubsub import PubSubServer
from pipelines.clock import utc_now
from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from pipelines.storage.forgotten import Marks
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.streaming import subscription as subscription_module
from pipelines.streaming.intake import Intake
from pipelines.streaming.progress import Progress
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import FolderSink, sink_of
from pipelines.streaming.subscription import PubSubError, Subscription
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.json_rows import Row
from tests import snapshots
from tests.builders import play, plays
from tests.operations.runs import wait_for, waiting
from tests.standins.pubsub import Topic, a_topic
from tests.streaming.running import outcome

YESTERDAY = rfc3339(datetime.now(UTC) - timedelta(days=1))
LONG_AGO = "2019-05-05T08:00:00Z"


def options(topic: Topic, folder: Path) -> StreamOptions:
    return StreamOptions(
        subscription=topic.subscription,
        archive=str(folder / "archive"),
        warehouse=str(folder / "warehouse"),
        calendar=Calendar(),
        refresh_seconds=1,
        lateness=timedelta(days=35),
        archive_batch_plays=10_000,
        archive_batch_seconds=1,
    )


class Taking:
    """An intake at work in a thread of its own."""

    def __init__(
        self, topic: Topic, folder: Path, sink: FolderSink | None = None, batch: dict[str, int] | None = None
    ) -> None:
        self.options = replace(options(topic, folder), **(batch or {}))
        self.sink = sink or sink_of(self.options.warehouse, "Europe/Paris", Marks(self.options.archive))
        self.stopping = Event()
        self.counted: list[str] = []
        self.told: list[str] = []
        self.error: BaseException | None = None
        self.thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            with Subscription(self.options.subscription, self.stopping) as subscription:
                intake = Intake(subscription, self.options, self.sink, utc_now, Progress(self.told.append))
                intake.run(self.stopping, Event(), self.counted.append)
        except BaseException as error:
            self.error = error


@contextmanager
def taking(
    topic: Topic, folder: Path, sink: FolderSink | None = None, batch: dict[str, int] | None = None
) -> Iterator[Taking]:
    at_work = Taking(topic, folder, sink, batch)
    at_work.thread.start()
    try:
        yield at_work
    finally:
        at_work.stopping.set()
        at_work.thread.join()


def archived(folder: Path) -> list[Play]:
    archive = Archive(str(folder / "archive"))
    return [p for path in archive.files() for p in archive.read(path)]


def test_each_message_is_in_its_place_before_it_is_acknowledged(topic: Topic, tmp_path: Path) -> None:
    some, late = plays("abc", start=YESTERDAY), play(LONG_AGO, "late")
    topic.publish_raw((b"\x00 no play", {"reason": "broken"}))
    topic.publish(*some, late)
    with taking(topic, tmp_path) as at_work:
        wait_for(lambda: len(archived(tmp_path)) == 4)
    seen = outcome(tmp_path)
    assert at_work.error is None
    assert [row["payload"] for row in seen.rejected] == [b"\x00 no play"]
    # What came too late to be counted is in the table when it is acknowledged; the rest is for who counts.
    assert [row["track_id"] for row in seen.play_events] == ["late"]
    archive = Archive(str(tmp_path / "archive"))
    assert [p.track_id for path in at_work.counted for p in archive.read(path)] == ["a", "b", "c"]
    assert waiting(topic) == 0


def test_what_is_done_with_messages_is_told(topic: Topic, tmp_path: Path) -> None:
    topic.publish_raw((b"no play", {}), (b"{}", {}))
    topic.publish(*plays("abc", start="2026-11-20T08:00:00Z"), play("2026-10-20T08:00:00Z"))
    with taking(topic, tmp_path, batch={"archive_batch_plays": 6, "archive_batch_seconds": 600}) as at_work:
        wait_for(lambda: len(at_work.told) == 3)
    first, *rest = at_work.told
    assert first.startswith("Read ")
    assert first.endswith("; safe in the archive within 600 seconds")
    assert rest == ["Archived 4 plays: 1 of 2026-10, 3 of 2026-11", "Rejected 2 messages; the first: not JSON"]


def test_what_was_acknowledged_is_brought_in_although_its_month_closed_since(topic: Topic, tmp_path: Path) -> None:
    # In October a stream was killed with plays of September on their way; nobody launched it until late November.
    october, november = parse("2026-10-15T12:00:00Z"), parse("2026-11-28T12:00:00Z")
    calendar, some = Calendar(), options(topic, tmp_path)
    archive = Archive(some.archive)
    sink = sink_of(some.warehouse, "Europe/Paris", archive.marks)
    august, september, new = (plays("ab", start=f"2026-{month}-20T08:00:00Z") for month in ("08", "09", "11"))
    for group in (august, september, new):
        archive.write(calendar.month_of(group[0].played_at), group)
    broken = Path(archive.write(calendar.month_of(september[0].played_at), september))
    broken.write_bytes(b"")
    with Subscription(topic.subscription, Event()) as subscription:
        intake = Intake(subscription, some, sink, lambda: november, Progress(print))
        intake.catch_up(november)
        assert outcome(tmp_path).play_events == []
        intake.catch_up(october)
    assert [row["played_at"] for row in outcome(tmp_path).play_events] == [p.played_at for p in september]


class FullSink(FolderSink):
    """Tables on a disk that is full."""

    def append(self, table: str, rows: object) -> set[int]:
        raise StorageError(f"the disk is full: {table} was not written")


@pytest.mark.parametrize("messages", [[play(LONG_AGO, "late").to_message()], [(b"no play", {})]])
def test_what_its_table_did_not_get_is_not_acknowledged(
    topic: Topic, tmp_path: Path, messages: list[tuple[bytes, dict[str, str]]]
) -> None:
    topic.publish_raw(*messages)
    full = FullSink(FolderWarehouse(tmp_path / "warehouse", "Europe/Paris"), Marks(str(tmp_path / "archive")))
    with taking(topic, tmp_path, full) as at_work:
        at_work.thread.join()
    assert isinstance(at_work.error, StorageError)
    # Given back, and there for the next launch at once.
    with taking(topic, tmp_path):
        wait_for(lambda: bool(outcome(tmp_path).play_events or outcome(tmp_path).rejected))
    assert waiting(topic) == 0


def test_a_snapshot_is_in_the_archive_and_in_its_table_before_it_is_acknowledged(topic: Topic, tmp_path: Path) -> None:
    topic.publish_raw(*(snapshot.to_message() for snapshot in snapshots.some()))
    topic.publish(*plays("ab", start=YESTERDAY))
    with taking(topic, tmp_path, batch={"archive_batch_plays": 12, "archive_batch_seconds": 600}) as at_work:
        wait_for(lambda: any(line.startswith("Kept") for line in at_work.told))
    assert at_work.error is None
    for kind in snapshots.KINDS:
        assert snapshots.in_table(tmp_path, kind) == snapshots.expected(snapshots.some(), kind)
    kept = SnapshotArchive(str(tmp_path / "archive"))
    assert {kind: len(kept.files(kind)) for kind in snapshots.KINDS} == dict(
        zip(snapshots.KINDS, (2, 2, 1), strict=True)
    )
    assert at_work.told[-1] == "Kept 10 snapshots: 2 in artist_snapshots, 6 in playlist_snapshots, 2 in track_snapshots"
    assert len(archived(tmp_path)) == 2
    assert waiting(topic) == 0


class WithoutSnapshots(FolderSink):
    """Tables of which one is on a disk that is full."""

    def append(self, table: str, rows: Sequence[Row]) -> set[int]:
        if table == "artist_snapshots":
            raise StorageError(f"the disk is full: {table} was not written")
        return super().append(table, rows)


def test_no_play_waits_for_a_snapshot_and_the_next_launch_heals(topic: Topic, tmp_path: Path) -> None:
    topic.publish_raw(snapshots.artist().to_message())
    topic.publish(*plays("ab", start=YESTERDAY))
    full = WithoutSnapshots(FolderWarehouse(tmp_path / "warehouse", "Europe/Paris"), Marks(str(tmp_path / "archive")))
    with taking(topic, tmp_path, full, batch={"archive_batch_plays": 3, "archive_batch_seconds": 600}) as at_work:
        at_work.thread.join()
    assert isinstance(at_work.error, StorageError)
    assert len(at_work.counted) == 1
    assert waiting(topic) == 1
    assert snapshots.in_table(tmp_path, "artist_snapshot") == []
    with taking(topic, tmp_path):
        wait_for(lambda: snapshots.in_table(tmp_path, "artist_snapshot"))
    assert len(snapshots.in_table(tmp_path, "artist_snapshot")) == 1
    assert len(archived(tmp_path)) == 2
    # Archived by both, as it was between archive and table that the first one ended.
    assert len(SnapshotArchive(str(tmp_path / "archive")).files("artist_snapshot")) == 2
    assert waiting(topic) == 0


class RefusingSink(FolderSink):
    """Tables that refuse the first row of each request for ever."""

    def append(self, table: str, rows: object) -> set[int]:
        super().append(table, rows[1:])  # type: ignore[index]
        return {0}


def test_a_row_that_rejected_refuses_is_left_to_pubsub(topic: Topic, tmp_path: Path) -> None:
    topic.publish_raw((b"first", {}), (b"second", {}))
    refusing = RefusingSink(FolderWarehouse(tmp_path / "warehouse", "Europe/Paris"), Marks(str(tmp_path / "archive")))
    with taking(topic, tmp_path, refusing) as at_work:
        wait_for(lambda: bool(outcome(tmp_path).rejected))
    assert at_work.error is None
    assert [row["payload"] for row in outcome(tmp_path).rejected] == [b"second"]


@pytest.mark.long
def test_pubsub_may_be_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscription_module, "_FIRST_WAIT_SECONDS", 0.2)
    caplog.set_level(logging.WARNING, "heavy_rotation")

    def said() -> list[str]:
        return [record.message for record in caplog.records if record.message.startswith("Pub/Sub is")]

    with PubSubServer() as server:
        with a_topic(server.address, monkeypatch) as topic, taking(topic, tmp_path) as at_work:
            topic.publish(*plays("ab", start=YESTERDAY))
            wait_for(lambda: len(archived(tmp_path)) == 2)
            server.stop()
            wait_for(lambda: len(said()) == 1)
            at_work.thread.join(1.5)  # several more tries
            assert at_work.thread.is_alive()
            server.start()
            topic.publish(*plays("c", start=YESTERDAY, user_id="another"))
            wait_for(lambda: len(archived(tmp_path)) == 3)
        assert at_work.error is None
        assert waiting(topic) == 0
    first, second = said()
    assert first.endswith("asking again until it is back")
    assert second == "Pub/Sub is back"


def test_a_subscription_that_is_deleted_ends_it_with_a_sentence(topic: Topic, tmp_path: Path) -> None:
    with taking(topic, tmp_path) as at_work:
        with SubscriberClient() as client:
            client.delete_subscription(subscription=topic.subscription)
        at_work.thread.join(20)
    assert isinstance(at_work.error, PubSubError)
    assert str(at_work.error).startswith(f"Pub/Sub does not give {topic.subscription}: ")


def test_an_answer_of_many_megabytes_is_read(topic: Topic, tmp_path: Path) -> None:
    some = [play(p.played_at, "x", album_name="y" * 60_000) for p in plays("a" * 100, start=YESTERDAY)]
    topic.publish(*some)
    with Subscription(topic.subscription, Event()) as subscription:
        received = subscription.pull()
    assert sum(len(message.message.data) for message in received) > 4_200_000


@pytest.mark.long
def test_what_is_held_does_not_come_again_while_work_goes_on(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_module, "_DEADLINE_SECONDS", 2)
    monkeypatch.setattr(subscription_module, "_PUT_OFF_SECONDS", 0.5)
    topic.publish(*plays("ab", start=YESTERDAY))
    with Subscription(topic.subscription, Event()) as one:
        held = one.pull()
        assert len(held) == 2
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            with Subscription(topic.subscription, Event()) as other:
                assert not other.pull()
        one.acknowledge([message.ack_id for message in held[:1]])
    assert waiting(topic) == 1
