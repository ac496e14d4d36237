"""What is made before anybody asks is what whoever asks would have been told, and stays while its months do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.warehouse.folder import FolderWarehouse
from tests.web.histories import CALENDAR, NOW, a_history, a_play, written
from web import asking
from web import warming as warming_module
from web.asking import Asker
from web.opening import Warehouse
from web.pages.charts import day_by_day, hours
from web.pages.first_heard import first_heard
from web.pages.months import sheet
from web.settings import Settings
from web.visit import Visit, visit_of
from web.warming import Warming, warm

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(asking, "FRESH_SECONDS", 0.0)
    return Settings(written(tmp_path / "warehouse", a_history()), clock=lambda: NOW)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    made = Warehouse(settings)
    yield made
    made.close()


def _months_page(visit: Visit, month: date = OCTOBER) -> object:
    end = visit.end_of(month)
    parts = (sheet(visit, month, "plays", covers=False), first_heard(visit, month, end), hours(visit, month, end))
    return *parts, day_by_day(visit, month, SEPTEMBER)


def _questions(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those that go to the tables from now on."""
    asked: list[str] = []
    rows = asker._source.rows

    def tell(question: str, values: object) -> object:
        asked.append(question)
        return rows(question, values)  # type: ignore[arg-type]

    monkeypatch.setattr(asker._source, "rows", tell)
    return asked


def test_a_month_that_was_made_ready_asks_nothing_and_says_the_same(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visit_of(settings, warehouse.asker(), None)
    for _ in warm(visit):
        pass
    asked = _questions(visit.asker, monkeypatch)
    made = _months_page(visit)
    assert asked == []
    other = Warehouse(settings)
    assert made == _months_page(visit_of(settings, other.asker(), None))
    other.close()


def test_a_play_of_another_month_leaves_it_as_it_is(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visit_of(settings, warehouse.asker(), None)
    for _ in warm(visit):
        pass
    asked = _questions(visit.asker, monkeypatch)
    folder = FolderWarehouse.open(settings.warehouse)
    folder.append("play_events", [a_play(datetime(2026, 11, 28, 12, tzinfo=UTC)).to_row(CALENDAR)])
    _months_page(visit)
    assert asked == []
    span = (OCTOBER, date(2026, 10, 31))
    before = visit.ask("totals", span=span)[0]["plays"]
    folder.append("play_events", [a_play(datetime(2026, 10, 28, 12, tzinfo=UTC)).to_row(CALENDAR)])
    assert visit.ask("totals", span=span)[0]["plays"] == before + 1
    assert asked == ["totals"]


def _ended(settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warming:
    """One that began at once and has made all that there is to make."""
    monkeypatch.setattr(warming_module, "_AFTER_SECONDS", 0.0)
    warming = Warming(settings, warehouse)
    warming.start()
    warming._thread.join(60)
    assert not warming._thread.is_alive()
    return warming


def test_the_thread_makes_them_and_ends(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warming = _ended(settings, warehouse, monkeypatch)
    assert len(warehouse.asker()._kept) > 10
    warming.close()


def test_where_there_is_nothing_yet_it_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(str(tmp_path / "none"))
    _ended(settings, Warehouse(settings), monkeypatch).close()


def test_a_server_that_is_stopped_at_once_does_not_wait_for_it(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming_module, "_AFTER_SECONDS", 3600.0)
    warming = Warming(settings, warehouse)
    warming.start()
    warming.close()
    assert not warming._thread.is_alive()
