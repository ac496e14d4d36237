"""Runs the stream's archive step alone on a scripted stream of plays."""

import time
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.runners import LOCAL_STREAM_RUNNER
from pipelines.storage.archive import Archive
from pipelines.streaming.archiving import ArchivePlays
from pipelines.streaming.batches import UserPlays

Step = Sequence[Play] | int | str


def run_archive_step(
    archive: Archive,
    *steps: Step,
    batch_plays: int = 10_000,
    batch_seconds: int = 3600,
) -> None:
    """Plays of a step come in one bundle; a number lets that many seconds pass; a text is where the watermark goes.

    Checks that each play comes out once, in a batch of its user and month, at a time of one of them. The end of the
    script drains.
    """
    # The batches' timers are set by the clock of this machine, so the script begins when it shows.
    stream = TestStream().advance_processing_time(int(time.time()))
    for step in steps:
        if isinstance(step, str):
            stream.advance_watermark_to(Timestamp.from_rfc3339(step))
        elif isinstance(step, int):
            stream.advance_processing_time(step)
        else:
            # Messages without a time of their own: the archive must not depend on it.
            stream.add_elements([TimestampedValue(p, MIN_TIMESTAMP) for p in step])
    expected = [p for step in steps if not isinstance(step, int | str) for p in step]
    _collected.clear()
    options = PipelineOptions([], runner=LOCAL_STREAM_RUNNER, streaming=True)
    with beam.Pipeline(options=options) as pipeline:
        received = pipeline | stream.advance_watermark_to_infinity() | beam.Map(_same).with_output_types(Play)
        archived = received | ArchivePlays(archive, Calendar(), batch_plays, batch_seconds)
        archived | beam.Map(_collect)
    assert sorted(_collected, key=repr) == sorted(expected, key=repr)


def _same(play: Play) -> Play:
    return play


def _collect(batch: UserPlays, timestamp: Any = beam.DoFn.TimestampParam) -> None:
    # The local runner works in this process; assert_that judges pane by pane what comes when draining.
    user_id, together = batch
    plays = together.plays
    assert {p.user_id for p in plays} == {user_id}
    assert timestamp.micros // 1000 == to_millis(plays[0].played_at)
    months = {Calendar().month_of(p.played_at) for p in plays}
    _collected.extend(plays)
    assert len(months) == 1


_collected: list[Play] = []
