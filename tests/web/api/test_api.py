"""The API: what it answers is what the tables hold."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from pipelines.domain.play import from_record
from pipelines.tables import TABLES, VIEWS
from tests.warehouse.listening import HEARD, listening_in, play
from tests.web.client import Client
from web.api import shapes
from web.app import create_app
from web.settings import Settings

HERE = "http://127.0.0.1:8723"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    warehouse = listening_in(tmp_path_factory.mktemp("warehouse"))
    app = create_app(Settings(str(warehouse.folder), state=str(tmp_path_factory.mktemp("state"))))
    yield Client(app, f"{HERE}/api/v1")
    app.state.runner.close()
    app.state.warehouse.asker().close()


def got(api: Client, path: str, **parameters: Any) -> Any:
    answer = api.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_listeners_and_months(api: Client) -> None:
    [listener] = got(api, "/listeners")["rows"]
    assert (listener["user_id"], listener["plays"]) == ("listener", len(HEARD))
    months = got(api, "/months")
    assert (months["user"], months["time_zone"]) == ("listener", "Europe/Paris")
    # The last of October in UTC is November in Paris.
    assert [(row["month"], row["plays"]) for row in months["rows"]] == [("2026-10-01", 4), ("2026-11-01", 4)]


def test_totals_of_a_span_of_local_days(api: Client) -> None:
    found = got(api, "/totals", **{"from": "2026-11-01", "to": "2026-11-02"})
    assert (found["from"], found["to"]) == ("2026-11-01", "2026-11-02")
    assert (found["row"]["plays"], found["row"]["songs"], found["row"]["days"]) == (2, 2, 2)
    assert got(api, "/totals")["row"]["plays"] == len(HEARD)


def test_tops_go_on_where_the_page_before_ended(api: Client) -> None:
    rows, path, pages = [], "/top/tracks?limit=2", 0
    while path:
        page = api.get(path).json()
        rows += page["rows"]
        path, pages = page.get("next", "").removeprefix("/api/v1"), pages + 1
    heard = Counter(track for _, track, _ in HEARD)
    assert [(row["name"], row["plays"]) for row in rows][:2] == [("Track 2", 3), ("Track 1", 2)]
    assert {row["name"]: row["plays"] for row in rows} == {f"Track {track}": plays for track, plays in heard.items()}
    assert pages == 3


def test_plays_by_cursor_are_all_there_once_the_newest_first(api: Client) -> None:
    rows, path = [], "/plays?limit=3"
    while path:
        page = api.get(path).json()
        rows += page["rows"]
        path = page.get("next", "").removeprefix("/api/v1")
    heard = sorted((when for when, _, _ in HEARD), reverse=True)
    assert [row["played_at"] for row in rows] == [_as_said(when) for when in heard]


def _as_said(when: str) -> str:
    whole, _, rest = when.removesuffix("Z").partition(".")
    return f"{whole}.{rest.ljust(6, '0')}Z" if rest else f"{whole}Z"


def test_activity(api: Client) -> None:
    span = {"from": "2026-10-05", "to": "2026-10-08"}
    days = got(api, "/activity", by="day", **span)["rows"]
    assert [(row["played_on"], row["plays"]) for row in days] == [
        ("2026-10-05", 1), ("2026-10-06", 1), ("2026-10-07", 2), ("2026-10-08", 0),
    ]  # fmt: skip
    hours = got(api, "/activity", by="hour", **span)["rows"]
    assert {(row["weekday"], row["hour"]): row["plays"] for row in hours} == {
        (1, 10): 1, (2, 10): 1, (3, 10): 1, (3, 22): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/totals?from=2026-11-02&to=2026-11-01", "is after"),
        ("/totals?from=November", "is not a day"),
        ("/totals?since=2026-11-02", "There is no parameter 'since' here"),
        ("/plays?limit=0", "limit"),
        ("/plays?limit=1001", "limit"),
        ("/plays?after=yesterday", "is not an instant"),
        ("/plays?after=2026-11-02T10:00:00", "is not an instant"),
        ("/top/tracks?by=mood", "by"),
        ("/top/genres", "kind"),
        ("/activity?by=day&by=hour", "is there twice"),
        ("/search?q=", "q"),
        ("/search", "q"),
        ("/export?format=xml", "format"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(api: Client, path: str, said: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_whom_and_what_there_is_not(api: Client) -> None:
    assert api.get("/months?user=nobody").status_code == 404
    assert api.get("/nothing").status_code == 404
    assert api.get("/tables/nothing").json()["error"].startswith("There is no table 'nothing' here; there are plays,")
    assert api.post("/months", json={}).status_code == 405


def test_days_of_which_there_is_nothing_are_an_answer(api: Client) -> None:
    for span in ({"from": "2030-01-01"}, {"to": "2000-01-01"}, {"from": "2000-01-01", "to": "2000-01-02"}):
        assert got(api, "/plays", **span)["rows"] == []
        assert got(api, "/totals", **span)["row"]["plays"] == 0


# SQL


def test_tables_have_their_columns(api: Client) -> None:
    names = [row["name"] for row in got(api, "/tables")["rows"]]
    assert names[0] == "heavy_rotation.plays"
    assert sorted(names) == sorted(f"heavy_rotation.{name}" for name in (*TABLES, *VIEWS))
    plays = got(api, "/tables/plays")
    assert plays == got(api, "/tables/heavy_rotation.plays")
    columns = {column["name"]: column for column in plays["columns"]}
    assert columns["played_at"]["type"] == "TIMESTAMP"
    assert columns["artists"]["type"] == "ARRAY<STRUCT<id STRING, name STRING>>"
    assert columns["month"]["description"]


def test_a_query(api: Client) -> None:
    sql = "SELECT track_name, played_at, [1, 2] AS two FROM heavy_rotation.plays ORDER BY played_at"
    found = api.post("/query", json={"sql": sql, "limit": 2}).json()
    assert found["columns"] == [
        {"name": "track_name", "type": "STRING", "description": None},
        {"name": "played_at", "type": "TIMESTAMP", "description": None},
        {"name": "two", "type": "ARRAY<INT64>", "description": None},
    ]
    assert found["rows"][0] == {"track_name": "Track 1", "played_at": "2026-10-05T08:00:00Z", "two": [1, 2]}
    assert (len(found["rows"]), found["rows_in_all"], found["is_cut"]) == (2, len(HEARD), True)


def test_a_query_as_csv_and_parquet(api: Client) -> None:
    sql = "SELECT track_id, COUNT(*) AS plays FROM heavy_rotation.plays GROUP BY track_id ORDER BY plays DESC, track_id"
    as_csv = api.post("/query", json={"sql": sql, "format": "csv", "limit": 2})
    assert as_csv.text == "track_id,plays\ntrack-2,3\ntrack-1,2\n"
    assert (as_csv.headers["content-type"], as_csv.headers["x-rows"]) == ("text/csv; charset=utf-8", "5")
    as_parquet = api.post("/query", json={"sql": sql, "format": "parquet"})
    assert pq.read_table(io.BytesIO(as_parquet.content)).to_pylist()[0] == {"track_id": "track-2", "plays": 3}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"sql": "SELECT nothing FROM heavy_rotation.plays"}, "Unrecognized name: nothing at [1:8]"),
        ({"sql": "DROP TABLE heavy_rotation.plays"}, "Only one SELECT"),
        ({"sql": "SELECT 1", "limit": 0}, "limit"),
        ({"sql": "SELECT 1", "limit": "10"}, "limit"),
        ({"sql": "SELECT 1", "format": "xml"}, "format"),
        ({"sql": "SELECT 1", "rows": 10}, "rows"),
        ({}, "sql"),
        ([], "body"),
    ],
)
def test_what_is_no_query_is_refused_in_a_sentence(api: Client, body: Any, said: str) -> None:
    answer = api.post("/query", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


# Everything at once


def exported(api: Client, form: str) -> bytes:
    answer = api.get("/export", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''plays-listener.{form}"
    return answer.content


def test_every_play_can_be_taken_away_in_four_forms(api: Client) -> None:
    heard = [(_as_said(when), f"track-{track}") for when, track, _ in sorted(HEARD)]
    rows = list(csv.DictReader(io.StringIO(exported(api, "csv").decode())))
    assert [(row["played_at"], row["track_id"]) for row in rows] == heard
    assert json.loads(rows[0]["artists"]) == [{"id": "artist-1", "name": "Artist 1"}]
    lines = [json.loads(line) for line in exported(api, "jsonl").splitlines()]
    assert [(row["played_at"], row["track_id"]) for row in lines] == heard
    assert set(lines[0]) == set(rows[0])
    table = pq.read_table(io.BytesIO(exported(api, "parquet")))
    assert table["track_id"].to_pylist() == [track for _, track in heard]
    assert set(table.column_names) == set(rows[0])


def test_as_avro_plays_are_what_the_archive_holds(api: Client) -> None:
    plays = [from_record(record) for record in fastavro.reader(io.BytesIO(exported(api, "avro")))]
    assert plays == [play(*heard) for heard in sorted(HEARD)]


def test_an_export_is_never_a_months_plays_more_than_one_in_memory(api: Client) -> None:
    """A piece a month, and a header that stands once."""
    from web.api.export import as_csv

    app = api._transport.app
    asker = app.state.warehouse.asker()
    months = [row["month"] for row in asker.rows("months", user_id="listener")]
    pieces = list(as_csv(asker.fresh("plays_of_month", user_id="listener", month=month) for month in months))
    assert len(pieces) == len(months) == 2
    assert [piece.startswith(b"user_id,") for piece in pieces] == [True, False]


# What it says of itself


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/listeners", shapes.Listeners), ("/months", shapes.Months), ("/totals", shapes.SpanTotals),
        ("/top/tracks", shapes.Top), ("/top/artists", shapes.Top), ("/top/albums?by=time", shapes.Top),
        ("/plays", shapes.Plays), ("/activity", shapes.Activity), ("/search?q=track", shapes.Search),
        ("/tables", shapes.Tables), ("/tables/plays", shapes.Table),
    ],
)  # fmt: skip
def test_answers_have_the_fields_that_are_documented_and_no_other(
    api: Client, path: str, shape: type[BaseModel]
) -> None:
    answer = api.get(path)
    assert answer.status_code == 200
    found = shape.model_validate_json(answer.content)
    assert getattr(found, "rows", True)


def test_the_description_is_served_and_a_page_is_made_of_it(api: Client, tmp_path: Path) -> None:
    told = got(api, "/openapi.json")
    assert told["openapi"].startswith("3.")
    assert set(told["paths"]) >= {"/api/v1/query", "/api/v1/tables", "/api/v1/export", "/api/v1/top/{kind}"}
    assert "422" not in json.dumps(told)
    page = api.get(f"{HERE}/api")
    assert page.status_code == 200
    for path in told["paths"]:
        assert path in page.text
    assert "https://" not in page.text  # it loads nothing
