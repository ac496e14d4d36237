"""Queries over the web: answered in a process of their own, and ended when they take too much."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.failure import Failure
from tests.warehouse.listening import HEARD, listening_in
from web.running.apart import BusyError, Limits, Runner

# Rows upon rows, of which none is shown.
ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 100000)) a, UNNEST(GENERATE_ARRAY(1, 100000)) b WHERE a * b = -1"
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(listening_in(tmp_path_factory.mktemp("warehouse")).folder)


@pytest.fixture(scope="module")
def runner(warehouse: str) -> Iterator[Runner]:
    runner = Runner(warehouse, Limits(seconds=20, megabytes=1024))
    yield runner
    runner.close()


def test_rows_come_with_their_types_and_how_many_there_were(runner: Runner) -> None:
    sql = "SELECT track_name, played_at, month FROM heavy_rotation.plays ORDER BY played_at"
    answer = runner.run(sql, rows=2)
    assert (answer.table.num_rows, answer.rows, answer.is_cut) == (2, len(HEARD), True)
    assert [str(field.type) for field in answer.table.schema] == ["string", "timestamp[us, tz=UTC]", "date32[day]"]
    assert answer.table["track_name"].to_pylist() == ["Track 1", "Track 1"]
    assert not runner.run(sql, rows=len(HEARD)).is_cut


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM heavy_rotation.plays", r"Unrecognized name: nothing at \[1:8\]"),
        ("SELECT 1; SELECT 2", "Only one SELECT"),
        ("DELETE FROM heavy_rotation.plays WHERE TRUE", "Only one SELECT"),
        ("SELECT FROM", "Syntax error"),
        ("", "Only one SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "not"),
    ],
)
def test_what_is_wrong_is_told_in_the_engines_words(runner: Runner, sql: str, words: str) -> None:
    with pytest.raises(Failure, match=words):
        runner.run(sql)


def test_a_query_without_end_is_ended(warehouse: str) -> None:
    runner = Runner(warehouse, Limits(seconds=2, megabytes=1024))
    try:
        began = time.monotonic()
        with pytest.raises(Failure, match="more than 2 seconds"):
            runner.run(ENDLESS)
        assert time.monotonic() - began < 5
        assert not runner._running
    finally:
        runner.close()


@pytest.mark.long
def test_a_query_without_bounds_takes_no_more_memory_than_it_may(warehouse: str) -> None:
    runner = Runner(warehouse, Limits(seconds=20, megabytes=512))
    try:
        with pytest.raises(Failure, match="more than 512 MB"):
            runner.run("SELECT ARRAY_AGG(a) FROM UNNEST(GENERATE_ARRAY(1, 400000000)) a")
        assert runner.run("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    finally:
        runner.close()


def test_an_answer_that_is_too_large_is_refused(runner: Runner) -> None:
    with pytest.raises(Failure, match="more than 64 MB"):
        runner.run("SELECT REPEAT('a', 100000000) AS long")


@pytest.mark.long
def test_of_many_at_once_some_are_told_to_come_again(warehouse: str) -> None:
    runner = Runner(warehouse, Limits(seconds=2, megabytes=1024))
    said: list[str] = []

    def ask() -> None:
        try:
            runner.run(ENDLESS)
        except Failure as error:
            said.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runner.close()
    assert sorted(said) == ["BusyError", "Failure", "Failure"]


def test_nothing_is_left_behind(warehouse: str) -> None:
    runner = Runner(warehouse)
    runner.run("SELECT 1")
    ready = runner._ready
    assert ready
    assert ready.poll() is None
    runner.close()
    assert ready.poll() is not None
    with pytest.raises(BusyError):
        runner.run("SELECT 1")


def test_one_that_was_kept_ready_ends_with_who_kept_it(tmp_path: Path) -> None:
    runner = Runner(str(tmp_path))
    with runner._process() as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0
    runner.close()
