"""Snapshots through the stream: beside the plays, by their kind, into the archive and then into their tables."""

import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.domain.snapshots import Snapshot
from pipelines.storage.snapshots import SnapshotArchive
from tests import oracle
from tests.builders import plays
from tests.rebuilding.rebuilds import run as rebuild
from tests.snapshots import (
    KINDS,
    NOVEMBER,
    artist,
    each_once,
    expected,
    in_table,
    messages,
    playlist,
    shuffled,
    some,
    track,
)
from tests.streaming.running import Script, run_stream

A, B, C = plays("abc")


def archived(folder: Path) -> list[Snapshot]:
    archive = SnapshotArchive(str(folder / "archive"))
    return [snapshot for kind in KINDS for path in archive.files(kind) for snapshot in archive.read(kind, path)]


def test_each_goes_to_its_own_table_and_the_plays_are_as_without(tmp_path: Path) -> None:
    script = Script().plays(A, B).messages(*messages(some())).plays(C)
    outcome = run_stream(tmp_path, script)
    for kind in KINDS:
        assert in_table(tmp_path, kind) == expected(some(), kind)
    assert sorted(archived(tmp_path), key=repr) == sorted(some(), key=repr)
    assert sorted(row["track_id"] for row in outcome.play_events) == ["a", "b", "c"]
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([A, B, C])
    assert outcome.rejected == []


def test_a_redelivery_in_another_order_adds_no_snapshot(tmp_path: Path) -> None:
    script = Script().messages(*messages(some())).messages(*messages(shuffled([*some(), *some()], 5)))
    run_stream(tmp_path, script)
    for kind in KINDS:
        assert each_once(in_table(tmp_path, kind), kind) == expected(some(), kind)
    assert len(archived(tmp_path)) == 3 * len(some())
    assert rebuild(tmp_path) == 0
    for kind in KINDS:
        assert in_table(tmp_path, kind) == expected(some(), kind)


REJECTED = [
    ("playlist", {}, "kind is none of playlist_snapshot, artist_snapshot, track_snapshot"),
    ("", {}, "kind is none of playlist_snapshot, artist_snapshot, track_snapshot"),
    ("artist_snapshot", {"artist_id": ""}, "artist_id is missing"),
    ("artist_snapshot", {"taken_at": "2026-11-23T00:00:00Z"}, "taken_at is more than a day after it was read"),
    ("track_snapshot", {}, "track_id is missing"),
    ("play", {}, "kind is none of playlist_snapshot, artist_snapshot, track_snapshot"),
]


def test_what_cannot_be_read_is_rejected_with_its_reason(tmp_path: Path) -> None:
    data, attributes = artist().to_message()
    sent = [
        PubsubMessage(json.dumps(json.loads(data) | change).encode(), attributes | {"kind": kind}, message_id=str(n))
        for n, (kind, change, _) in enumerate(REJECTED)
    ]
    outcome = run_stream(tmp_path, Script().messages(*sent).plays(A))
    found = {row["message_id"]: row for row in outcome.rejected}
    for message, (kind, _, reason) in zip(sent, REJECTED, strict=True):
        row = found.pop(message.message_id)
        assert (row["reason"], row["payload"]) == (reason, message.data)
        assert json.loads(row["attributes"])["kind"] == kind
    assert found == {}
    assert archived(tmp_path) == []
    assert [row["track_id"] for row in outcome.play_events] == ["a"]


def test_a_play_with_a_kind_is_no_play(tmp_path: Path) -> None:
    data, attributes = A.to_message()
    outcome = run_stream(tmp_path, Script().messages(PubsubMessage(data, attributes | {"kind": "play"})))
    assert outcome.play_events == outcome.archived == []
    assert len(outcome.rejected) == 1


def test_a_launch_writes_what_the_archive_has_of_the_days_that_pubsub_keeps(tmp_path: Path) -> None:
    archive = SnapshotArchive(str(tmp_path / "archive"))
    archive.write([*playlist("ab"), track(), artist("old", NOVEMBER - timedelta(days=8))])
    broken = Path(archive.write([artist("broken")])[0])
    broken.write_bytes(broken.read_bytes()[:-20])
    run_stream(tmp_path, Script().messages(*messages([artist("new")])))
    assert len(in_table(tmp_path, "playlist_snapshot")) == 2
    assert len(in_table(tmp_path, "track_snapshot")) == 1
    assert [row["artist_id"] for row in in_table(tmp_path, "artist_snapshot")] == ["new"]


def test_a_file_is_written_for_a_kind_and_month_of_a_batch(tmp_path: Path) -> None:
    run_stream(tmp_path, Script().messages(*messages(playlist("abcdef"))), archive_batch=10_000)
    assert len(SnapshotArchive(str(tmp_path / "archive")).files("playlist_snapshot")) == 1


snapshots = st.lists(
    st.one_of(
        st.builds(
            lambda days, tracks: playlist(tracks, NOVEMBER - timedelta(days=days)),
            st.integers(0, 40),
            st.text("abc", min_size=1, max_size=3),
        ),
        st.builds(
            lambda name, days: [artist(name, NOVEMBER - timedelta(days=days))], st.text("xy"), st.integers(0, 40)
        ),
        st.builds(lambda name, days: [track(name, NOVEMBER - timedelta(days=days))], st.text("xy"), st.integers(0, 40)),
    ),
    max_size=8,
)


@pytest.mark.long
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots, st.integers(0, 9), st.booleans())
def test_stream_rebuild_and_plain_python_agree(groups: list[list[Snapshot]], seed: int, again: bool) -> None:
    # An id that is empty is none, and rejected.
    all_of_them = [each for group in groups for each in group if each.identity[0]]
    sent = shuffled(all_of_them * (2 if again else 1), seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        script = Script().plays(A)
        for start in range(0, len(sent), 5):
            script.messages(*messages(sent[start : start + 5]))
        run_stream(folder, script)
        for kind in KINDS:
            assert each_once(in_table(folder, kind), kind) == expected(all_of_them, kind)
        assert rebuild(folder) == 0
        for kind in KINDS:
            assert in_table(folder, kind) == expected(all_of_them, kind)
