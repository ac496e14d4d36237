"""The pages' questions over tables in BigQuery: over its API they give what a folder of the same plays gives.

The emulator does not understand the SQL over spans of days; Google's own analyser judges that, in tests/tables.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.json_rows import to_json
from tests.standins.cloud import Cloud
from tests.warehouse.listening import READ_AT, listening_in, rows
from tests.web.client import Client
from web.app import create_app
from web.asking import Asker
from web.settings import Settings

pytestmark = pytest.mark.long


@pytest.fixture
def browser(cloud: Cloud) -> Iterator[Client]:
    cloud.make_tables()
    warehouse = BigQueryWarehouse(cloud.address)
    for table, some in rows().items():
        assert not warehouse.insert(table, [to_json(row) for row in some])
    app = create_app(Settings(cloud.address, clock=lambda: READ_AT))
    yield Client(app, "http://127.0.0.1:8723")
    app.state.runner.close()
    app.state.warehouse.close()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(listening_in(tmp_path / "warehouse").folder)


def test_the_history_is_the_folders(browser: Client, folder: str) -> None:
    app = create_app(Settings(folder, clock=lambda: READ_AT))
    ours, theirs = browser.get("/history"), Client(app, "http://127.0.0.1:8723").get("/history")
    assert (ours.status_code, theirs.status_code) == (200, 200), ours.text
    assert "Track 2" in ours.text
    assert ours.text == theirs.text
    app.state.warehouse.close()


SPAN = {"from": date(2026, 10, 1), "to": date(2026, 11, 3)}


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("bounds", {}),
        ("months", {}),
        ("sources", SPAN),
        ("streaks", SPAN | {"unknown_days": (date(2026, 10, 8),)}),
        ("last_plays", SPAN | {"before": datetime(2026, 11, 3, 8, tzinfo=UTC), "limit": 3}),
        ("history", SPAN | {"q": "TRACK 2"}),
        ("plays_of_month", {"month": date(2026, 10, 1)}),
    ],
)
@pytest.mark.usefixtures("browser")
def test_parameters_of_every_kind_travel(question: str, asked: dict[str, Any], cloud: Cloud, folder: str) -> None:
    found = [Asker(place).rows(question, user_id="listener", **asked) for place in (cloud.address, folder)]
    assert found[0] == found[1] != []


def test_the_version_turns_with_the_newest_snapshot(browser: Client, cloud: Cloud) -> None:
    asker = Asker(cloud.address)
    assert asker.time_zone == "Europe/Paris"
    before = asker.version()
    newest = rows()["top_ten_snapshots"][0] | {"computed_at": READ_AT.replace(year=2027)}
    assert not BigQueryWarehouse(cloud.address).insert("top_ten_snapshots", [to_json(newest)])
    assert asker.version() == before  # believed for half a minute: asking costs a query
    assert Asker(cloud.address).version() != before
    assert browser.get("/history").headers["etag"]
