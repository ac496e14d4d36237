"""A play is in its top ten within the refresh time, however many plays come after it."""

import time
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_stream import TestStream as ScriptedStream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from pipelines.domain.month import Calendar
from pipelines.runners import LOCAL_STREAM_RUNNER
from pipelines.storage.forgotten import Marks
from pipelines.streaming.batches import Plays, UserPlays
from pipelines.streaming.counting import CountPlays
from pipelines.streaming.local_source import FileFeed
from pipelines.streaming.windows import WindowIntoMonths
from tests.builders import play

REFRESH = 60
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
LATENESS = timedelta(days=35)
_now = [NOW]


def clock() -> datetime:
    """The worker's, which each play puts on."""
    return _now[-1]


def _tell_the_time(batch: UserPlays) -> UserPlays:
    _now.append(batch[1].plays[0].ingested_at)
    return batch


def test_plays_that_come_while_a_refresh_is_due_do_not_put_it_off() -> None:
    calendar = Calendar()
    stream = ScriptedStream().advance_processing_time(NOW.timestamp())
    # The runner fires timers by a time of its own, which is nearly a refresh behind: whenever one is due, a play comes
    # before the runner knows.
    for minute in range(6):
        came = NOW + timedelta(minutes=minute, seconds=REFRESH - 1)
        one = play(came - timedelta(hours=1), f"track {minute}", ingested_at=came)
        stream.add_elements([TimestampedValue(("me", Plays([one])), Timestamp.from_utc_datetime(one.played_at))])
        stream.advance_processing_time(REFRESH)
    stream.advance_processing_time(2 * REFRESH).advance_watermark_to_infinity()
    with beam.Pipeline(options=PipelineOptions([], runner=LOCAL_STREAM_RUNNER, streaming=True)) as pipeline:
        _, snapshots = (
            pipeline
            | stream
            | beam.Map(_tell_the_time).with_output_types(UserPlays)
            | WindowIntoMonths(calendar, LATENESS)
            | CountPlays(calendar, REFRESH, clock, Marks("nowhere"))
        )
        shown = snapshots | beam.Filter(_is_of_tracks) | beam.Map(_plays)
        assert_that(shown, equal_to([2, 3, 4, 5, 6, 6]))


def _is_of_tracks(row: dict[str, Any]) -> bool:
    return bool(row["kind"] == "track")


def _plays(row: dict[str, Any]) -> int:
    return int(row["plays_in_month"])


def test_what_is_due_is_told_before_a_file_that_came() -> None:
    feed = FileFeed(refresh_seconds=5)
    came: list[float] = []

    def put() -> None:
        came.append(time.time())
        feed.put("a path")

    timer = Timer(0.3, put)  # while the feed waits for something to tell
    timer.start()
    told = 0.0
    for event in feed.read_multiple(None):
        if event.HasField("element_event"):
            break
        told += event.processing_time_event.advance_duration / 1_000_000
    timer.join()
    assert told >= came[0] - 0.001
