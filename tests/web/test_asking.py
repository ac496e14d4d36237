"""What is asked: remembered for one version of the tables and one day, whoever asks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.failure import Failure
from pipelines.tables.questions import QUESTIONS, bound, months_read, parameters_of, reads_only_plays
from tests.warehouse.listening import CALENDAR, listening_in, play
from web import asking
from web.asking import Asker
from web.errors import NotFoundError
from web.settings import Settings
from web.visit import visit_of

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


class Clock:
    """What time it is."""

    now = datetime(2026, 11, 28, 22, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asker(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    monkeypatch.setattr(asking, "FRESH_SECONDS", 0.0)
    listening_in(tmp_path / "warehouse")
    asker = Asker(str(tmp_path / "warehouse"), clock=clock)
    yield asker
    asker.close()


def test_an_answer_is_kept_until_the_tables_change(asker: Asker) -> None:
    first = asker.rows("totals", span=NOVEMBER, user_id="listener")
    assert asker.rows("totals", user_id="listener", **{"from": NOVEMBER[0], "to": NOVEMBER[1]}) is first
    assert asker.rows("totals", span=NOVEMBER, user_id="listener", hidden=("track:none",)) is not first
    from pipelines.warehouse.folder import FolderWarehouse

    version = asker.version()
    FolderWarehouse.open(asker.warehouse).append("play_events", [play("2026-11-09T08:00:00Z", 7, 1).to_row(CALENDAR)])
    assert asker.version() != version
    assert asker.rows("totals", span=NOVEMBER, user_id="listener")[0]["plays"] == first[0]["plays"] + 1 == 5


def test_a_day_later_in_the_warehouses_zone_it_is_asked_again(asker: Asker, clock: Clock) -> None:
    span = (date(2026, 11, 1), date(2026, 11, 30))
    before = asker.rows("streaks", span=span, user_id="listener")
    assert asker.today() == date(2026, 11, 28)
    clock.now = datetime(2026, 11, 28, 23, 1, tzinfo=UTC)  # 00:01 in Paris
    assert asker.today() == date(2026, 11, 29)
    assert asker.rows("streaks", span=span, user_id="listener") is not before


def test_what_is_not_found_is_not_kept_and_an_empty_month_is(asker: Asker) -> None:
    searched = asker.rows("search", user_id="listener", q="zzz")
    assert searched == []
    assert asker.rows("search", user_id="listener", q="zzz") is not searched
    nobodys = asker.rows("months", user_id="nobody")
    assert nobodys == []
    assert asker.rows("months", user_id="nobody") is nobodys


def test_no_more_is_kept_than_fits(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST_CELLS", 200)
    for day in range(1, 29):
        asker.rows("days", user_id="listener", span=(date(2026, 11, 1), date(2026, 11, day)))
    assert 0 < asker._cells <= 200
    assert asker._cells == sum(map(asking._cells, asker._kept.values()))


def test_a_table_and_its_rows_are_the_same(asker: Asker) -> None:
    table = asker.ask("tens", span=NOVEMBER, user_id="listener")
    assert table.to_pylist() == asker.rows("tens", span=NOVEMBER, user_id="listener")


def test_a_parameter_that_is_unknown_or_missing_is_an_error(asker: Asker) -> None:
    with pytest.raises(TypeError, match="no parameter q"):
        asker.rows("months", user_id="listener", q="x")
    with pytest.raises(TypeError, match="needs from, to"):
        asker.rows("days", user_id="listener")


def test_many_may_ask_at_once(asker: Asker) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(asker.rows, "days", NOVEMBER, user_id="listener") for _ in range(40)]
    assert {sum(row["plays"] for row in one.result()) for one in asked} == {4}


def test_what_is_no_warehouse_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is not a warehouse"):
        Asker(str(tmp_path))


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_file_says_what_it_takes_and_reads(question: str) -> None:
    span = {"from": date(2026, 2, 3), "to": date(2026, 5, 6), "month": date(2026, 2, 1)}
    span |= {"before_from": date(2025, 2, 3), "before_to": date(2025, 5, 6), "today": date(2026, 5, 6)}
    given = {name: span.get(name, "x") for name, one in parameters_of(question).items() if one.is_required}
    values = bound(question, given)
    months = months_read(question, values)
    assert months in ("all", "ends") or all(first.day == last.day == 1 for first, last in months)
    assert all(name in Asker.parameters(question) for name in values)


def test_only_what_reads_nothing_but_plays_is_kept_by_months() -> None:
    assert all(map(reads_only_plays, ("totals", "tens", "discoveries", "days", "clock", "history", "streaks")))
    assert not any(map(reads_only_plays, ("genres", "known", "features", "bounds", "months", "behind", "rejects")))


def test_who_is_forgotten_between_two_questions_of_a_page_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetting(Asker):
        """Whose rows go when the first question was answered."""

        def rows(self, question: str, *more: Any, **given: Any) -> list[dict[str, Any]]:
            found = super().rows(question, *more, **given)
            if question == "listeners":
                for file in Path(self.warehouse).glob("*/month=*/*.parquet"):
                    file.unlink()
            return found

    monkeypatch.setattr(asking, "FRESH_SECONDS", 0.0)
    listening_in(tmp_path)
    asker = Forgetting(str(tmp_path))
    try:
        with pytest.raises(NotFoundError, match="no plays of listener here"):
            visit_of(Settings(str(tmp_path)), asker, None)
    finally:
        asker.close()
