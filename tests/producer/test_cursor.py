"""The state: compare and set in a folder and in a bucket, and what becomes of gaps."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gcp_storage_emulator.server import create_server

from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.storage.bucket import client
from pipelines.storage.files import ChangedError
from producer.identity.remembered import ImportedPlay, PolledPlay, TrackName
from producer.identity.rows import ACCOUNT, EXTENDED
from producer.polling.poll import poll
from producer.polling.publishing import ArchiveDestination
from producer.private_files import StateError
from producer.state.cursor import Cursor, Cursors
from producer.state.documents import Documents
from producer.state.gaps import Gap
from tests.producer.exports import extended, plays_in
from tests.producer.history import History
from tests.standins.cloud_storage import Bucket, nothing
from tests.standins.spotify import NOW, items

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(params=["folder", "bucket"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "state")
    request.getfixturevalue("bucket")
    return "gs://bucket/state"


def add(instant: int) -> Callable[[Cursor], Cursor]:
    return lambda cursor: replace(cursor, published=(*cursor.published, instant), newest=instant)


def test_a_cursor_comes_back_as_it_was(state: str) -> None:
    cursors = Cursors(state)
    assert cursors.load("me") == Cursor("me")
    cursor = Cursor(
        "me",
        newest=3,
        published=(1, 3),
        rejected=("a",),
        gaps=(Gap(NOW - timedelta(hours=1), NOW, NOW),),
        polled_at=NOW,
        interval=timedelta(minutes=10),
        retry_at=NOW + timedelta(days=1),
        polled=(PolledPlay(3, 2, TrackName("t", "Ärtist", "")),),
        imported=(
            ImportedPlay(2, 1, 30_000, ACCOUNT, True, TrackName("names:1", "A", "B"), reported=1),
            ImportedPlay(3, 3, 30_000, EXTENDED, False, TrackName("u", "A", "C"), reported=90_000),
        ),
    )
    cursors.change(cursors.read("me"), lambda _: cursor)
    assert Cursors(state).load("me") == cursor
    assert cursors.accounts() == ["me"]


def test_what_was_read_before_somebody_else_wrote_is_not_written(state: str) -> None:
    documents = Documents(state)
    empty = documents.read("a.json")
    documents.replace("a.json", {"by": "one"}, empty.version)
    with pytest.raises(ChangedError):
        documents.replace("a.json", {"by": "another"}, empty.version)
    first = documents.read("a.json")
    assert first.value == {"by": "one"}
    documents.replace("a.json", {"by": "another"}, first.version)
    with pytest.raises(ChangedError):
        documents.replace("a.json", {"by": "one"}, first.version)


def test_the_loser_reads_again_and_loses_nothing(state: str) -> None:
    cursors = Cursors(state)
    known = cursors.read("me")
    cursors.change(cursors.read("me"), add(1))
    before, after = cursors.change(known, add(2))
    assert before.published == (1,)
    assert after.cursor.published == cursors.load("me").published == (1, 2)


def test_many_at_once_lose_nothing(state: str) -> None:
    def work(number: int) -> None:
        cursors = Cursors(state)
        for instant in range(number * 10, number * 10 + 10):
            cursors.change(cursors.read("me"), add(instant))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Cursors(state).load("me").published) == list(range(40))


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from dataclasses import replace; from producer.state.cursor import Cursors\n"
        "cursors, number = Cursors(sys.argv[1]), int(sys.argv[2])\n"
        "for each in range(number, number + 50):\n"
        "    cursors.change(cursors.read('me'), lambda c: replace(c, published=(*c.published, each)))\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(number)], cwd=REPOSITORY) for number in (0, 50, 100)
    ]
    assert [process.wait(20) for process in processes] == [0, 0, 0]
    assert sorted(Cursors(tmp_path).load("me").published) == list(range(150))


def test_two_pollers_of_one_account(bucket: Bucket, tmp_path: Path) -> None:
    """The second one publishes and keeps its state in the middle of the first one's keeping of its own."""
    cursors = Cursors("gs://bucket/state")
    destination = ArchiveDestination(Archive(str(tmp_path)), Calendar())
    listed = items(50)

    def meanwhile(_: str) -> None:
        bucket.before_upload = nothing
        poll(listed[:30], "me", cursors, destination, NOW)  # the newest thirty

    bucket.before_upload = meanwhile
    polled = poll(listed[20:], "me", cursors, destination, NOW)  # the oldest thirty
    assert bucket.refused == 1
    assert len(polled.cursor.published) == 50
    assert polled.cursor == cursors.load("me")
    assert polled.cursor.newest == max(polled.cursor.published)


@pytest.mark.parametrize("first", ["poll", "import"])
def test_a_poll_in_the_middle_of_an_import_and_the_other_way_around(first: str, bucket: Bucket, tmp_path: Path) -> None:
    """Each settles the instants of its plays in the middle of the other's settling of its own."""
    history = History(tmp_path, "gs://bucket/state")
    stamp, row = "2026-05-01T10:00:00.500Z", extended("2026-05-01T10:00:00Z")

    def meanwhile(name: str) -> None:
        if "/cursors/" not in name:
            return
        bucket.before_upload = nothing
        history.load(row) if first == "poll" else history.poll(stamp, is_late=True)

    bucket.before_upload = meanwhile
    history.poll(stamp, is_late=True) if first == "poll" else history.load(row)
    history.stream()
    assert bucket.refused == 1
    assert len(plays_in(tmp_path / "archive")) == 2
    assert len(history.counted()) == 1


def test_a_gap_that_another_poller_saw_filled_is_none(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path / "state")
    destination = ArchiveDestination(Archive(str(tmp_path)), Calendar())
    listed = items(50)
    poll(listed[49:], "me", cursors, destination, NOW - timedelta(hours=1))
    known = cursors.read("me")
    poll(listed, "me", cursors, destination, NOW)
    polled = poll([*listed[:25], *listed[:25]], "me", cursors, destination, NOW, known)
    assert polled.cursor.gaps == ()


def test_on_google_s_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, writing, listing. It ignores generation matches: what two pollers do to each other is tested above."""
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    try:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server._api._httpd.server_address[1]}")
        client.cache_clear()
        cursors = Cursors("gs://bucket/state")
        for name in ("me", "you"):
            cursors.change(cursors.read(name), add(1))
            assert cursors.load(name) == Cursor(name, 1, (1,))
        assert cursors.accounts() == ["me", "you"]
    finally:
        server.stop()
        client().close()
        client.cache_clear()


def test_state_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cursors" / "me.json"
    path.parent.mkdir()
    path.write_text('{"account_id": "me", "newest": 2, "published": [1, 2], "rejected": []}')
    assert Cursors(tmp_path).load("me") == Cursor("me", 2, (1, 2))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"account_id": "me", "newest": 1, "published": [], "gaps": [1]}',
        '{"account_id": "me", "newest": 1, "published": [], "rejected": [], "imported": [[1]]}',
    ],
)
def test_damaged_state_is_told(state: str, text: str, bucket: Bucket) -> None:
    if state.startswith("gs://"):
        bucket.put("state/cursors/me.json", text.encode())
    else:
        (Path(state) / "cursors").mkdir(parents=True)
        (Path(state) / "cursors" / "me.json").write_text(text)
    with pytest.raises(StateError, match=r"cursors/me\.json is damaged; remove it and poll again"):
        Cursors(state).load("me")


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 10, hour, minute, second, tzinfo=UTC)


GAP = Gap(at(10, 0, 3), at(12, 0, 59), at(13))


@pytest.mark.parametrize(
    ("covered_from", "covered_to", "left"),
    [
        pytest.param(at(9), at(13), None, id="all of it"),
        pytest.param(at(10), at(12), None, id="whole minutes, as in account data"),
        pytest.param(at(9), at(11), (at(11), GAP.end), id="its beginning"),
        pytest.param(at(11), at(13), (GAP.start, at(11)), id="its end"),
        pytest.param(at(11), at(11, 30), (GAP.start, GAP.end), id="the middle"),
        pytest.param(at(8), at(9), (GAP.start, GAP.end), id="before"),
        pytest.param(at(13), at(14), (GAP.start, GAP.end), id="after"),
    ],
)
def test_what_an_import_covers_is_closed(
    tmp_path: Path, covered_from: datetime, covered_to: datetime, left: tuple[datetime, datetime] | None
) -> None:
    cursors = Cursors(tmp_path)
    cursors.change(cursors.read("me"), lambda cursor: replace(cursor, gaps=(GAP,)))
    closed = cursors.close_gaps("me", covered_from, covered_to)
    assert closed == ([] if left else [GAP])
    assert [(gap.start, gap.end) for gap in cursors.gaps("me")] == ([left] if left else [])


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        pytest.param(at(9), at(13), [], id="all of it"),
        pytest.param(GAP.start, GAP.end, [], id="to the millisecond"),
        pytest.param(at(9), at(11), [(at(11), GAP.end)], id="its beginning"),
        pytest.param(at(11), at(13), [(GAP.start, at(11))], id="its end"),
        pytest.param(at(11), at(11, 30), [(GAP.start, at(11)), (at(11, 30), GAP.end)], id="the middle"),
        pytest.param(at(8), GAP.start, [(GAP.start, GAP.end)], id="before"),
        pytest.param(GAP.end, at(14), [(GAP.start, GAP.end)], id="after"),
    ],
)
def test_what_a_list_leaves_of_a_gap(first: datetime, last: datetime, left: list[tuple[datetime, datetime]]) -> None:
    assert [(gap.start, gap.end) for gap in GAP.around(first, last)] == left
    assert {gap.reported_at for gap in GAP.around(first, last)} <= {GAP.reported_at}


def test_a_gap_is_closed_by_a_later_list_that_holds_its_plays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cursors = Cursors(tmp_path / "state")
    destination = ArchiveDestination(Archive(str(tmp_path)), Calendar())
    listed = items(50)
    poll(listed[40:], "me", cursors, destination, at(1))
    told = poll([*listed[:25], *listed[:25]], "me", cursors, destination, at(2))  # each twice, and so half of them
    assert len(told.cursor.gaps) == 1
    assert poll(listed, "me", cursors, destination, at(3)).cursor.gaps == ()
    assert caplog.text.count("may be missing") == 1


def test_an_account_without_state_has_no_gaps(tmp_path: Path) -> None:
    assert Cursors(tmp_path).close_gaps("me", at(1), at(2)) == []
    assert not (tmp_path / "cursors").exists()
