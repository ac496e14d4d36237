"""The command: what it prints, what it says when a query fails, and how it exits."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.query import main
from pipelines.warehouse.folder import FolderWarehouse
from tests.warehouse.listening import rows

ROOT = Path(__file__).parents[2]
TOP = """
SELECT rank, track_name, plays
FROM heavy_rotation.monthly_top_tracks
WHERE month = '2026-11-01'
ORDER BY rank
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("warehouse")
    for table, some in rows().items():
        FolderWarehouse(folder, "Europe/Paris").append(table, some)
    return str(folder)


def test_a_table_is_aligned(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--warehouse", folder, TOP]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "rank  track_name  plays\n────  ──────────  ─────\n"
        "   1  Track 2         2\n   2  Track 5         1\n   3  Track 4         1\n"
    )
    assert err == "3 rows\n"


def test_wide_characters_nulls_and_control_characters(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'a\\x1b[1m' AS t, '日本🎵' AS w, NULL AS n, 1.5 AS f, 'e\u0301' AS c, 'x' AS x"
    assert main(["--warehouse", folder, sql]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "t         w       n       f  c  x",
        "────────  ──────  ────  ───  ─  ─",
        "a\\x1b[1m  日本🎵  NULL  1.5  e\u0301  x",
    ]


def test_json_is_one_array(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT played_at, played_at_local, played_on, artists, 1/4 AS f FROM plays ORDER BY 1 LIMIT 1"
    assert main(["--warehouse", folder, "--format", "json", sql]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "played_at": "2026-10-05T08:00:00Z",
            "played_at_local": "2026-10-05T10:00:00",
            "played_on": "2026-10-05",
            "artists": [{"id": "artist-1", "name": "Artist 1"}],
            "f": 0.25,
        }
    ]
    assert main(["--warehouse", folder, "--format", "json", "SELECT 1 FROM plays WHERE FALSE"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_csv_quotes(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'a,\"b\"' AS x, NULL AS y, payload FROM heavy_rotation.rejected"
    assert main(["--warehouse", folder, "--format", "csv", sql]) == 0
    out = capsys.readouterr().out
    assert out == 'x,y,payload\r\n"a,""b""",,/3s=\r\n'
    assert list(csv.reader(io.StringIO(out)))[1] == ['a,"b"', "", "/3s="]


FAILURES = [
    ("SELECT foo FROM plays", "Unrecognized name: foo at [1:8]"),
    ("SELECT trackname\nFROM plays", "Unrecognized name: trackname; Did you mean track_name? at [1:8]"),
    ("SELECT 1,\n  p.foo FROM plays AS p", "Name foo not found inside p at [2:5]"),
    ("SELECT * FROM playz", "Table not found: playz; Did you mean plays? at [1:15]"),
    ("SELECT foo(1)", "Function not found: foo at [1:8]"),
    ("SELECT * FORM plays", 'Syntax error: Unexpected identifier "plays" at [1:15]'),
    ("SELECT (1", "Syntax error: Unexpected end of statement"),
    ("SELECT 'a", "Syntax error: Unclosed string literal or name"),
    (
        "SELECT track_id, COUNT(*) FROM plays",
        "SELECT list expression references column track_id which is neither grouped nor aggregated at [1:8]",
    ),
    ("SELECT LOWER(1)", "No matching signature for function LOWER at [1:8]"),
    ("SELECT 1 / 0", "division by zero: 1 / 0"),
    ("SELECT CAST('x' AS INT64)", "Could not convert string 'x' to INT64"),
    ("DELETE FROM plays WHERE TRUE", "Only one SELECT at a time: the warehouse is read-only here."),
    ("SELECT 1; SELECT 2", "Only one SELECT at a time: the warehouse is read-only here."),
]


@pytest.mark.parametrize(("sql", "message"), FAILURES)
def test_a_failing_query_says_what_bigquery_would(
    sql: str, message: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--warehouse", folder, sql]) == 1
    assert capsys.readouterr() == ("", message + "\n")


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{folder}/play_events/month=2026-11/x.parquet'",
        "CREATE TABLE x AS SELECT 1",
        "INSTALL httpfs",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM 'https://example.com/x.parquet'",
        "SET enable_external_access = true",
    ],
)
def test_duckdb_s_sql_neither_writes_nor_reads_elsewhere(
    sql: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path(folder).rglob("*"))
    assert main(["--warehouse", folder, "--dialect", "duckdb", sql.format(folder=folder)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert sorted(Path(folder).rglob("*")) == before


def test_duckdb_s_sql(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "FROM heavy_rotation.plays SELECT count(*) AS n"
    assert main(["--warehouse", folder, "--dialect", "duckdb", "--format", "csv", sql]) == 0
    assert capsys.readouterr().out == "n\r\n8\r\n"


def test_without_a_query_it_shows_what_there_is(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--warehouse", folder]) == 0
    out = capsys.readouterr().out
    assert "heavy_rotation.monthly_top_tracks" in out
    assert "played_at TIMESTAMP" in out


@pytest.mark.parametrize(
    "arguments",
    [[], ["--warehouse", "gs://bucket", "SELECT 1"], ["--warehouse", "w", "--format", "xml", "SELECT 1"],
     ["--warehouse", "bigquery://p.d", "--dialect", "duckdb", "SELECT 1"]],
)  # fmt: skip
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_no_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--warehouse", str(tmp_path / "none"), "SELECT 1"]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert main(["--warehouse", str(tmp_path), "SELECT 1"]) == 1
    assert "is not a warehouse" in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_error(folder: str) -> None:
    sql = "SELECT REPEAT('x', 10000) AS x FROM UNNEST(GENERATE_ARRAY(1, 1000))"
    command = [sys.executable, "-m", "pipelines.query", "--warehouse", folder, "--format", "csv", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as asked:
        assert asked.stdin and asked.stdout and asked.stderr  # noqa: PT018
        asked.stdin.write(sql.encode())
        asked.stdin.close()
        assert asked.stdout.readline() == b"x\r\n"
        asked.stdout.close()
        assert asked.stderr.read() == b""
    assert asked.returncode == 0
