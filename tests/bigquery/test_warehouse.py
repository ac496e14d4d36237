"""What has to be there in BigQuery, and what is said where it is not."""

import json
import re
from datetime import date

import pytest
from apache_beam.coders.row_coder import RowCoder
from apache_beam.io.gcp.bigquery_tools import (
    beam_row_from_dict,
    get_beam_typehints_from_tableschema,
    get_dict_table_schema,
)
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.typehints.schemas import typing_to_runner_api

from pipelines.clock import utc_now
from pipelines.domain.month import Calendar
from pipelines.streaming.bigquery_sink import _HOW, _for_beam, _refused, _sent_as_text
from pipelines.streaming.settings import WRITE_METHODS
from pipelines.tables import SNAPSHOTS, TABLES, table_layout, table_schema
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.folder import WarehouseError
from tests.builders import play
from tests.ports import free_port
from tests.standins.cloud import PROJECT, Cloud


def test_tables_as_they_have_to_be(cloud: Cloud) -> None:
    cloud.make_tables()
    BigQueryWarehouse(cloud.address).check("Europe/Paris")


def told(cloud: Cloud, time_zone: str = "Europe/Paris") -> str:
    with pytest.raises(WarehouseError) as refused:
        BigQueryWarehouse(cloud.address).check(time_zone)
    return str(refused.value)


def test_a_missing_dataset_is_told(cloud: Cloud) -> None:
    assert told(cloud) == (
        f"there is no dataset {PROJECT}.{cloud.dataset} in BigQuery; "
        "`terraform apply` in infra makes it, with its tables"
    )


def test_another_time_zone_is_told(cloud: Cloud) -> None:
    cloud.make_dataset("America/New_York")
    assert told(cloud) == (
        f"the months in {PROJECT}.{cloud.dataset} are counted in another time zone, america-new_york, not in "
        "Europe/Paris; name it with --time-zone"
    )


def test_a_time_zone_that_is_not_known_is_told(cloud: Cloud) -> None:
    cloud.client.create_dataset(cloud.dataset)
    assert told(cloud) == (
        f"{PROJECT}.{cloud.dataset} does not say in which time zone its months are, by its label time_zone; "
        "`terraform apply` in infra labels it"
    )


def test_every_difference_is_told_by_table(cloud: Cloud) -> None:
    cloud.make_dataset()
    fields = [dict(field) for field in table_schema("play_events") if field["name"] != "isrc"]
    changed = {"explicit": {"type": "STRING"}, "user_id": {"mode": "NULLABLE"}}
    fields = [field | changed.get(field["name"], {}) for field in fields]
    artists = next(field for field in fields if field["name"] == "artists")
    artists["fields"] = artists["fields"][:1]
    more = [{"name": "new", "type": "STRING"}, {"name": "needed", "type": "STRING", "mode": "REQUIRED"}]
    cloud.make_table(
        "play_events",
        schema={"fields": fields + more},
        timePartitioning={"type": "DAY", "field": "played_on"},
        clustering={"fields": ["track_id", "user_id"]},
    )
    cloud.make_table("rejected", timePartitioning=None)
    assert told(cloud).splitlines() == [
        f"the tables in {PROJECT}.{cloud.dataset} are not as this version needs them; "
        "`terraform apply` in infra makes them so:",
        "  play_events: column user_id is NULLABLE, not REQUIRED; column isrc is missing; "
        "column explicit is STRING, not BOOLEAN; column artists.name is missing; "
        "column needed is REQUIRED, and this version does not know it; "
        "it is partitioned by DAY of played_on, not by MONTH of month; "
        "it is clustered by track_id, user_id, not by user_id",
        "  top_ten_snapshots: there is no such table",
        "  rejected: it is partitioned by nothing, not by DAY of rejected_at",
        *(f"  {table}: there is no such table" for table in SNAPSHOTS),
    ]


def test_columns_that_may_be_null_can_be_more(cloud: Cloud) -> None:
    cloud.make_dataset()
    for table in TABLES:
        cloud.make_table(table, schema={"fields": table_schema(table) + [{"name": "mood", "type": "STRING"}]})
    BigQueryWarehouse(cloud.address).check("Europe/Paris")


def test_no_network_is_told_in_one_line(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("pipelines.warehouse.bigquery._ANSWERS_WITHIN_SECONDS", 1)
    assert re.fullmatch(rf"BigQuery cannot be reached for {PROJECT}\.\w+; is there a network\? \(.+\)", told(cloud))


def test_no_credentials_are_told_in_one_line(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    assert told(cloud) == (
        f"there are no credentials for {PROJECT}.{cloud.dataset} in BigQuery; "
        "run: gcloud auth application-default login"
    )


def test_credentials_that_do_not_work_are_told_in_one_line(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    broken = f"{tmp_path}/credentials.json"
    with open(broken, "w") as file:  # noqa: PTH123
        file.write('{"type": "authorized_user"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", broken)
    assert "\n" not in told(cloud)


@pytest.mark.parametrize("address", ["bigquery://", "bigquery://project", "bigquery://a/b", "gs://bucket/folder"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(WarehouseError, match=r"is neither a folder nor bigquery://project\.dataset$"):
        BigQueryWarehouse(address)


def test_a_load_that_is_refused_is_told_with_the_reason(cloud: Cloud, tmp_path: object) -> None:
    cloud.make_tables()
    path = f"{tmp_path}/a.json"
    with open(path, "w") as file:  # noqa: PTH123
        file.write('{"user_id": "me", "played_at": "no time"}\n')
    with pytest.raises(WarehouseError, match=rf"^BigQuery refused {PROJECT}\.\w+\.play_events of 2026-11: .*no time"):
        BigQueryWarehouse(cloud.address).load("play_events", [path], date(2026, 11, 1))
    assert cloud.rows("play_events") == []


def test_the_layouts_name_columns_that_there_are() -> None:
    for table in TABLES:
        columns = {field["name"] for field in table_schema(table)}
        layout = table_layout(table)
        assert {layout["timePartitioning"]["field"], *layout.get("clustering", {}).get("fields", ())} <= columns


def test_every_method_is_known() -> None:
    assert tuple(_HOW) == WRITE_METHODS


def test_a_row_that_the_storage_write_api_gives_back_can_be_told() -> None:
    """It comes back from Java, by way of Beam's coder for rows, with rows within it."""
    schema = {"fields": _sent_as_text(table_schema("play_events"))}
    row = beam_row_from_dict(_for_beam(play().to_row(Calendar()), "play_events"), get_dict_table_schema(schema))
    hints = RowTypeConstraint.from_fields(get_beam_typehints_from_tableschema(schema))
    coder = RowCoder(typing_to_runner_api(hints).row_type.schema)
    failed = coder.decode(coder.encode(row))._asdict()
    rejected = _refused({"failed_row": failed, "error_message": "it is too long"}, "play_events", utc_now)
    assert rejected["reason"] == "play_events: it is too long"
    payload = json.loads(rejected["payload"])
    assert payload["artists"] == [{"id": "artist-t1", "name": "Artist of t1"}]
    assert payload["played_at"] == "2026-11-21T08:00:00Z"
