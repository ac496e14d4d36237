"""SQL of strangers: given to ``query``, and to the API with all else that a request may say."""

import json
import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.siege.hostile.drawing import Parser, drawn, tree

_WORDS = """
SELECT * FROM heavy_rotation.plays WHERE track_name = 'x' GROUP BY 1 ORDER BY COUNT(*) UNNEST(artists) , ( ) JOIN ON
artists[SAFE_OFFSET(0)].name LIMIT 10 WITH a AS read_csv('/etc/passwd') COPY ATTACH '/tmp/x' PRAGMA INSERT INTO ; -- /*
@p CAST INT64 QUALIFY ROW_NUMBER() OVER PARTITION user_id played_at EXCEPT STRUCT ARRAY (SELECT 1) INTERVAL CASE WHEN
THEN END NULL pipelines \x00 é getenv('HOME') glob('/*') DATE_TRUNC(month,YEAR) ` TRUE
"""


def queries() -> Parser:
    """SQL given to ``query``: an answer or a sentence, and nothing is written or read besides."""
    from pipelines.failure import Failure
    from pipelines.querying.asking import ask
    from pipelines.warehouse.folder import FolderWarehouse

    folder = Path(tempfile.mkdtemp(prefix="siege-queries-"))
    FolderWarehouse(folder, "Europe/Paris")
    before = sorted(folder.rglob("*"))

    def feed(sql: str) -> None:
        with suppress(Failure):  # a sentence
            ask(str(folder), sql)
        assert sorted(folder.rglob("*")) == before

    return _texts(), feed


def _texts() -> st.SearchStrategy[str]:
    words = _WORDS.split()

    def text(draw: random.Random) -> str:
        begin = draw.choice(("SELECT", "SELECT * FROM heavy_rotation.plays", "WITH a AS (SELECT 1)", ""))
        return " ".join([begin, *draw.choices(words, k=draw.randrange(12))])

    return drawn(text)


def api() -> Parser:
    """Requests to every address of the API and of the pages: an answer or a refusal, and never what went wrong."""
    from pipelines.warehouse.folder import FolderWarehouse
    from tests.warehouse.listening import listening_in
    from tests.web.client import Client
    from web.app import create_app
    from web.settings import Settings

    folder = Path(tempfile.mkdtemp(prefix="siege-api-"))
    warehouse: FolderWarehouse = listening_in(folder)
    app = create_app(Settings(str(warehouse.folder)))
    client = Client(app, "http://127.0.0.1:8723")
    before = sorted(folder.rglob("*"))
    paths = sorted(app.state.paths)
    names = [
        "from",
        "to",
        "user",
        "kind",
        "by",
        "order",
        "after",
        "limit",
        "q",
        "month",
        "hidden",
        "id",
        "day",
        "format",
    ]
    texts = st.text(max_size=12) | st.sampled_from(
        [
            "2026-11",
            "2026-11-28",
            "tracks",
            "plays",
            "time",
            "0001-01-01",
            "9999-12-31",
            "-1",
            "1e9",
            "listener",
            "\x00",
        ]
    )

    def feed(case: tuple[str, Any]) -> None:
        what, how = case
        if what == "sql":
            sql, more = how
            body = json.dumps({"sql": sql, "format": "csv", "limit": 3} | more).encode()
            answer = client.post("/api/v1/query", content=body, headers={"Content-Type": "application/json"})
        else:
            parts, query = how
            answer = client.get("/".join(parts), params=query)
        assert answer.status_code < 500, f"{answer.status_code} {answer.text[:400]}"
        assert "Traceback" not in answer.text
        assert sorted(folder.rglob("*")) == before

    said = st.dictionaries(st.sampled_from(["sql", "format", "limit", "x"]), drawn(tree), max_size=2)
    asked = st.tuples(
        st.sampled_from(paths).flatmap(lambda path: st.tuples(*(_part(part, texts) for part in path.split("/")))),
        st.dictionaries(st.sampled_from(names), texts, max_size=3),
    )
    return st.tuples(st.just("sql"), st.tuples(_texts(), said)) | st.tuples(st.just("get"), asked), feed


def _part(part: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(lambda text: quote(text, safe="")) if part.startswith("{") else st.just(part)
