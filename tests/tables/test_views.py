"""The views, by Google's executor and on the local warehouse: right whatever order rows came in."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from itertools import permutations, product
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipelines.tables
from pipelines.domain import ranking
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.snapshots import KINDS
from pipelines.domain.song import UNKNOWN_NAME, song_key
from pipelines.querying import duck
from pipelines.storage.archive import decode
from pipelines.storage.encoding import encode
from pipelines.tables import SNAPSHOTS, TABLES, VIEWS, play_events_schema, snapshots_schema, table_of, table_schema
from pipelines.warehouse.arrow import arrow_schema
from pipelines.warehouse.folder import FolderWarehouse
from tests.standins.zetasql_judge import Judge, the_judge
from tests.warehouse.listening import CALENDAR, READ_AT, blank, listening_in, play, rows
from tests.warehouse.watching import snapshots

NOVEMBER = date(2026, 11, 1)
zetasql = pytest.mark.xdist_group("zetasql")


@pytest.fixture
def judge() -> Judge:
    return the_judge()


def _local(folder: Path, sql: str, **tables: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    warehouse = FolderWarehouse(folder, "Europe/Paris")
    for table, some in tables.items():
        for row in some:  # a file each, as a stream writes them
            warehouse.append(table, [row])
    return [tuple(row.values()) for row in duck.query(warehouse, sql).to_pylist()]


def test_play_events_schema_is_the_derived_one() -> None:
    assert table_schema("play_events") == play_events_schema()


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_of_snapshots_are_the_derived_ones(kind: str) -> None:
    assert table_schema(table_of(kind)) == snapshots_schema(kind)


def test_every_kind_of_snapshots_has_its_table() -> None:
    assert tuple(map(table_of, KINDS)) == SNAPSHOTS


def test_the_reference_file_is_one_of_the_archive_without_plays() -> None:
    # Made anew by: Path("pipelines/tables/play.avro").write_bytes(encode([]))
    file = Path(pipelines.tables.__file__).with_name("play.avro").read_bytes()
    assert list(decode("play.avro", file)) == []
    schemas = [json.loads(fastavro.reader(io.BytesIO(data)).metadata["avro.schema"]) for data in (file, encode([]))]
    assert schemas[0] == schemas[1]


def test_the_columns_of_tables_that_exist_stay_where_they_are() -> None:
    """BigQuery refuses a column that comes anywhere but last. Add new ones to this list, at its end."""
    assert " ".join(field["name"] for field in table_schema("play_events")) == (
        "user_id played_at track_id track_name duration_ms isrc explicit artists album_id album_name "
        "album_release_date album_image_url context_uri ms_played skipped reason_start reason_end source ingested_at "
        "played_on played_at_local month song_key album_key album_artist_name"
    )
    assert " ".join(field["name"] for field in table_schema("top_ten_snapshots")[-1]["fields"]) == (
        "rank id name artist_name album_name image_url plays last_played_at song_id"
    )
    assert {table: " ".join(field["name"] for field in table_schema(table)) for table in SNAPSHOTS} == {
        "playlist_snapshots": (
            "playlist_id snapshot_id position taken_at source playlist_name playlist_image_url tracks added_at "
            "track_id track_name artists album_id album_name album_artist_name album_release_date album_image_url "
            "duration_ms isrc explicit month"
        ),
        "artist_snapshots": (
            "artist_id source taken_at found source_id matched_by name genres image_url popularity followers listeners "
            "listens top_tracks month"
        ),
        "track_snapshots": (
            "track_id source taken_at found source_id matched_by name artists album_id album_name album_artist_name "
            "album_release_date album_image_url duration_ms isrc explicit popularity listeners listens acousticness "
            "danceability energy instrumentalness liveness loudness speechiness tempo valence month"
        ),
    }


@pytest.mark.parametrize("table", TABLES)
def test_arrow_has_every_column(table: str) -> None:
    assert arrow_schema(table).names == [field["name"] for field in table_schema(table)]


ORDERED = {
    "plays": "played_at",
    "fullest_snapshots": "month, kind",
    "track_info": "artist_name, track_id",
    "album_info": "album_id",
    "artist_info": "artist_id",
    "artist_genres": "artist_id, source, genre",
    "artist_history": "artist_id, source, taken_at",
    "playlist_history": "playlist_id, came_at, first_position",
    "monthly_top_genres": "month, source, rank",
}


@zetasql
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_gives_the_same_rows_in_both(view: str, judge: Judge, tmp_path: Path) -> None:
    some = rows() | snapshots()
    judge.fill(**some)
    sql = f"SELECT * FROM heavy_rotation.{view} ORDER BY {ORDERED.get(view, 'month, rank')}"  # noqa: S608
    assert _local(tmp_path, sql, **some) == judge.query(sql) != []


PREFERRED = [
    play("2026-11-02T08:00:00Z", track, 1, source=source, ingested_at=READ_AT + timedelta(hours=hours))
    for source, hours, track in product(Source, (0, 1), (1, 2))
]


@zetasql
def test_plays_keeps_the_copy_that_the_pipelines_prefer(judge: Judge, tmp_path: Path) -> None:
    pairs = list(permutations(PREFERRED, 2))
    expected, events = {}, []
    for number, (one, other) in enumerate(pairs):
        user = f"listener-{number:03d}"
        best: Play = min(one, other, key=lambda copy: copy.preference)
        expected[user] = (best.source.value, best.ingested_at, best.track_id)
        events += [copy.to_row(CALENDAR) | {"user_id": user} for copy in (one, other)]
    sql = "SELECT user_id, source, ingested_at, track_id FROM heavy_rotation.plays ORDER BY user_id"
    judge.fill(play_events=events)
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    warehouse.append("play_events", events)
    by_google = judge.query(sql)
    assert {user: tuple(rest) for user, *rest in by_google} == expected
    assert [tuple(row.values()) for row in duck.query(warehouse, sql).to_pylist()] == by_google


def _snapshot(plays: int, hour: int, user: str = "listener") -> dict[str, Any]:
    """The tracks' row after so many plays, each of another track."""
    heard = [play(f"2026-11-02T{number:02d}:00:00Z", number, 1) for number in range(plays)]
    tally = dict(map(ranking.entry, heard))
    computed_at = datetime(2026, 11, 21, hour, tzinfo=UTC)
    made = ranking.snapshots(user, NOVEMBER, tally, is_final=False, computed_at=computed_at)
    return next(iter(made))


# Partial panes, then the full one, which is written twice; and a job that started again with little.
SEEN = [_snapshot(2, 8), _snapshot(4, 9), _snapshot(4, 9), _snapshot(1, 10)]
FULLEST = [(4, datetime(2026, 11, 21, 9, tzinfo=UTC), 4)]
SQL = """
SELECT plays_in_month, computed_at, (SELECT COUNT(*) FROM heavy_rotation.monthly_top_tracks)
FROM heavy_rotation.fullest_snapshots
"""
# The second and the third are the same row.
ORDERS = [order for order in permutations(range(4)) if order.index(1) < order.index(2)]


@zetasql
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_fullest_snapshot_wins_in_any_order(order: tuple[int, ...], judge: Judge, tmp_path: Path) -> None:
    snapshots = [SEEN[index] for index in order]
    judge.fill(top_ten_snapshots=snapshots)
    assert judge.query(SQL) == FULLEST
    assert _local(tmp_path, SQL, top_ten_snapshots=snapshots) == FULLEST


@zetasql
def test_of_equally_full_snapshots_the_newest_wins(judge: Judge, tmp_path: Path) -> None:
    snapshots = [_snapshot(4, 9), _snapshot(4, 11), _snapshot(4, 10)]
    judge.fill(top_ten_snapshots=snapshots)
    expected = [(4, datetime(2026, 11, 21, 11, tzinfo=UTC), 4)]
    assert judge.query(SQL) == _local(tmp_path, SQL, top_ten_snapshots=snapshots) == expected


@zetasql
def test_users_months_and_kinds_do_not_mix(judge: Judge, tmp_path: Path) -> None:
    snapshots = [_snapshot(2, 8), _snapshot(3, 8, "other"), _snapshot(4, 9) | {"month": date(2026, 10, 1)}]
    judge.fill(top_ten_snapshots=snapshots)
    sql = "SELECT user_id, month, COUNT(*) FROM monthly_top_tracks GROUP BY 1, 2 ORDER BY 1, 2"
    expected = [("listener", date(2026, 10, 1), 4), ("listener", NOVEMBER, 2), ("other", NOVEMBER, 3)]
    assert judge.query(sql) == _local(tmp_path, sql, top_ten_snapshots=snapshots) == expected


@pytest.mark.parametrize("where", ["month = '2026-11-01'", "month BETWEEN '2026-11-01' AND '2026-12-01'"])
@pytest.mark.parametrize("view", ["plays", "fullest_snapshots"])
def test_a_filter_on_the_month_reads_only_its_partition(view: str, where: str, tmp_path: Path) -> None:
    warehouse = listening_in(tmp_path)
    blank(warehouse, date(2026, 10, 1))
    assert duck.query(warehouse, f"SELECT * FROM {view} WHERE {where}").num_rows == 3 + (view == "plays")  # noqa: S608
    with pytest.raises((OSError, duckdb.Error)):
        duck.query(warehouse, f"SELECT * FROM {view}")  # noqa: S608


SONG_IDS = "SELECT user_id, played_at, song_id FROM heavy_rotation.plays ORDER BY user_id, played_at"


@zetasql
def test_song_id_is_the_key_of_the_track_ids_preferred_copy_in_the_month(judge: Judge, tmp_path: Path) -> None:
    exported = {"source": Source.EXTENDED_EXPORT, "artists": (Artist("Various Artists"),), "track_name": "Hit"}
    hit = {"artists": (Artist("Artist 1", "artist-1"),), "track_name": "Hit"}
    heard = [
        play("2026-11-02T08:00:00Z", 1, 1, **exported),
        play("2026-11-03T08:00:00Z", 1, 1, **hit),
        play("2026-11-04T08:00:00Z", 2, 1, **hit | {"track_name": " HIT"}),
        # In another month, and for somebody else, nothing says whose song it is.
        play("2026-12-02T08:00:00Z", 1, 1, **exported),
        play("2026-11-02T08:00:00Z", 1, 1, **exported, user_id="other"),
        play("2026-11-05T08:00:00Z", 3, 1, **hit | {"track_name": UNKNOWN_NAME}),
    ]
    events = [one.to_row(CALENDAR) for one in heard]
    judge.fill(play_events=events)
    by_google = judge.query(SONG_IDS)
    known, various = song_key("", "Hit", "Artist 1"), song_key("", "Hit", "Various Artists")
    assert [song for _, _, song in by_google] == [known, known, known, "track-3", various, various]
    assert _local(tmp_path, SONG_IDS, play_events=events) == by_google


def test_tables_of_before_there_were_songs_can_be_asked(tmp_path: Path) -> None:
    warehouse = listening_in(tmp_path)
    for table in TABLES:
        for month in warehouse.months(table):
            for path in warehouse.files(table, month):
                pq.write_table(_without_songs(pq.read_table(path)), path)
    plays = duck.query(warehouse, "SELECT * FROM plays").to_pylist()
    assert len(plays) == 8
    assert all(row["song_id"] == row["track_id"] and row["album_artist_name"] is None for row in plays)
    tens = duck.query(warehouse, "SELECT track_id, song_id FROM monthly_top_tracks ORDER BY 1").to_pylist()
    assert {row["song_id"] for row in tens} == {None}
    assert len(tens) == 6


def _without_songs(table: pa.Table) -> pa.Table:
    """As an older version wrote it."""
    rows = table.drop(
        [c for c in ("album_artist_name", "song_key", "album_key") if c in table.column_names]
    ).to_pylist()
    for item in (item for row in rows for item in row.get("items", ())):
        del item["song_id"]
    return pa.Table.from_pylist(rows)
