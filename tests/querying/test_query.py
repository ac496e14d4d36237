# ruff: noqa: S608 - attacks are made of text
"""The command: what it prints, what it says when a query fails, and how it exits."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.query import main, parse, run
from pipelines.querying import duck
from pipelines.querying.asking import answer
from pipelines.querying.cells import width_of
from pipelines.querying.show import show
from pipelines.warehouse.folder import FolderWarehouse
from tests.warehouse.listening import rows

ROOT = Path(__file__).parents[2]
TOP = """
SELECT rank, track_name, plays
FROM heavy_rotation.monthly_top_tracks
WHERE month = '2026-11-01'
ORDER BY rank
"""


def ask(*argv: str) -> int:
    """The command, in this process."""
    return run(parse(argv))


def heavy_rotation(*argv: str) -> "subprocess.CompletedProcess[str]":
    """The command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "heavy_rotation", "query", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("warehouse")
    for table, some in rows().items():
        FolderWarehouse(folder, "Europe/Paris").append(table, some)
    return str(folder)


def test_a_table_is_aligned(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("--warehouse", folder, TOP) == 0
    out, err = capsys.readouterr()
    assert out == (
        "rank  track_name  plays\n────  ──────────  ─────\n"
        "   1  Track 2         2\n   2  Track 5         1\n   3  Track 4         1\n"
    )
    assert err == "3 rows\n"


def test_wide_characters_nulls_and_control_characters(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'a\\x1b[1m' AS t, '日本🎵' AS w, NULL AS n, 1.5 AS f, 'e\u0301' AS c, 'x' AS x"
    assert ask("--warehouse", folder, sql) == 0
    assert capsys.readouterr().out.splitlines() == [
        "t         w       n       f  c  x",
        "────────  ──────  ────  ───  ─  ─",
        "a\\x1b[1m  日本🎵  NULL  1.5  e\u0301  x",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_table_fits_the_terminal(width: int) -> None:
    table = pa.table(
        {"name": ["x" * 300, "東雲レコード" * 20], "plays": [123_456, 7], "more": ["y" * 50, "z"], "last": [1, 2]}
    )
    header, line, first, second, *named = "".join(show(table, "table", width)).splitlines()
    assert max(map(width_of, (header, line, first, second))) <= width
    assert "…" in first
    assert ("123456" in first, header.split()[:1]) == (True, ["name"])
    left_over = [name for name in ("more", "last") if name not in header]
    assert " ".join(named) == (f"not shown without --wide: {', '.join(left_over)}" if left_over else "")


def test_a_table_that_has_room_is_as_it_is_without_a_width() -> None:
    table = pa.table({"name": ["a", "bb"], "plays": [1, 2]})
    assert list(show(table, "table", 80)) == list(show(table, "table"))


def test_a_terminal_gets_a_hundred_rows_unless_it_asks_for_all(folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 250)) AS n"
    asked = {"form": "table", "native": False, "max_megabytes": None}
    assert len(list(answer(folder, sql, **asked, width=80))) == 102
    assert capfd.readouterr().err == "100 of 250 rows; --wide shows all\n"
    assert len(list(answer(folder, sql, **asked))) == 252
    assert capfd.readouterr().err == "250 rows\n"


def test_where_room_is_short_what_says_nothing_goes_first() -> None:
    table = pa.table(
        {
            "track_id": ["5BLlaFZ5BLlaFZ5BLlaFZ"],
            "isrc": pa.array([None], pa.string()),
            "track_name": ["Crooked Bicycle after Midnight"],
            "artists": [[{"id": None, "name": "One"}, {"id": "i", "name": "Two"}]],
            "plays": [33],
        }
    )
    header, _, row, *named = "".join(show(table, "table", 36)).splitlines()
    assert header.split() == ["track_name", "artists", "plays"]
    assert row.endswith("  One, Two     33")
    assert " ".join(named) == "not shown without --wide: track_id, isrc"
    assert '[{"id": null, "name": "One"}' in "".join(show(table, "table"))


def test_json_is_one_array(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT played_at, played_at_local, played_on, artists, 1/4 AS f FROM plays ORDER BY 1 LIMIT 1"
    assert ask("--warehouse", folder, "--format", "json", sql) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "played_at": "2026-10-05T08:00:00Z",
            "played_at_local": "2026-10-05T10:00:00",
            "played_on": "2026-10-05",
            "artists": [{"id": "artist-1", "name": "Artist 1"}],
            "f": 0.25,
        }
    ]
    assert ask("--warehouse", folder, "--format", "json", "SELECT 1 FROM plays WHERE FALSE") == 0
    assert capsys.readouterr().out == "[]\n"


def test_csv_quotes(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'a,\"b\"' AS x, NULL AS y, payload FROM heavy_rotation.rejected"
    assert ask("--warehouse", folder, "--format", "csv", sql) == 0
    out = capsys.readouterr().out
    assert out == 'x,y,payload\n"a,""b""",,/3s=\n'
    assert list(csv.reader(io.StringIO(out)))[1] == ['a,"b"', "", "/3s="]


FAILURES = [
    ("SELECT foo FROM plays", "Unrecognized name: foo at [1:8]"),
    ("SELECT trackname\nFROM plays", "Unrecognized name: trackname; Did you mean track_name? at [1:8]"),
    ("SELECT rnk FROM monthly_top_tracks", "Unrecognized name: rnk; Did you mean rank? at [1:8]"),
    ("SELECT rnk FROM plays", "Unrecognized name: rnk at [1:8]"),
    ("SELECT pays FROM play_events WHERE 'plays' = 'plays'", "Unrecognized name: pays at [1:8]"),
    ("SELECT CAST(payload AS STRING) FROM rejected", "Invalid cast of bytes to UTF8 string"),
    ("SELECT NORMALIZE('a', NFX)", "Argument is not a valid NORMALIZE mode: NFX"),
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
    assert ask("--warehouse", folder, sql) == 1
    assert capsys.readouterr() == ("", f"error: {message}\n")


A_FILE = "{folder}/play_events/month=2026-11/x.parquet"
ATTACKS = [
    ("duckdb", f"COPY (SELECT 1) TO '{A_FILE}'"),
    ("duckdb", f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{A_FILE}'"),
    ("duckdb", f"WITH x AS (COPY (SELECT 1) TO '{A_FILE}') SELECT 1"),
    ("duckdb", f"SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{A_FILE}') SELECT 1)"),
    ("duckdb", f"SELECT 1; COPY (SELECT 1) TO '{A_FILE}'"),
    ("duckdb", "WITH x AS (DELETE FROM heavy_rotation.plays RETURNING *) SELECT * FROM x"),
    ("duckdb", "CREATE TABLE x AS SELECT 1"),
    ("duckdb", "EXPORT DATABASE '{folder}/x'"),
    ("duckdb", "ATTACH '{folder}/x.db'"),
    ("duckdb", "INSTALL httpfs"),
    ("duckdb", "SET enable_external_access = true"),
    ("duckdb", "SELECT * FROM read_csv('/etc/hostname')"),
    ("duckdb", f"SELECT * FROM read_parquet('{A_FILE}')"),
    ("duckdb", "SELECT * FROM glob('/*')"),
    ("duckdb", "SELECT * FROM 'https://example.com/x.parquet'"),
    ("bigquery", f"SELECT EXTRACT(`DAY FROM month); COPY (SELECT 1) TO '{A_FILE}' --` FROM month) FROM plays"),
    ("bigquery", "SELECT LAST_DAY(month, `WEEK); SELECT 2 --`) FROM plays"),
    ("bigquery", "WITH x AS (INSERT INTO rejected (reason) VALUES ('x')) SELECT * FROM x"),
    ("bigquery", "SELECT * FROM (INSERT INTO rejected (reason) VALUES ('x'))"),
    ("bigquery", "SELECT * FROM read_text('/etc/hostname')"),
    ("bigquery", f"EXPORT DATA OPTIONS (uri = '{A_FILE}') AS SELECT 1"),
]


@pytest.mark.parametrize(("dialect", "sql"), ATTACKS)
def test_a_query_neither_writes_nor_reads_elsewhere(
    dialect: str, sql: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.is_file() and path.read_bytes() for path in Path(folder).rglob("*")}
    assert ask("--warehouse", folder, "--dialect", dialect, sql.format(folder=folder)) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert {path: path.is_file() and path.read_bytes() for path in Path(folder).rglob("*")} == before


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO '{}/x'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/x'"])
def test_nor_could_it_if_it_were_not_judged(sql: str, tmp_path: Path) -> None:
    with duck.new_database() as connection, pytest.raises(duckdb.PermissionException, match="disabled by config"):
        connection.execute(sql.format(tmp_path))


def test_a_query_that_needs_too_much_memory_is_ended_with_a_sentence(folder: str) -> None:
    sql = "SELECT ARRAY_LENGTH(GENERATE_ARRAY(1, 400000000))"
    ended = heavy_rotation("--warehouse", folder, "--max-memory", "512", sql)
    assert ended.returncode == 1
    assert ended.stderr == "error: the query needs more than 512 MB of memory; --max-memory allows it more\n"


def test_rows_that_need_too_much_memory_as_text_are_too(folder: str) -> None:
    sql = "SELECT REPEAT('x', 1000) AS x FROM UNNEST(GENERATE_ARRAY(1, 1000000))"
    ended = heavy_rotation("--warehouse", folder, "--max-memory", "700", "--format", "json", sql)
    assert ended.returncode == 1
    assert ended.stderr == "error: the query needs more than 700 MB of memory; --max-memory allows it more\n"


ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b "
    "WHERE a * b = 7"
)


def test_a_query_that_takes_too_long_is_killed(folder: str) -> None:
    ended = heavy_rotation("--warehouse", folder, "--max-seconds", "2", ENDLESS)
    assert ended.returncode == 1
    assert ended.stderr == "error: the query took more than 2 seconds; --max-seconds allows it more\n"


def test_ctrl_c_ends_a_query_quietly(folder: str) -> None:
    command = [sys.executable, "-m", "heavy_rotation", "query", "--warehouse", folder, ENDLESS]
    # A terminal sends it to all that runs in the foreground.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True
    ) as asked:
        while not Path(f"/proc/{asked.pid}/task/{asked.pid}/children").read_text():
            time.sleep(0.01)  # until the process is there that asks
        os.killpg(asked.pid, signal.SIGINT)
        assert asked.wait(timeout=30) == 130
        assert asked.stdout and asked.stderr  # noqa: PT018
        assert (asked.stdout.read(), asked.stderr.read()) == (b"", b"")


def test_duckdb_s_sql(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "FROM heavy_rotation.plays SELECT count(*) AS n"
    assert ask("--warehouse", folder, "--dialect", "duckdb", "--format", "csv", sql) == 0
    assert capsys.readouterr().out == "n\n8\n"


def test_without_a_query_it_shows_what_there_is(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("--warehouse", folder) == 0
    out = capsys.readouterr().out
    assert re.search(r"^\w+ +8 +2  2026-10-01   2026-11-01$", out, re.MULTILINE)
    assert re.search(r"heavy_rotation.play_events  \d+ rows\n    user_id STRING, played_at TIMESTAMP", out)
    assert out.index(f"heavy-rotation query --warehouse {folder}") < out.index("heavy_rotation.fullest_snapshots")


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("month = '2019-05-01'", ""),
        ("month = '2026-05-02'", "a month is its first day: '2026-05-01'\n"),
        ("month = '2026-11-02' AND rank = 1", "a month is its first day: '2026-11-01'\n"),
    ],
)
def test_an_empty_answer_says_which_months_there_are(
    where: str, hint: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("--warehouse", folder, f"SELECT rank FROM heavy_rotation.monthly_top_tracks WHERE {where}") == 0
    assert capsys.readouterr().err == f"0 rows\n{hint}months here: 2026-10 to 2026-11\n"


def test_a_month_without_quotes_is_told(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("--warehouse", folder, "SELECT rank FROM heavy_rotation.monthly_top_tracks WHERE month = 2026-11") == 1
    assert capsys.readouterr().err.endswith("; a month wants quotes, and its first day: '2026-11-01'\n")


def test_the_examples_it_shows_give_rows(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask("--warehouse", folder)
    example = r'^heavy-rotation query --warehouse \S+ "\n(.*?)"$'
    examples = re.findall(example, capsys.readouterr().out, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for sql in examples:
        assert ask("--warehouse", folder, sql) == 0
        assert capsys.readouterr().err != "0 rows\n"


def test_of_an_empty_warehouse_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    FolderWarehouse(tmp_path, "Europe/Paris")
    assert ask("--warehouse", str(tmp_path)) == 0
    assert "There are no plays in it yet; heavy-rotation import or rebuild brings them in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["--warehouse", "gs://bucket", "SELECT 1"], ["--warehouse", "w", "--format", "xml", "SELECT 1"],
     ["--warehouse", "bigquery://p.d", "--dialect", "duckdb", "SELECT 1"]],
)  # fmt: skip
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_no_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("--warehouse", str(tmp_path / "none")) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert ask("--warehouse", str(tmp_path / "none"), "SELECT 1") == 1
    assert "There is no folder" in capsys.readouterr().err
    assert ask("--warehouse", str(tmp_path), "SELECT 1") == 1
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
        assert asked.stdout.readline() == b"x\n"
        asked.stdout.close()
        assert asked.stderr.read() == b""
    assert asked.returncode == 0
