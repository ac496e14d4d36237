# ruff: noqa: E501, S608 - a query a line
"""What a query means: the local warehouse gives the rows that Google's executor gives."""

from typing import Any

import pytest

from pipelines.querying import duck
from pipelines.warehouse.folder import FolderWarehouse
from tests.standins.zetasql_judge import Judge, the_judge
from tests.warehouse.listening import rows

pytestmark = pytest.mark.xdist_group("zetasql")

PLAYS = "FROM heavy_rotation.plays ORDER BY played_at"
QUERIES = [
    # Dates and times
    f"SELECT DATE_TRUNC(played_on, MONTH), DATE_TRUNC(played_on, WEEK), DATE_TRUNC(played_on, ISOWEEK) {PLAYS}",
    f"SELECT DATE_TRUNC(played_on, WEEK(MONDAY)), DATE_TRUNC(played_on, YEAR) {PLAYS}",
    f"SELECT TIMESTAMP_TRUNC(played_at, HOUR), TIMESTAMP_TRUNC(played_at, DAY, 'Europe/Paris') {PLAYS}",
    f"SELECT TIMESTAMP_TRUNC(played_at, WEEK), DATETIME_TRUNC(played_at_local, MONTH) {PLAYS}",
    f"SELECT EXTRACT(DAYOFWEEK FROM played_on), EXTRACT(WEEK FROM played_on) {PLAYS}",
    f"SELECT EXTRACT(ISOWEEK FROM played_on), EXTRACT(WEEK(MONDAY) FROM played_on) {PLAYS}",
    f"SELECT EXTRACT(HOUR FROM played_at AT TIME ZONE 'Europe/Paris'), EXTRACT(HOUR FROM played_at) {PLAYS}",
    f"SELECT EXTRACT(MILLISECOND FROM played_at), EXTRACT(SECOND FROM played_at) {PLAYS}",
    f"SELECT EXTRACT(DATE FROM played_at), EXTRACT(QUARTER FROM month), EXTRACT(DAYOFYEAR FROM month) {PLAYS}",
    f"SELECT EXTRACT(DATE FROM played_at AT TIME ZONE 'Asia/Kolkata') {PLAYS}",
    f"SELECT DATE(played_at, 'Europe/Paris'), DATE(played_at), DATETIME(played_at, 'Europe/Paris') {PLAYS}",
    f"SELECT TIMESTAMP(played_at_local, 'Europe/Paris') = played_at, TIMESTAMP(played_on) {PLAYS}",
    f"SELECT FORMAT_DATE('%A %d %B %Y', played_on), FORMAT_DATE('%Y-%m', month) {PLAYS}",
    f"SELECT FORMAT_TIMESTAMP('%F %T', played_at, 'Europe/Paris'), FORMAT_TIMESTAMP('%H:%M', played_at) {PLAYS}",
    f"SELECT FORMAT_DATETIME('%d/%m %H:%M', played_at_local) {PLAYS}",
    f"SELECT DATE_ADD(month, INTERVAL 1 MONTH), DATE_SUB(played_on, INTERVAL 1 DAY), played_on + 1 {PLAYS}",
    "SELECT DATE_DIFF('2026-02-01', '2026-01-31', MONTH), DATE_DIFF('2026-02-08', '2026-02-07', WEEK)",
    "SELECT TIMESTAMP_DIFF('2026-01-01 02:00:00+00', '2026-01-01 00:30:00+00', HOUR)",
    f"SELECT TIMESTAMP_SUB(played_at, INTERVAL 36 HOUR), LAST_DAY(played_on) {PLAYS}",
    f"SELECT UNIX_SECONDS(played_at), UNIX_MILLIS(played_at), CAST(played_on AS STRING) {PLAYS}",
    "SELECT TIMESTAMP_MILLIS(1500), TIMESTAMP_SECONDS(1), PARSE_DATE('%Y-%m', '2026-11')",
    "SELECT TIMESTAMP_MILLIS(1500) < TIMESTAMP '2026-11-01 00:00:00 Europe/Paris'",
    "SELECT PARSE_TIMESTAMP('%Y-%m-%d %H:%M', '2026-11-01 10:00')",
    "SELECT GENERATE_DATE_ARRAY('2026-01-01', '2026-03-01', INTERVAL 1 MONTH)",
    "SELECT d FROM UNNEST(GENERATE_DATE_ARRAY('2026-01-30', '2026-02-02')) AS d ORDER BY d",
    "SELECT CURRENT_DATE('Europe/Paris') >= DATE(2026, 1, 1), DATETIME '2026-11-01 10:00:00'",
    # Numbers
    "SELECT 7 / 2, DIV(7, 2), MOD(7, 2), SAFE_DIVIDE(1, 0), IEEE_DIVIDE(1, 0), ROUND(2.5), -7 / 2, DIV(-7, 2)",
    "SELECT DIV(7 + 2, 1 + 2), COUNTIF(x), COUNTIF(x) + 1 FROM UNNEST([CAST(NULL AS BOOL)]) AS x",
    "SELECT CAST(2.5 AS INT64), CAST(1.5 AS INT64), CAST('3' AS INT64), SAFE_CAST('x' AS INT64)",
    "SELECT CAST(AVG(x) AS INT64), CAST(-2.5e0 AS INT64), CAST(TRUE AS INT64) FROM UNNEST([2, 3]) AS x",
    "SELECT 0.1 + 0.2, 1e3, GREATEST(1, 2), TRUNC(2.7), CEIL(2.1), FLOOR(-2.1), ABS(-1), POW(2, 3)",
    "SELECT SUM(duration_ms), AVG(duration_ms), COUNTIF(track_id = 'track-2'), COUNT(ms_played) FROM plays",
    "SELECT SUM(duration_ms) / COUNT(*), MIN(track_id), MAX(played_at), COUNT(DISTINCT track_id) FROM plays",
    "SELECT SUM(ms_played), ROUND(STDDEV(duration_ms), 3) FROM plays",
    # Arrays and structs
    "SELECT track_id, ARRAY_AGG(STRUCT(played_at AS heard, artists) ORDER BY played_at DESC LIMIT 1)[OFFSET(0)].heard "
    "FROM plays GROUP BY 1 ORDER BY 1",
    "SELECT ARRAY_AGG(x ORDER BY x LIMIT 1)[OFFSET(0)] IS NULL, ARRAY_AGG(x ORDER BY x DESC LIMIT 1)[SAFE_OFFSET(0)], "
    "ARRAY_AGG(x IGNORE NULLS ORDER BY x LIMIT 1)[OFFSET(0)], ARRAY_AGG(x ORDER BY x DESC LIMIT 2)[OFFSET(0)], "
    "ARRAY_AGG(x ORDER BY x DESC LIMIT 2)[ORDINAL(1)], ARRAY_AGG(x ORDER BY x DESC LIMIT 1)[SAFE_OFFSET(1)], "
    "ARRAY_AGG(x IGNORE NULLS ORDER BY x LIMIT 2), STRING_AGG(CAST(x AS STRING) ORDER BY x LIMIT 2), STRING_AGG(DISTINCT CAST(x AS STRING) LIMIT 4) LIKE '_,_,_' "
    "FROM UNNEST([2, NULL, 3, 1]) AS x",
    "SELECT track_id, a.name, o FROM plays, UNNEST(artists) AS a WITH OFFSET AS o ORDER BY played_at, o",
    "SELECT i.name, o FROM fullest_snapshots, UNNEST(items) AS i WITH OFFSET o WHERE kind = 'track' ORDER BY 2, 1",
    "SELECT name, offset FROM plays, UNNEST(artists) WITH OFFSET ORDER BY 1, 2",
    "SELECT p.track_id, a.name FROM plays AS p LEFT JOIN UNNEST(p.artists) AS a ORDER BY p.played_at",
    "SELECT p.track_id, A.name FROM plays AS p, UNNEST(p.artists) AS a WHERE a.name <> 'Artist 2' ORDER BY p.played_at",
    "SELECT track_id, a.name FROM plays LEFT JOIN UNNEST(artists) AS a ON a.name = 'Artist 2' ORDER BY played_at",
    "SELECT track_id, a.name FROM plays JOIN UNNEST(artists) AS a ON a.name = album_artist_name ORDER BY played_at",
    "SELECT a.name, x FROM plays, UNNEST(artists) AS a, UNNEST([1, 2]) AS x WHERE x > 1 ORDER BY played_at",
    "SELECT name, rank FROM fullest_snapshots, UNNEST(items) WHERE kind = 'track' AND rank < 3 ORDER BY rank, name",
    "SELECT x, offset FROM UNNEST(['a', 'b']) AS x WITH OFFSET ORDER BY offset DESC",
    f"SELECT ARRAY_LENGTH(artists), artists[OFFSET(0)].name, artists[SAFE_OFFSET(5)].name, artists {PLAYS}",
    f"SELECT artists[ORDINAL(1)].id, artists[0].id, (SELECT COUNT(*) FROM UNNEST(artists)) {PLAYS}",
    f"SELECT ARRAY(SELECT name FROM UNNEST(artists)), (SELECT STRING_AGG(name) FROM UNNEST(artists)) {PLAYS}",
    "SELECT COUNT(*) FROM plays WHERE EXISTS (SELECT 1 FROM UNNEST(artists) AS a WHERE a.name = 'Artist 2')",
    "SELECT COUNT(*) FROM plays WHERE track_id IN UNNEST(['track-1', 'track-2'])",
    "SELECT month, ARRAY_AGG(track_id ORDER BY played_at DESC LIMIT 2) FROM plays GROUP BY month ORDER BY month",
    "SELECT ARRAY_AGG(STRUCT(track_id AS t, played_on AS d) ORDER BY played_at LIMIT 1)[OFFSET(0)].d FROM plays",
    "SELECT ARRAY_AGG(DISTINCT track_id IGNORE NULLS ORDER BY track_id) FROM plays",
    "SELECT STRUCT(1 AS a, 'x' AS b), ARRAY_TO_STRING(['a', 'b'], '-'), ARRAY_CONCAT([1], [2]), GENERATE_ARRAY(1, 3)",
    "SELECT STRING_AGG(track_id, ', ' ORDER BY played_at LIMIT 2) FROM plays",
    "SELECT ANY_VALUE(track_name HAVING MAX played_at) FROM plays",
    # Shapes of queries
    "SELECT * EXCEPT (artists, ingested_at) FROM heavy_rotation.play_events ORDER BY played_at, track_id",
    "SELECT * REPLACE (kind AS user_id) FROM `heavy_rotation.fullest_snapshots` ORDER BY month, kind",
    "SELECT p.* EXCEPT (artists) FROM `plays` AS p ORDER BY p.played_at LIMIT 2 OFFSET 1",
    "SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x",
    "SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x DESC",
    "SELECT x, ROW_NUMBER() OVER (ORDER BY x) FROM UNNEST([2, NULL, 1]) AS x ORDER BY 2",
    "SELECT x, RANK() OVER (ORDER BY x DESC) FROM UNNEST([2, NULL, 1, 2]) AS x ORDER BY 2, 1",
    "SELECT track_id, played_at FROM plays WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY track_id ORDER BY played_at) = 1 ORDER BY 2",
    "SELECT played_on, LAG(played_on) OVER (ORDER BY played_at) FROM plays ORDER BY played_at",
    "SELECT track_id, SUM(1) OVER (ORDER BY played_at) FROM plays ORDER BY played_at",
    "SELECT DATE_TRUNC(played_on, YEAR) AS month, COUNT(*) FROM plays GROUP BY month",
    "SELECT month, COUNT(*) AS plays FROM plays GROUP BY 1 HAVING plays > 3 ORDER BY plays DESC, month",
    "SELECT month, track_id, COUNT(*) FROM plays GROUP BY ROLLUP (month, track_id) ORDER BY 1, 2",
    "SELECT 1 AS x UNION ALL SELECT 1 UNION ALL SELECT 2 ORDER BY x",
    "SELECT track_id FROM plays WHERE month = '2026-10-01' EXCEPT DISTINCT SELECT track_id FROM plays WHERE month = '2026-11-01' ORDER BY 1",
    "WITH plays AS (SELECT 1 AS x) SELECT x, (SELECT COUNT(*) FROM heavy_rotation.rejected) FROM plays",
    "SELECT payload, rejected_at, attributes FROM heavy_rotation.rejected",
    # Text
    "SELECT STARTS_WITH('abc', 'a'), ENDS_WITH('abc', 'c'), STRPOS('abc', 'c')",
    "SELECT REGEXP_CONTAINS('abc', r'^a.c$'), REGEXP_EXTRACT('a1b2', r'b(\\d)'), REGEXP_REPLACE('a1', r'(\\d)', r'<\\1>')",
    "SELECT SPLIT('a,b', ','), SUBSTR('abc', 2, 1), SUBSTR('abc', -2), LPAD('7', 3, '0'), INITCAP('ab cd')",
    "SELECT CONCAT('a', 'b'), 'a' || 'b', LENGTH('日本'), UPPER('é'), TRIM(' a '), REVERSE('abc'), REPEAT('a', 2)",
    "SELECT FORMAT('%d of %s', 1, 'x'), FORMAT('%.1f', 2.25), IF(TRUE, 1, 2), IFNULL(NULL, 1), NULLIF(1, 1)",
    "SELECT LOWER('A') = 'a', 'a' < 'B', CONCAT('a', NULL), COALESCE(NULL, 'x'), REPLACE('aa', 'a', 'b')",
    # Bytes, and how text is written
    r"SELECT CAST(b'abc' AS STRING), CAST(b'\xc3\xa9\x5c' AS STRING), CAST('é' AS BYTES), CAST(FROM_BASE64('YWI=') AS STRING)",
    r"SELECT SAFE_CAST(b'\xff' AS STRING), SAFE_CAST(b'ab' AS STRING), SAFE_CAST(payload AS STRING) FROM rejected",
    "SELECT SAFE_CONVERT_BYTES_TO_STRING(payload), LENGTH(payload), SAFE_CONVERT_BYTES_TO_STRING(NULL) FROM rejected",
    r"SELECT SAFE_CONVERT_BYTES_TO_STRING(b'a\xff\xfeb'), SAFE_CONVERT_BYTES_TO_STRING(b'\xe3\x81\xf0\x9f\x8e')",
    "SELECT CAST(b'a' AS BYTES), SAFE_CAST('é' AS BYTES), CAST('a\\\\b' AS BYTES), TO_HEX(CAST('é' AS BYTES)), SAFE_CAST('3' AS INT64)",
    "SELECT SAFE_CAST((SELECT MAX(track_id) FROM plays) AS STRING), CAST(NULL AS STRING), SAFE_CAST(NULL AS BYTES)",
    f"SELECT CAST(played_at AS STRING), CAST(played_at_local AS STRING), CAST(explicit AS STRING) {PLAYS}",
    "SELECT CAST(1.0 AS STRING), CAST(1.50 AS STRING), CAST(10 AS STRING), CAST(1e0 AS STRING), CAST(-0.5 AS STRING)",
    "SELECT CAST(month AS STRING) AS m, COUNT(*) FROM plays GROUP BY CAST(month AS STRING) ORDER BY m",
    "SELECT NORMALIZE('e\u0301'), NORMALIZE('é', NFD) = 'e\u0301', LENGTH(NORMALIZE('é', NFD)), NORMALIZE(NULL)",
    "SELECT \"double\", 'it\\'s', '''a'b''', r'\\d', 'tab\\tnew'",
]  # fmt: skip
# Without a judge: ZetaSQL's executor does not know these.
KNOWN = [
    ("SELECT APPROX_TOP_COUNT(track_id, 2) FROM plays", [([
        {"value": "track-2", "count": 3}, {"value": "track-1", "count": 2}],)]),
    ("SELECT APPROX_COUNT_DISTINCT(track_id), MAX_BY(track_id, played_at) FROM plays", [(5, "track-5")]),
    ("SELECT CONTAINS_SUBSTR('ABC', 'b')", [(True,)]),
    # Its build lacks the tables for these two.
    ("SELECT NORMALIZE('ﬁ①', NFKC), NORMALIZE('ﬁ', NFKD)", [("fi1", "fi")]),
    ("SELECT NORMALIZE_AND_CASEFOLD('ÉSS') = NORMALIZE_AND_CASEFOLD('e\u0301ß'), NORMALIZE_AND_CASEFOLD('Ⓐ', NFKC)", [(True, "a")]),
    ("SELECT table_name, table_type FROM heavy_rotation.INFORMATION_SCHEMA.TABLES ORDER BY table_type, table_name LIMIT 7", [
        ("artist_snapshots", "BASE TABLE"), ("play_events", "BASE TABLE"), ("playlist_snapshots", "BASE TABLE"),
        ("rejected", "BASE TABLE"), ("top_ten_snapshots", "BASE TABLE"), ("track_snapshots", "BASE TABLE"),
        ("album_info", "VIEW")]),
    ("SELECT column_name, data_type, is_nullable FROM `p`.heavy_rotation.INFORMATION_SCHEMA.COLUMNS "
     "WHERE table_name = 'rejected' AND ordinal_position < 6 ORDER BY ordinal_position", [
        ("rejected_at", "TIMESTAMP", "NO"), ("origin", "STRING", "NO"), ("message_id", "STRING", "YES"),
        ("reason", "STRING", "NO"), ("payload", "BYTES", "NO")]),
    ("SELECT c.table_name, c.column_name, c.clustering_ordinal_position FROM INFORMATION_SCHEMA.COLUMNS AS c "
     "JOIN `heavy_rotation.INFORMATION_SCHEMA.TABLES` AS t USING (table_name) "
     "WHERE t.table_type = 'BASE TABLE' AND c.is_partitioning_column = 'YES' ORDER BY 1", [
        ("artist_snapshots", "month", None), ("play_events", "month", None), ("playlist_snapshots", "month", None),
        ("rejected", "rejected_at", None), ("top_ten_snapshots", "month", None), ("track_snapshots", "month", None)]),
    ("SELECT data_type FROM heavy_rotation.information_schema.columns WHERE table_name = 'plays' AND column_name = 'artists'",
     [("ARRAY<STRUCT<id STRING, name STRING>>",)]),
    ("SELECT COUNT(*) FROM `heavy_rotation`.`plays`", [(8,)]),
    ("SELECT COUNT(*) FROM `some-project.heavy_rotation.plays`", [(8,)]),
    ("SELECT COUNT(*) FROM `some-project`.heavy_rotation.plays", [(8,)]),
]  # fmt: skip


@pytest.fixture(scope="module")
def judge() -> Judge:
    judge = the_judge()
    judge.fill(**rows())
    return judge


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> FolderWarehouse:
    warehouse = FolderWarehouse(tmp_path_factory.mktemp("warehouse"), "Europe/Paris")
    for table, some in rows().items():
        warehouse.append(table, some)
    return warehouse


def _rows(warehouse: FolderWarehouse, sql: str) -> list[tuple[Any, ...]]:
    return [
        tuple(row) for row in zip(*(column.to_pylist() for column in duck.query(warehouse, sql).columns), strict=True)
    ]


@pytest.mark.parametrize("sql", QUERIES)
def test_the_rows_are_google_s(sql: str, judge: Judge, warehouse: FolderWarehouse) -> None:
    assert _rows(warehouse, sql) == judge.query(sql)


@pytest.mark.parametrize(("sql", "expected"), KNOWN)
def test_the_rows_are_known(sql: str, expected: list[tuple[Any, ...]], warehouse: FolderWarehouse) -> None:
    assert _rows(warehouse, sql) == expected
