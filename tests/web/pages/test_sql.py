# ruff: noqa: S608 - what people type is text
"""``/sql``: an answer as table, bars, line or file, a refusal in the engine's words, and markup that stays text."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from markupsafe import escape

from pipelines.domain.play import Artist
from tests.web.client import Client
from tests.web.histories import NOW, a_play, opened, written
from web.access.deciding import Access
from web.access.tokens import Tokens
from web.access.visitor import Scope
from web.pages.sql import examples

ORIGIN = {"Origin": "http://127.0.0.1:8723"}
BAD = "<script>alert(1)</script>"
BY_HOUR = "SELECT EXTRACT(HOUR FROM played_at) AS hour, COUNT(*) AS plays FROM heavy_rotation.plays GROUP BY hour"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    plays = [a_play(NOW.replace(hour=hour), number, track_name=BAD) for hour, number in ((1, 1), (2, 1), (2, 2))]
    plays[2] = a_play(NOW.replace(hour=2, minute=1), 2, artists=(Artist('"><b>', None),))
    client = opened(written(tmp_path_factory.mktemp("box"), plays))
    yield client
    client._transport.app.state.runner.close()


def ask(box: Client, sql: str, **form: Any) -> httpx.Response:
    return box.post("/sql", data={"sql": sql, **form}, headers=ORIGIN)


def test_the_box_says_what_there_is_and_runs_nothing(box: Client) -> None:
    page = box.get("/sql", params={"sql": "SELECT 1 AS one\n-- </textarea>"})
    assert page.status_code == 200
    assert "SELECT 1 AS one\n-- &lt;/textarea&gt;</textarea>" in page.text
    assert 'id="answer"' not in page.text
    for title, _ in examples():
        assert escape(title) in page.text
    assert "monthly_top_tracks" in page.text


def test_examples_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "queries.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    told = [
        (title, sql.strip()) for title, body in sections for sql in re.findall(r"```sql\n(.*?)```", body, re.DOTALL)
    ]
    assert list(examples()) == told
    assert len(told) > 8


@pytest.mark.long
def test_every_example_is_answered(box: Client) -> None:
    for title, sql in examples():
        page = ask(box, sql)
        assert page.status_code == 200, title
        assert 'id="answer"' in page.text, title


def test_a_table_shows_names_as_text_and_null_as_null(box: Client) -> None:
    page = ask(box, "SELECT track_name, isrc, [1] AS list FROM heavy_rotation.plays ORDER BY played_at LIMIT 1")
    assert BAD not in page.text
    assert escape(BAD) in page.text
    assert "<i>NULL</i>" in page.text or "isrc" in page.text
    assert "<td" in page.text
    assert "[1]" in page.text


@pytest.mark.long
def test_bars_and_a_line_show_the_last_column_of_numbers(box: Client) -> None:
    bars = ask(box, f"{BY_HOUR} ORDER BY hour", show="bars").text
    assert re.findall(r'<span class="n">(\d+)</span>', bars) == ["1", "2"]
    assert re.findall(r'<rect width="([\d.]+)"', bars) == ["50.0", "100.0"]
    line = ask(box, f"{BY_HOUR} ORDER BY hour", show="line").text
    assert 'aria-label="plays by hour: 2 values, between 1 and 2"' in line
    assert 'class="curve"' in line
    none = ask(box, "SELECT track_name FROM heavy_rotation.plays", show="line").text
    assert "there has to be a column of numbers" in none


@pytest.mark.long
def test_no_rows_are_an_answer(box: Client) -> None:
    for show in ("table", "bars", "line"):
        assert "No rows." in ask(box, "SELECT 1 AS one FROM heavy_rotation.plays WHERE FALSE", show=show).text


def test_files(box: Client) -> None:
    sql = f"{BY_HOUR} ORDER BY hour"
    csv = ask(box, sql, **{"as": "csv"})
    assert csv.text == "hour,plays\n1,1\n2,2\n"
    assert csv.headers["content-disposition"] == 'attachment; filename="answer.csv"'
    assert json.loads(ask(box, sql, **{"as": "json"}).text)[1] == {"hour": 2, "plays": 2}
    parquet = ask(box, sql, **{"as": "parquet"})
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nothing FROM heavy_rotation.plays", "Unrecognized name: nothing at [1:8]"),
        ("DELETE FROM heavy_rotation.plays WHERE TRUE", "Only one SELECT"),
        (f"SELECT '{BAD}' FROM nowhere", "Table not found: nowhere"),
    ],
)
def test_what_cannot_be_answered_is_said_on_the_page(box: Client, sql: str, said: str) -> None:
    page = ask(box, sql)
    assert page.status_code == 400
    assert escape(said) in page.text
    assert BAD not in page.text
    assert 'role="alert"' in page.text


def test_nonsense_is_refused(box: Client) -> None:
    assert ask(box, "SELECT 1", show="pie").status_code == 400
    assert ask(box, "SELECT 1", **{"as": "xml"}).status_code == 400
    assert ask(box, "SELECT 1", more="1").status_code == 400
    assert ask(box, "-" * 20_001).status_code == 400
    assert box.post("/sql", data={"sql": "SELECT 1"}).status_code == 403  # another page's form
    assert box.get("/sql", params={"query": "SELECT 1"}).status_code == 400


def test_a_token_has_to_be_one_for_sql(box: Client, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    warehouse = box._transport.app.state.settings.warehouse
    for scopes, status in (((Scope.READ,), 403), ((Scope.READ, Scope.SQL), 200)):
        bearer = {"Authorization": f"Bearer {tokens.add(f'with {len(scopes)}', scopes, NOW)}"}
        far = opened(warehouse, access=Access(tokens))
        assert far.get("/sql", headers=bearer).status_code == status
        far._transport.app.state.runner.close()
