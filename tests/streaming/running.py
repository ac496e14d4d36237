"""Runs the stream's whole graph on a scripted stream of messages, into a real archive and warehouse."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.utils.timestamp import Timestamp

from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.runners import LOCAL_STREAM_RUNNER
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from pipelines.streaming.graph import build
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import sink_of
from pipelines.warehouse.folder import FolderWarehouse

REFRESH = 60
NOW = parse("2026-11-21T09:00:00Z")


@dataclass
class Outcome:
    """What a run left: the archive's plays, the tables' rows, and the counters.

    The local runner's counters hold what the first bundle of a step counted and nothing more.
    """

    archived: list[Play]
    play_events: list[dict[str, Any]]
    snapshots: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    counters: dict[str, int]

    def counts(self, kind: str = "track", user: str = "me") -> dict[str, list[int]]:
        """Month to the plays_in_month of each snapshot written for it, ascending."""
        answer: dict[str, list[int]] = {}
        for row in self.snapshots:
            if row["kind"] == kind and row["user_id"] == user:
                answer.setdefault(f"{row['month']:%Y-%m}", []).append(row["plays_in_month"])
        return {month: sorted(counts) for month, counts in sorted(answer.items())}


class Script:
    """What comes from Pub/Sub, and how time passes, in order."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        # The runner compares processing time with the ends of windows: a clock that starts at 0, as the test
        # stream's does, would make every late pane look early to it, and the pipeline never end.
        self.stream = TestStream().advance_processing_time(now.timestamp())

    def plays(self, *some: Play) -> "Script":
        """Messages of plays, one bundle."""
        return self.messages(*(PubsubMessage(*p.to_message()) for p in some))

    def messages(self, *some: PubsubMessage) -> "Script":
        """Messages, one bundle."""
        self.stream.add_elements(list(some))
        return self

    def early_pane(self) -> "Script":
        """Let the refresh time pass."""
        self.stream.advance_processing_time(REFRESH + 1)
        return self

    def watermark(self, instant: str) -> "Script":
        """Event time reaches the instant."""
        self.stream.advance_watermark_to(Timestamp.from_utc_datetime(parse(instant)))
        return self


def run_stream(
    folder: Path,
    script: Script,
    *,
    archived: Sequence[Play] = (),
    time_zone: str = "Europe/Paris",
    lateness: timedelta = timedelta(days=35),
    archive_batch: int = 1,
) -> Outcome:
    """Run the graph to the end of the script. ``archived`` is there before, as from an earlier job."""
    calendar, archive = Calendar(time_zone), Archive(str(folder / "archive"))
    for p in archived:
        archive.write(calendar.month_of(p.played_at), [p])
    options = StreamOptions(
        subscription="projects/a-project/subscriptions/plays",
        archive=archive.root,
        warehouse=str(folder / "warehouse"),
        calendar=calendar,
        refresh_seconds=REFRESH,
        lateness=lateness,
        archive_batch_plays=archive_batch,
        archive_batch_seconds=1,
    )
    pipeline = beam.Pipeline(options=PipelineOptions([], runner=LOCAL_STREAM_RUNNER, streaming=True))
    # The runner ends only when no timer is left, and its late panes wait for one.
    messages = pipeline | script.early_pane().stream.advance_watermark_to_infinity()
    build(messages, options, sink_of(options.warehouse, time_zone, archive.marks), partial(_constant, script.now))
    result = pipeline.run()
    result.wait_until_finish()
    counters = {c.key.metric.name: c.committed for c in result.metrics().query()["counters"]}
    return outcome(folder, counters)


def outcome(folder: Path, counters: dict[str, int] | None = None) -> Outcome:
    """What is in the archive and the warehouse of a folder."""
    return Outcome(
        archived=list(_archived(Archive(str(folder / "archive")))),
        play_events=list(rows(folder, "play_events")),
        snapshots=list(rows(folder, "top_ten_snapshots")),
        rejected=list(rows(folder, "rejected")),
        counters=counters or {},
    )


def rows(folder: Path, table: str) -> Iterator[dict[str, Any]]:
    """All rows of a table, as they were written."""
    warehouse = FolderWarehouse.open(folder / "warehouse")
    for month in warehouse.months(table):
        for path in warehouse.files(table, month):
            yield from pq.read_table(path, partitioning=None).to_pylist()


def _archived(archive: Archive) -> Iterator[Play]:
    for path in archive.files():
        with suppress(StorageError):  # some tests break a file
            yield from archive.read(path)


def _constant(now: datetime) -> datetime:
    return now
