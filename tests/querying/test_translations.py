"""Translations are remembered on disk, and missed by nobody where they cannot be."""

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
