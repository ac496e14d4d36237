"""Questions cut where they are alike: what is kept is what the whole question would have computed, and no older."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.querying import keeping
from pipelines.querying.bigquery_sql import duckdb_query, parse
from pipelines.querying.cutting import Cut, cut
from pipelines.querying.parameters import Value
from pipelines.querying.reader import FolderReader
from pipelines.tables.questions import QUESTIONS, bound, parameters_of, question_sql
from pipelines.warehouse.folder import FolderWarehouse
from tests.warehouse.listening import CALENDAR, listening_in, play
from tests.warehouse.watching import snapshots

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
EARLIER = {"before_from": OCTOBER, "before_to": date(2026, 10, 31)}
ASKED: dict[str, Value] = {
    "user_id": "listener",
    "from": NOVEMBER,
    "to": date(2026, 11, 30),
    **EARLIER,
    "kind": "track",
    "id": "track-1",
    "ids": ("track-1", "track-2"),
    "q": "t",
    "month": NOVEMBER,
    "today": date(2026, 11, 28),
}


def cut_of(question: str) -> Cut:
    kinds = {name: parameter.kind for name, parameter in parameters_of(question).items()}
    made = cut(duckdb_query(parse(question_sql(question)), kinds))
    # An item's plays are no table that DuckDB could go on with.
    return replace(made, question=question) if question.startswith("item") else made


def asked(question: str, **changed: Value) -> dict[str, Value]:
    return bound(question, {name: value for name, value in ASKED.items() if name in parameters_of(question)} | changed)


def tables(of: FolderReader) -> int:
    return len(of._keeper._tables)


@pytest.fixture
def warehouse(tmp_path: Path) -> FolderWarehouse:
    warehouse = listening_in(tmp_path / "warehouse")
    for table, some in snapshots().items():
        warehouse.append(table, some)
    return warehouse


@pytest.fixture
def of(warehouse: FolderWarehouse) -> Iterator[FolderReader]:
    made = FolderReader(warehouse)
    yield made
    made.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_cut_question_answers_as_the_whole(question: str, of: FolderReader) -> None:
    statement, values = cut_of(question), asked(question)
    whole = of.rows(statement.whole, values)
    assert of.rows(statement, values) == whole
    assert of.rows(statement, values) == whole  # of what is kept now
    assert of.query(statement, values).to_pylist() == whole


def test_questions_of_one_span_share_what_they_begin_with() -> None:
    totals, tens, dropped = map(cut_of, ("totals", "tens", "dropped"))
    assert totals.steps[0].sql == tens.steps[0].sql  # the span
    here, before = dropped.steps[:3], dropped.steps[3:]
    assert [step.sql for step in here] == [step.sql for step in before] == [step.sql for step in tens.steps]
    assert {name.removeprefix("before_") for name in before[0].parameters} == set(here[0].parameters)


def test_a_bound_that_nothing_reaches_makes_no_other_part() -> None:
    kinds = {name: parameter.kind for name, parameter in parameters_of("totals").items()}
    whole_month = cut(duckdb_query(parse(question_sql("totals")), kinds, {"until"}))
    assert [step.sql for step in whole_month.steps[:2]] == [step.sql for step in cut_of("tens").steps[:2]]


def test_what_is_kept_goes_with_its_months(warehouse: FolderWarehouse, of: FolderReader) -> None:
    statement, october = cut_of("totals"), {"from": OCTOBER, "to": date(2026, 10, 31)}
    before = [of.rows(statement, asked("totals", **span))[0]["plays"] for span in (october, {})]
    assert tables(of) == 6  # the span, what its tracks count for, how many these are: of two months
    warehouse.append("play_events", [play("2026-11-27T08:00:00Z", 7, 1).to_row(CALENDAR)])
    after = [of.rows(statement, asked("totals", **span))[0]["plays"] for span in (october, {})]
    assert after == [before[0], before[1] + 1]
    assert tables(of) == 6  # the old ones of November are gone


def test_a_play_late_in_the_month_before_shortens_the_first_of_the_next(
    warehouse: FolderWarehouse, of: FolderReader
) -> None:
    """The time heard is estimated from when the play before ended, which may be in the month before."""
    at = "2026-11-30T23:00:00Z"  # 1 December in Paris
    warehouse.append("play_events", [play(at, 7, 1, duration_ms=600_000, ms_played=None).to_row(CALENDAR)])
    december = asked("totals", **{"from": date(2026, 12, 1), "to": date(2026, 12, 31)})
    assert of.rows(cut_of("totals"), december)[0]["heard_ms"] == 600_000
    warehouse.append("play_events", [play("2026-11-30T22:59:00Z", 6, 1).to_row(CALENDAR)])
    assert of.rows(cut_of("totals"), december)[0]["heard_ms"] == 60_000


def test_no_more_is_kept_than_fits(of: FolderReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_MOST_ROWS", 0)
    monkeypatch.setattr(keeping, "_NARROW", 1)
    whole = of.rows(cut_of("tens").whole, asked("tens"))
    assert of.rows(cut_of("tens"), asked("tens")) == whole
    assert tables(of) == 0


def test_many_ask_while_the_month_grows(warehouse: FolderWarehouse, of: FolderReader) -> None:
    statement = cut_of("totals")

    def plays(_: int) -> int:
        count: int = of.rows(statement, asked("totals"))[0]["plays"]
        return count

    first = plays(0)
    with ThreadPoolExecutor(4) as threads:
        for number in range(6):
            soon = threads.map(plays, range(8))
            at = play("2026-11-20T08:00:00Z", number, 1).played_at + timedelta(minutes=number)
            row = play(at.isoformat(), number, 1).to_row(CALENDAR)
            warehouse.append("play_events", [row])
            assert all(first + number <= count <= first + number + 1 for count in soon)
            assert plays(0) == first + number + 1
    assert tables(of) == 3
