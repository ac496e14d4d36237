"""Over Beam's portable protocol, on Prism: the rebuild, with the local runner's answers, and the stream's graph."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.answers import check_same_tables
from benchmarks.clusters import prism_options
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.streaming.graph import build
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import sink_of
from tests import oracle, snapshots
from tests.builders import plays
from tests.engines.rebuilds import Rebuilds, Rebuilt, check_that_a_broken_file_is_told, said_of_plays
from tests.streaming.running import outcome

OPTIONS = prism_options() or []
pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("engines"),
    pytest.mark.skipif(not OPTIONS, reason="Beam's Prism is not installed: make prism, which needs go"),
]


def test_prism_gives_the_answers_of_the_local_runner(rebuilds: Rebuilds, local: Rebuilt) -> None:
    rebuilt = rebuilds.run("on prism", *OPTIONS)
    assert rebuilt.exit_code == 0, rebuilt.said
    check_same_tables(str(local.warehouse), str(rebuilt.warehouse), "Prism")
    assert said_of_plays(rebuilt.said) == said_of_plays(local.said)


def test_a_file_that_cannot_be_read_is_told_as_by_the_local_runner(tmp_path: Path, rebuilds: Rebuilds) -> None:
    check_that_a_broken_file_is_told(rebuilds, tmp_path, *OPTIONS)


def test_the_stream_s_graph_takes_messages_of_every_kind_there(tmp_path: Path) -> None:
    """Each twice, and some that are nothing, beside what an earlier job archived and wrote nowhere."""
    heard, sent, before = plays("abcab"), snapshots.some(), [snapshots.artist("before"), *snapshots.playlist("efg")]
    SnapshotArchive(str(tmp_path / "archive")).write(before)
    options = StreamOptions(
        subscription="projects/p/subscriptions/s",
        archive=str(tmp_path / "archive"),
        warehouse=str(tmp_path / "warehouse"),
        calendar=Calendar(),
        refresh_seconds=1,
        lateness=timedelta(days=35),
        archive_batch_plays=5,
        archive_batch_seconds=1,
    )
    sink = sink_of(options.warehouse, options.calendar.time_zone, Archive(options.archive).marks)
    messages = [*snapshots.messages(sent), *(PubsubMessage(*each.to_message()) for each in heard)] * 2
    broken = [PubsubMessage(b"{}", {"kind": kind}) for kind in ("", "play", "artist_snapshot")]
    with beam.Pipeline(options=PipelineOptions([*OPTIONS, "--allow_unsafe_triggers"])) as pipeline:
        came = pipeline | beam.Create([*messages, *broken]) | beam.Reshuffle()
        build(came, options, sink, partial(_constant, snapshots.NOVEMBER + timedelta(days=6)))
    for kind in snapshots.KINDS:
        assert snapshots.each_once(snapshots.in_table(tmp_path, kind), kind) == snapshots.expected(
            [*sent, *before], kind
        )
    made = outcome(tmp_path)
    assert len(made.rejected) == len(broken)
    assert sorted(row["track_id"] for row in made.play_events) == sorted(each.track_id for each in heard)
    assert oracle.of_rows(made.snapshots) == oracle.top_tens(heard)


def _constant(now: datetime) -> datetime:
    return now
