# ruff: noqa: S608 - what people type is text
"""A query over the web of tables in BigQuery: over its API, judged before it runs, and within its own limits."""

import pytest

from pipelines.failure import Failure
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.json_rows import to_json
from tests.standins.cloud import Cloud
from tests.warehouse.listening import HEARD, rows
from web.running.apart import Limits, Runner

pytestmark = pytest.mark.long


@pytest.fixture
def runner(cloud: Cloud) -> Runner:
    cloud.make_tables()
    warehouse = BigQueryWarehouse(cloud.address)
    plays = [to_json(row) for row in rows()["play_events"]]
    assert not warehouse.insert("play_events", plays)
    return Runner(cloud.address, Limits(seconds=20))


def test_rows_and_how_many_there_were(runner: Runner, cloud: Cloud) -> None:
    answer = runner.run(f"SELECT track_id, played_at FROM {cloud.dataset}.plays ORDER BY played_at", rows=2)
    assert answer.table["track_id"].to_pylist() == ["track-1", "track-1"]
    assert (answer.rows, answer.is_cut) == (len(HEARD), True)


def test_what_is_no_select_is_judged_before_it_runs(runner: Runner, cloud: Cloud) -> None:
    for sql in (f"DELETE FROM {cloud.dataset}.play_events WHERE TRUE", f"CREATE TABLE {cloud.dataset}.other (a INT64)"):
        with pytest.raises(Failure):
            runner.run(sql)
    assert runner.run(f"SELECT COUNT(*) AS plays FROM {cloud.dataset}.play_events").table["plays"].to_pylist() == [9]


def test_what_is_wrong_is_told_in_its_words(runner: Runner, cloud: Cloud) -> None:
    with pytest.raises(Failure, match="nothing"):
        runner.run(f"SELECT nothing FROM {cloud.dataset}.plays")
