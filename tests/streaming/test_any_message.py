"""Whatever a message holds, it comes to an end: as a row of a play, or in ``rejected``. Nothing stops the stream."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.domain.instants import rfc3339
from pipelines.storage.archive import Archive
from pipelines.warehouse.json_rows import to_line
from tests.builders import play
from tests.streaming.running import Script, rows, run_stream

# The last moment of the years that can be, so that instants up to it are not rejected as of the future.
LAST = datetime(2099, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
FIRST = datetime(2006, 1, 1, tzinfo=UTC)
GOOD = json.loads(play().to_message()[0])

instants = (
    st.sampled_from([FIRST, LAST, FIRST - timedelta(milliseconds=1), LAST + timedelta(milliseconds=1)]).map(rfc3339)
    | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
    | st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)).map(rfc3339)
    | st.sampled_from(["0999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2100-01-01T00:30:00+01:00", "1-1-1"])
)
values: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.just("\x00")
)
artists = st.lists(st.fixed_dictionaries({"name": values, "id": values}), max_size=3)
changes = st.dictionaries(st.sampled_from(sorted(GOOD)), values, max_size=2)
messages = st.builds(
    lambda times, changed, by: json.dumps(GOOD | times | changed | by).encode(errors="surrogatepass"),
    st.fixed_dictionaries({"played_at": instants, "ingested_at": instants | st.just(rfc3339(LAST))}),
    st.just({}) | changes,
    st.just({}) | st.fixed_dictionaries({"artists": artists}),
) | st.binary(max_size=20)


def message(**fields: str) -> bytes:
    return json.dumps(GOOD | fields).encode()


# What once stopped the stream at every launch: a month of 2100 in Paris, and a year of three digits.
ONCE_FATAL = [
    message(played_at="2099-12-31T23:30:00Z", ingested_at="2099-12-31T23:40:00Z"),
    message(played_at="2006-01-01T00:30:00Z", ingested_at="2006-01-01T00:40:00Z"),
    message(ingested_at="0999-01-01T00:00:00Z"),
]


@example(ONCE_FATAL, "Europe/Paris", timedelta(days=36_500))
@example(ONCE_FATAL, "Etc/GMT+12", timedelta(days=36_500))
@pytest.mark.long
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(messages, min_size=20, max_size=60),
    st.sampled_from(["Europe/Paris", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns"]),
    st.sampled_from([timedelta(days=35), timedelta(days=36_500)]),
)
def test_every_message_ends_as_a_row(some: list[bytes], time_zone: str, lateness: timedelta) -> None:
    with TemporaryDirectory() as folder:
        script = Script(LAST).messages(*(PubsubMessage(data, {}) for data in some))
        outcome = run_stream(Path(folder), script, time_zone=time_zone, lateness=lateness)
        assert len(outcome.archived) + len(outcome.rejected) == len(some)
        distinct = {(p.user_id, p.played_at) for p in outcome.archived}
        assert {(row["user_id"], row["played_at"]) for row in outcome.play_events} == distinct
        if lateness > timedelta(days=35):
            counted = {(row["user_id"], row["month"]): row["plays_in_month"] for row in outcome.snapshots}
            assert sum(counted.values()) == len(distinct)
        # What lists the archive by month finds all of it, and BigQuery's JSON holds every row.
        archive = Archive(f"{folder}/archive")
        found = [p for month in archive.months() for path in archive.files([month]) for p in archive.read(path)]
        assert len(found) == len(outcome.archived)
        for table in ("play_events", "top_ten_snapshots", "rejected"):
            for row in rows(Path(folder), table):
                assert json.loads(to_line(row))
