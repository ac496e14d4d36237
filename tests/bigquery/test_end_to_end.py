"""Pub/Sub to archive and tables as on Google Cloud, over real HTTP: each command a process of its own."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest

from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.forget import main as forget_main
from pipelines.query import main as query_main
from pipelines.rebuild import main as rebuild_main
from pipelines.rebuilding.reading import read_bytes
from pipelines.storage.archive import Archive
from pipelines.storage.rejects import Rejects
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.stream import main as stream_main
from pipelines.tables import TABLES, VIEWS, table_schema
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.json_rows import to_json
from tests import oracle, snapshots
from tests.builders import play, plays
from tests.standins.cloud import ROOT, Cloud
from tests.standins.pubsub import Topic, a_topic

pytestmark = pytest.mark.long

_PATIENCE = 60
THIS_MONTH = datetime.now(UTC).strftime("%Y-%m")
LONG_AGO = "2019-05-03T08:00:00Z"


@pytest.fixture
def best_topic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    """A topic of Google's emulator where it is installed, otherwise of our local Pub/Sub."""
    kind = "emulator" if shutil.which("gcloud") else "local"
    with a_topic(request.getfixturevalue(f"{kind}_pubsub_host"), monkeypatch) as made:
        yield made


def places(cloud: Cloud) -> list[str]:
    return [f"--archive={cloud.bucket}/archive", f"--warehouse={cloud.address}"]


@contextmanager
def streaming(topic: Topic, cloud: Cloud, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.stream", f"--subscription={topic.subscription}", *places(cloud)),
            *("--refresh_seconds=1", "--archive_batch_seconds=1", *more),
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_it_reads(stream: subprocess.Popen[str]) -> None:
    assert stream.stderr is not None
    while "Ctrl-C" not in stream.stderr.readline():
        pass


def stop(stream: subprocess.Popen[str]) -> str:
    stream.send_signal(signal.SIGTERM)
    said = stream.communicate(timeout=_PATIENCE)[1]
    assert stream.returncode == 0, said
    return said


Rebuild = Callable[..., tuple[int, str]]


@pytest.fixture
def rebuild(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Rebuild:
    """The command: its exit code and what it says."""

    def run(*more: str) -> tuple[int, str]:
        capsys.readouterr()
        return rebuild_main([*places(cloud), *more]), capsys.readouterr().err

    return run


def wait_for(cloud: Cloud, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, {t: len(cloud.rows(t)) for t in TABLES} | {"counted": counted(cloud)}
        time.sleep(0.3)


def counted(cloud: Cloud) -> Any:
    """The top tens of the fullest snapshots, as the oracle has them."""
    return oracle.of_rows([_with_items(row) for row in cloud.rows("fullest_snapshots")])


def _with_items(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"items": [dict(item) for item in row["items"]]}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["track_id"] for row in rows)


def archived(cloud: Cloud, *some: Play) -> None:
    archive = Archive(f"{cloud.bucket}/archive")
    for month in {Calendar().month_of(p.played_at) for p in some}:
        archive.write(month, [p for p in some if Calendar().month_of(p.played_at) == month])


def test_from_pubsub_into_bigquery_and_again_by_a_rebuild(best_topic: Topic, cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    some = plays("abcabcabdd", start=f"{THIS_MONTH}-01T00:00:00Z")
    late = play(LONG_AGO, "late", album_name=None, explicit=True, ms_played=31_000)
    with streaming(best_topic, cloud) as stream:
        best_topic.publish_raw((b"\x00 not a play", {"played_at": "never"}))
        best_topic.publish(*some, late)
        wait_for(cloud, lambda: len(cloud.rows("play_events")) == 11 and counted(cloud) == oracle.top_tens(some))
        best_topic.publish(*some[:3])  # again: archived, and that is all
        wait_for(cloud, lambda: sum(1 for _ in archive_of(cloud)) == 14)
        stop(stream)
    assert len(cloud.rows("play_events")) == 11
    assert len(cloud.rows("plays")) == 11
    assert counted(cloud) == oracle.top_tens(some)
    (rejected,) = cloud.rows("rejected")
    assert (rejected["payload"], rejected["origin"]) == (b"\x00 not a play", "pubsub")
    assert json.loads(rejected["attributes"]) == {"played_at": "never"}
    of_snapshots = {"artist_genres", "artist_history", "playlist_history", "monthly_top_genres"}
    assert {view: len(cloud.rows(view)) > 0 for view in VIEWS} == {view: view not in of_snapshots for view in VIEWS}
    streamed = {row["played_at"]: row for row in cloud.rows("play_events")}
    assert streamed[late.played_at] == late.to_row(Calendar())
    assert streamed[some[0].played_at] == some[0].to_row(Calendar())

    code, said = rebuild()
    assert code == 0, said
    assert "Rebuilt 2 months, 2019-05" in said
    assert ": 11 plays, each once, from 14 in the archive" in said
    assert {row["played_at"]: row for row in cloud.rows("play_events")} == streamed
    assert len(cloud.rows("play_events")) == 11
    assert len(cloud.rows("top_ten_snapshots")) == 6
    assert counted(cloud) == oracle.top_tens([*some, late])
    assert len(cloud.rows("rejected")) == 1


def test_a_stream_that_is_launched_again_adds_no_row_that_the_table_has(topic: Topic, cloud: Cloud) -> None:
    cloud.make_tables()
    some = plays("abcabcabdd", start=f"{THIS_MONTH}-01T00:00:00Z")
    with streaming(topic, cloud) as stream:
        topic.publish(*some)
        wait_for(cloud, lambda: counted(cloud) == oracle.top_tens(some))
        stop(stream)
    first = cloud.rows("play_events")
    # One that the archive has and the table lacks, as after a crash in between.
    lacking = play(f"{THIS_MONTH}-01T05:00:00Z", "lacking")
    archived(cloud, lacking)
    with streaming(topic, cloud) as stream:
        wait_until_it_reads(stream)
        wait_for(cloud, lambda: counted(cloud) == oracle.top_tens([*some, lacking]))
        stop(stream)
    assert len(first) == 10
    assert ids(cloud.rows("play_events")) == sorted([*ids(first), "lacking"])


def archive_of(cloud: Cloud) -> Iterator[Play]:
    archive = Archive(f"{cloud.bucket}/archive")
    return (p for path in archive.files() for p in archive.read(path))


def test_rows_that_bigquery_refuses_are_rejected_with_its_reason(topic: Topic, cloud: Cloud) -> None:
    cloud.make_tables()
    some = plays("ab", start=f"{THIS_MONTH}-01T00:00:00Z")
    with streaming(topic, cloud) as stream:
        wait_until_it_reads(stream)
        # After the check at launch, someone changes the table.
        cloud.client.delete_table(cloud.name("play_events"))
        needed = {"name": "needed", "type": "STRING", "mode": "REQUIRED"}
        cloud.make_table("play_events", schema={"fields": [*table_schema("play_events"), needed]})
        topic.publish(*some)
        wait_for(cloud, lambda: len(cloud.rows("rejected")) == 2)
        stop(stream)
    assert cloud.rows("play_events") == []
    assert counted(cloud) == oracle.top_tens(some)
    for row, p in zip(sorted(cloud.rows("rejected"), key=lambda row: row["payload"]), some, strict=True):
        assert (row["origin"], row["message_id"], row["attributes"]) == ("bigquery", None, None)
        assert row["reason"] == "play_events: invalid: Missing required field: needed. (in needed)"
        payload = json.loads(row["payload"])
        assert (payload["user_id"], payload["track_id"]) == ("me", p.track_id)
        assert payload["month"] == f"{THIS_MONTH}-01"


def test_a_table_that_is_gone_ends_the_stream_and_loses_nothing(
    topic: Topic, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.make_tables()
    some = plays("abb", start=f"{THIS_MONTH}-01T00:00:00Z")
    with streaming(topic, cloud) as stream:
        wait_until_it_reads(stream)
        for table in ("play_events", "rejected"):
            cloud.client.delete_table(cloud.name(table))
        topic.publish_raw((b"not a play", {}))
        topic.publish(*some)
        assert stream.wait(_PATIENCE) == 1
        said = stream.stderr.read()
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: ")
    assert stream_main([f"--subscription={topic.subscription}", *places(cloud)]) == 1
    assert "  play_events: there is no such table\n  rejected: there is no such table" in capsys.readouterr().err
    for table in ("play_events", "rejected"):
        cloud.make_table(table)
    with streaming(topic, cloud) as stream:
        # The message was not acknowledged before its row was there.
        wait_for(cloud, lambda: len(cloud.rows("rejected")) == 1 and len(cloud.rows("plays")) == 3)
        stop(stream)
    assert counted(cloud) == oracle.top_tens(some)


def streamed(topic: Topic, cloud: Cloud, plays: int) -> None:
    """Run the stream until so many plays are in ``plays``, and drain it."""
    with streaming(topic, cloud) as stream:
        wait_for(cloud, lambda: len(cloud.rows("plays")) == plays)
        stop(stream)


def test_late_months_are_rebuilt_and_no_others(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"), *plays("cd", start="2019-07-05T00:00:00Z"))
    archived(cloud, play(f"{THIS_MONTH}-01T00:00:00Z", "open"))
    code, said = rebuild("--months=late")
    assert (code, "Rebuilt 2 months, 2019-01 to 2019-07: 4 plays" in said) == (0, True), said
    assert ids(cloud.rows("play_events")) == [*"abcd"]
    code, said = rebuild("--months=late")
    nothing = "No month is late: those that take no more plays were rebuilt from all the files they have"
    assert (code, said.splitlines()[-1]) == (0, nothing)
    archived(cloud, play("2019-07-06T00:00:00Z", "e"))
    code, said = rebuild("--months=late")
    assert (code, "Rebuilt 1 months, 2019-07 to 2019-07: 3 plays" in said) == (0, True), said
    assert ids(cloud.rows("play_events")) == [*"abcde"]
    assert len(cloud.rows("top_ten_snapshots")) == 6


def test_changed_months_are_rebuilt_and_no_others(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    july = plays("cd", start="2019-07-05T00:00:00Z")
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"), *july)
    assert "Rebuilt 2 months" in rebuild("--months=changed")[1]
    nothing = (0, "No month has changed since its tables were made\n")
    assert rebuild("--months=changed") == nothing
    archived(cloud, play("2019-01-06T00:00:00Z", "e"))
    assert "Rebuilt 1 months, 2019-01 to 2019-01: 3 plays" in rebuild("--months=changed")[1]
    # A stream's rows take nothing away; a month that is gone, or was replaced by one that had read less, does.
    warehouse = BigQueryWarehouse(cloud.address)
    warehouse.insert("play_events", [to_json(july[0].to_row(Calendar()))])
    assert rebuild("--months=changed") == nothing
    warehouse.remove_month("top_ten_snapshots", date(2019, 7, 1))
    assert "Rebuilt 1 months, 2019-07 to 2019-07: 2 plays" in rebuild("--months=changed")[1]
    cloud.client.query_and_wait(f"DELETE FROM `{cloud.name('play_events')}` WHERE track_id = 'e'")  # noqa: S608
    assert "Rebuilt 1 months, 2019-01 to 2019-01: 3 plays" in rebuild("--months=changed")[1]
    assert rebuild("--months=changed") == nothing
    assert ids(cloud.rows("play_events")) == [*"abcde"]
    assert len(cloud.rows("top_ten_snapshots")) == 6


def table_of(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    lists = {"artists", "genres", "top_tracks"}
    return [
        {name: [dict(item) for item in value] if name in lists else value for name, value in row.items()}
        for row in cloud.rows(f"{kind}s")
    ]


def test_snapshots_from_pubsub_into_bigquery_and_again_by_a_rebuild(
    topic: Topic, cloud: Cloud, rebuild: Rebuild
) -> None:
    cloud.make_tables()
    some = snapshots.some()
    with streaming(topic, cloud) as stream:
        topic.publish_raw(*(snapshot.to_message() for snapshot in some))
        topic.publish(*plays("ab", start=f"{THIS_MONTH}-01T00:00:00Z"))
        wait_for(cloud, lambda: sum(len(table_of(cloud, kind)) for kind in snapshots.KINDS) == len(some))
        stop(stream)
    for _ in range(2):
        for kind in snapshots.KINDS:
            assert snapshots.each_once(table_of(cloud, kind), kind) == snapshots.expected(some, kind)
            assert len(table_of(cloud, kind)) == len(snapshots.expected(some, kind))
        assert rebuild()[0] == 0
    assert rebuild("--months=changed") == (0, "No month has changed since its tables were made\n")
    # Of the month before there are snapshots alone, and none of them after this.
    archive = SnapshotArchive(f"{cloud.bucket}/archive")
    for kind in snapshots.KINDS:
        for path in archive.files(kind, [date(2026, 10, 1)]):
            Archive(archive.root).remove(path)
    assert rebuild("--months=changed") == (0, "Removed 2026-10: the archive has nothing of them any more\n")
    left = [snapshot for snapshot in some if snapshot.month == date(2026, 11, 1)]
    for kind in snapshots.KINDS:
        assert snapshots.each_once(table_of(cloud, kind), kind) == snapshots.expected(left, kind)


def test_snapshots_that_come_during_a_rebuild_stay(
    topic: Topic, cloud: Cloud, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.make_tables()
    archive = SnapshotArchive(f"{cloud.bucket}/archive")
    archived(cloud, play("2026-11-05T08:00:00Z"))
    archive.write([snapshots.artist("before")])

    def come() -> None:
        archive.write([snapshots.artist("new")])
        BigQueryWarehouse(cloud.address).insert("artist_snapshots", [to_json(snapshots.artist("new").to_row())])

    with during_a_rebuild(monkeypatch, come):
        assert rebuild()[0] == 0
    assert {row["artist_id"] for row in cloud.rows("artist_snapshots")} == {"before", "new"}


def test_what_could_not_be_read_when_polling_comes_into_rejected_once(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    rejects = Rejects(f"{cloud.bucket}/archive")
    seen_at = datetime(2026, 11, 21, 9, tzinfo=UTC)
    rejects.keep("me", {"played_at": "yesterday"}, "it has no track", seen_at)
    assert "1 items that could not be read when polling went to the table rejected" in rebuild("--months=changed")[1]
    rejects.keep("you", {"played_at": "yesterday"}, "it has no track", seen_at)
    for _ in range(2):
        assert rebuild("--months=changed")[0] == 0
    rows = sorted(cloud.rows("rejected"), key=lambda row: row["attributes"])
    assert [json.loads(row["attributes"])["user_id"] for row in rows] == ["me", "you"]
    assert {(row["origin"], row["payload"], row["reason"], row["rejected_at"]) for row in rows} == {
        ("spotify", b'{"played_at":"yesterday"}', "it has no track", seen_at)
    }


def test_two_rebuilds_at_once_leave_each_play_once(cloud: Cloud) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"), *plays("cd", start="2019-07-05T00:00:00Z"))
    command = [sys.executable, "-m", "pipelines.rebuild", *places(cloud)]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [one.wait(_PATIENCE) for one in both] == [0, 0]
    assert ids(cloud.rows("play_events")) == [*"abcd"]
    assert len(cloud.rows("top_ten_snapshots")) == 6


def test_a_rebuild_takes_away_months_that_the_archive_no_longer_has(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"), *plays("cd", start="2019-07-05T00:00:00Z"))
    assert rebuild()[0] == 0
    archive = Archive(f"{cloud.bucket}/archive")
    for path in archive.files():
        if "2019-01" in path:
            archive.remove(path)
    code, said = rebuild(f"--temp_location={cloud.bucket}/temp")  # by way of the bucket this time
    assert code == 0, said
    assert ids(cloud.rows("play_events")) == [*"cd"]
    assert {str(row["month"]) for row in cloud.rows("top_ten_snapshots")} == {"2019-07-01"}
    assert not list(Archive(cloud.bucket)._storage.files(f"{cloud.bucket}/temp", ""))


@contextmanager
def during_a_rebuild(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """When the archive has been listed, and nothing read."""
    calls = count()

    def after(*arguments: Any) -> bytes:
        if not next(calls):
            happens()
        return read_bytes(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.rebuilding.reading.read_bytes", after)
        yield


def test_what_a_run_writes_during_a_rebuild_is_counted(
    topic: Topic, cloud: Cloud, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.make_tables()
    some = plays("abcab", start=f"{THIS_MONTH}-01T00:00:00Z")
    others = plays("xy", start=f"{THIS_MONTH}-01T00:00:00Z", user_id="another")
    topic.publish(*some[:3], *others)
    streamed(topic, cloud, 5)

    first_of_its_month = play(LONG_AGO, "first")

    def run() -> None:
        topic.publish(*some[3:], first_of_its_month)
        streamed(topic, cloud, 8)

    with during_a_rebuild(monkeypatch, run):
        code, said = rebuild()
    assert code == 0, said
    assert counted(cloud) == oracle.top_tens([*some, *others])  # a month that began meanwhile is the next one's
    assert len(cloud.rows("play_events")) == len(cloud.rows("plays")) == 8
    assert "Rebuilt 2 months" in rebuild("--months=changed")[1]
    assert counted(cloud) == oracle.top_tens([*some, *others, first_of_its_month])
    assert len(cloud.rows("play_events")) == 8


def test_a_rebuild_does_not_bring_back_who_was_forgotten_meanwhile(
    cloud: Cloud, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    archived(cloud, *plays("xy", start="2019-01-05T00:00:00Z", user_id="another"))
    assert rebuild()[0] == 0
    happened: list[int] = []
    with during_a_rebuild(monkeypatch, lambda: happened.append(forget_main(["--user=me", *places(cloud)]))):
        code, said = rebuild()
    assert (code, happened) == (0, [0])
    assert "files were removed from" in said
    assert ids(cloud.rows("plays")) == [*"xy"]


def test_a_rebuild_does_not_bring_back_who_came_and_was_forgotten_meanwhile(
    cloud: Cloud, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.make_tables()
    archived(cloud, *plays("xy", start="2019-01-05T00:00:00Z", user_id="another"))
    load = BigQueryWarehouse.load

    def forgotten_before_it_is_added(self: BigQueryWarehouse, table: str, paths: Any, month: Any = None) -> None:
        if table == "play_events" and month is None:
            assert forget_main(["--user=me", *places(cloud)]) == 0
        load(self, table, paths, month)

    with monkeypatch.context() as patched:
        patched.setattr(BigQueryWarehouse, "load", forgotten_before_it_is_added)
        with during_a_rebuild(monkeypatch, lambda: archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))):
            code, said = rebuild()
    assert code == 0
    assert "1 files were removed from" in said
    assert ids(cloud.rows("plays")) == [*"xy"]


def test_a_rebuild_in_another_time_zone_is_refused(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    code, said = rebuild("--time_zone=America/New_York")
    assert code == 1
    assert "are counted in another time zone, europe-paris, not in America/New_York; name it with --time-zone" in said
    assert cloud.rows("play_events") == []


def test_a_rebuild_that_cannot_read_a_file_replaces_nothing(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    assert rebuild()[0] == 0
    archived(cloud, play("2019-01-06T00:00:00Z", "c"))
    broken = f"{cloud.bucket}/archive/plays/month=2019-01/plays-broken.avro"
    Archive(cloud.bucket)._storage.write_new(broken, b"not Avro")
    code, said = rebuild()
    assert code == 1
    assert f"error: {broken} cannot be read" in said
    assert said.endswith("2019-01 stays as before; nothing was replaced\n")
    assert ids(cloud.rows("play_events")) == [*"ab"]
    archived(cloud, play("2019-06-06T00:00:00Z", "d"))
    code, said = rebuild("--months=changed")
    assert (code, "Rebuilt 1 months, 2019-06 to 2019-06: 1 plays" in said) == (1, True)
    assert said.endswith("2019-01 stays as before; 1 other months were replaced\n")
    assert ids(cloud.rows("play_events")) == [*"abd"]


def test_a_rebuild_of_months_that_are_not_there(cloud: Cloud, rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    code, said = rebuild("--months=2019-02")
    assert (code, said.splitlines()[-1]) == (
        1,
        "error: the archive has no plays of 2019-02; nothing was replaced. Its files are of 2019-01",
    )


def test_queries_in_every_format(cloud: Cloud, capsys: pytest.CaptureFixture[str], rebuild: Rebuild) -> None:
    cloud.make_tables()
    archived(cloud, *plays("ab", start="2019-01-05T00:00:00Z"))
    assert rebuild()[0] == 0
    sql = "SELECT track_name, played_at, played_at_local, played_on FROM plays ORDER BY played_at"

    def ask(*more: str) -> tuple[int, str, str]:
        return query_main([f"--warehouse={cloud.address}", *more]), *capsys.readouterr()

    rows = [
        {
            "track_name": f"Track {track}",
            "played_at": f"2019-01-05T00:0{n}:00Z",
            "played_at_local": f"2019-01-05T01:0{n}:00",
            "played_on": "2019-01-05",
        }
        for n, track in enumerate("ab")
    ]
    code, out, err = ask("--format=json", sql)
    assert (code, json.loads(out)) == (0, rows), err
    lines = [",".join(row.values()) for row in rows]
    assert ask("--format=csv", sql)[1].splitlines() == [",".join(rows[0]), *lines]
    assert "Track b" in ask(sql)[1]
    code, out, err = ask("SELECT nothing FROM plays")
    assert (code, out) == (1, "")
    assert "nothing" in err, err
