"""Launching the stream on a laptop again: it adds what the tables lack and nothing else, whatever the archive holds."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.domain.instants import rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.builders import play, plays
from tests.standins.pubsub import Topic, a_topic
from tests.streaming.running import Outcome, outcome
from tests.streaming.test_stream_live import streaming, wait_for

pytestmark = pytest.mark.long

TODAY = datetime.now(UTC).replace(microsecond=0)
YESTERDAY = rfc3339(TODAY - timedelta(days=1))


@pytest.fixture
def topic(local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    with a_topic(local_pubsub_host, monkeypatch) as made:
        yield made


def launch_for(topic: Topic, folder: Path, *new: Play, until: list[Play]) -> Outcome:
    """A launch that ends well, once the top tens count what they have to."""
    with streaming(topic, folder) as stream:
        topic.publish(*new)
        wait_for(lambda seen: oracle.of_rows(seen.snapshots) == oracle.top_tens(until), folder)
        wait_for(lambda seen: {row["played_at"] for row in seen.play_events} >= {p.played_at for p in until}, folder)
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(60) == 0
    return outcome(folder)


def users(folder: Path, table: str) -> list[str]:
    """Whose the rows of a table are, of those that are there."""
    if not (folder / "warehouse" / "warehouse.json").exists():
        return []
    warehouse = FolderWarehouse.open(folder / "warehouse")
    files = [path for month in warehouse.months(table) for path in warehouse.files(table, month)]
    return [
        user for path in files for user in pq.read_table(path, columns=["user_id"], partitioning=None)[0].to_pylist()
    ]


def each(seen: Outcome) -> Counter[object]:
    return Counter(row["played_at"] for row in seen.play_events)


def test_a_launch_adds_no_row_that_the_tables_have(topic: Topic, tmp_path: Path) -> None:
    some = plays("abcab" * 40, start=YESTERDAY)
    for end in (198, 199, 200):
        new = some[:198] if end == 198 else some[end - 1 : end]
        seen = launch_for(topic, tmp_path, *new, until=some[:end])
        assert each(seen) == Counter(p.played_at for p in some[:end])


def test_a_launch_adds_what_a_crash_left_out_and_what_was_imported_meanwhile(topic: Topic, tmp_path: Path) -> None:
    some, imported = plays("abcab" * 4, start=YESTERDAY), play(TODAY - timedelta(hours=3), "imported")
    launch_for(topic, tmp_path, *some[:10], until=some[:10])
    launch_for(topic, tmp_path, *some[10:], until=some)
    warehouse, calendar = FolderWarehouse.open(tmp_path / "warehouse"), Calendar()
    lost = [path for month in warehouse.months("play_events") for path in warehouse.files("play_events", month)][-1]
    lost.unlink()  # as if a crash had come between archive and table
    assert len(outcome(tmp_path).play_events) < len(some)
    Archive(str(tmp_path / "archive")).write(calendar.month_of(imported.played_at), [imported])
    seen = launch_for(topic, tmp_path, until=[*some, imported])
    assert each(seen) == Counter(p.played_at for p in [*some, imported])


def test_a_new_message_does_not_wait_for_the_archive(topic: Topic, tmp_path: Path) -> None:
    calendar, archive = Calendar(), Archive(str(tmp_path / "archive"))
    start = TODAY - timedelta(days=20)
    old = [play(start + timedelta(seconds=20 * n), f"t{n % 97}", user_id=f"u{n % 50}") for n in range(40_000)]
    by_month: dict[object, list[Play]] = {}
    for p in old:
        by_month.setdefault(calendar.month_of(p.played_at), []).append(p)
    for some in by_month.values():
        for at in range(0, len(some), 1_000):
            archive.write(calendar.month_of(some[at].played_at), some[at : at + 1_000])
    new = play(YESTERDAY, "new", user_id="me")
    with streaming(topic, tmp_path):
        topic.publish(new)
        deadline = time.monotonic() + 60
        while "me" not in users(tmp_path, "top_ten_snapshots"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(users(tmp_path, "play_events")) < len(old)
