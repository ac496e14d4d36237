"""Translations are remembered on disk, and missed by nobody where they cannot be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.querying import translations
from pipelines.querying.bigquery_sql import parse, to_duckdb
from pipelines.tables import view_sql


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _forget()
    return tmp_path


def _forget() -> None:
    translations.duckdb_view.cache_clear()
    translations.duckdb_question.cache_clear()


def test_what_is_remembered_is_what_was_translated(folder: Path) -> None:
    plays, tens = translations.duckdb_view("plays"), translations.duckdb_question("tens", frozenset({"hidden"}))
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    _forget()
    assert (translations.duckdb_view("plays"), translations.duckdb_question("tens", frozenset({"hidden"}))) == (
        plays,
        tens,
    )
    assert plays == to_duckdb(parse(view_sql("plays")))


def test_who_finds_them_loads_no_translator() -> None:
    ask = "from pipelines.querying import reader, translations; translations.duckdb_view('plays')"
    told = f"import sys; {ask}; print('sqlglot' in sys.modules)"
    said = [subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [one.stdout.strip() for one in said] == ["True", "False"]


def test_a_query_is_remembered_where_it_names_nobody(folder: Path) -> None:
    asked = "SELECT kind FROM heavy_rotation.top_ten_snapshots WHERE kind = 'track' AND month = '2026-01-01'"
    said = translations.duckdb_statement(asked)
    [file] = folder.rglob("query-*")
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text('"what is remembered"')
    assert (said, translations.duckdb_statement(asked)) == (to_duckdb(parse(asked)), "what is remembered")


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT 1 FROM plays WHERE user_id = 'anna'",
        'SELECT 1 FROM plays WHERE user_id = "anna"',
        "SELECT 1 FROM plays WHERE user_id = r'''anna'''",
        "SELECT 1 FROM plays WHERE month > '2026-01-01' AND user_id = '2026-01'",
        "SELECT 1 -- of Anna",
        "SELECT 1 # of Anna",
        "SELECT /* of Anna */ 1",
    ],
)
def test_a_query_that_may_name_somebody_is_kept_nowhere(asked: str, folder: Path) -> None:
    assert translations.duckdb_statement(asked) == to_duckdb(parse(asked))
    assert not list(folder.rglob("query-*"))


def test_a_question_of_ours_is_remembered_by_the_types_of_its_values(folder: Path) -> None:
    asked = "SELECT 1 FROM plays WHERE user_id = @user_id AND track_name != 'x'"
    of_a_text = translations.duckdb_statement(asked, {"user_id": "anna"})
    assert translations.duckdb_statement(asked, {"user_id": "berta"}) == of_a_text
    assert translations.duckdb_statement(asked, {"user_id": 1}) != of_a_text
    kept = [file.read_text() for file in folder.rglob("query-*")]
    assert len(kept) == 2
    assert not any("anna" in text for text in kept)


def test_the_oldest_queries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translations, "_MOST_QUERIES", 2)
    for number in range(4):
        translations.duckdb_statement(f"SELECT {number}")
        for file in folder.rglob("query-*"):  # older than the next, whatever the grain of the clock
            os.utime(file, ns=(file.stat().st_mtime_ns - 10**9,) * 2)
    assert {json.loads(file.read_text()) for file in folder.rglob("query-*")} == {
        to_duckdb(parse(f"SELECT {number}")) for number in (2, 3)
    }


def test_a_file_that_is_broken_or_a_folder_that_is_none_costs_only_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = translations.duckdb_view("plays")
    [file] = [file for file in folder.rglob("*") if file.is_file()]
    file.write_text("{")
    _forget()
    assert translations.duckdb_view("plays") == plays
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    _forget()
    assert translations.duckdb_view("plays") == plays


def test_another_version_takes_the_place_of_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translations.duckdb_view("plays")
    monkeypatch.setattr(translations, "_version", lambda: "another")
    _forget()
    translations.duckdb_view("plays")
    assert [there.name for there in (folder / "heavy-rotation").iterdir()] == ["duckdb-another"]
