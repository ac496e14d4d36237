"""The reader that keeps what it has read: it answers as a database made anew would, whatever happens to the files."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from pipelines.querying import duck, kept_views, listing, reader
from pipelines.querying.reader import FolderReader
from pipelines.tables import SNAPSHOTS, VIEWS
from pipelines.warehouse.folder import FolderWarehouse, WarehouseError
from tests.warehouse.listening import CALENDAR, READ_AT, blank, listening_in, play
from tests.warehouse.watching import snapshots

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
ALL = "SELECT * FROM heavy_rotation.{} ORDER BY ALL"


@pytest.fixture
def warehouse(tmp_path: Path) -> FolderWarehouse:
    warehouse = listening_in(tmp_path / "warehouse")
    for table, some in snapshots().items():
        warehouse.append(table, some)
    return warehouse


def rows(of: FolderReader, table: str, months: list[tuple[date, date]] | None = None) -> list[dict[str, Any]]:
    return of.rows(ALL.format(table), months=months)


def anew(warehouse: FolderWarehouse, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = duck.query(warehouse, ALL.format(table), native=True).to_pylist()
    return found


@pytest.mark.parametrize("table", [*VIEWS, *SNAPSHOTS, "rejected"])
def test_it_holds_what_the_views_say(table: str, warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    assert rows(of, table) == anew(warehouse, table) != []
    assert of.query(ALL.format(table)).to_pylist() == anew(warehouse, table)


def test_what_is_read_in_pieces_is_all_there(warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BYTES_AT_ONCE", 1)
    pieces: list[int] = []
    replace = FolderReader._replace

    def told(of: FolderReader, name: str, months: dict[date, tuple[Path, ...]]) -> None:
        pieces.append(len(months))
        replace(of, name, months)

    monkeypatch.setattr(FolderReader, "_replace", told)
    of = FolderReader(warehouse)
    assert rows(of, "plays") == anew(warehouse, "plays")
    assert set(pieces) == {1}


@pytest.mark.parametrize("seed", range(4))
def test_copies_and_ids_with_two_keys_are_settled_as_by_the_view(seed: int, tmp_path: Path) -> None:
    dice, warehouse = Random(seed), FolderWarehouse(tmp_path, "Europe/Paris")
    for month in (9, 10, 11):
        some = [
            play(
                f"2026-{month:02}-{dice.randrange(10, 14)}T08:00:00Z",
                dice.randrange(3),
                1,
                user_id=dice.choice("ab"),
                track_name=dice.choice(("One", "Two")) if month < 11 else "One",
                ingested_at=READ_AT + timedelta(hours=dice.randrange(3)),
            ).to_row(CALENDAR)
            for _ in range(20)
        ]
        if month == 11:  # a month whose rows need no choice
            some = list({(row["user_id"], row["played_at"]): row for row in some}.values())
        warehouse.append("play_events", some)
    assert rows(FolderReader(warehouse), "plays") == anew(warehouse, "plays")


def test_a_row_of_before_the_key_came_is_a_song_by_its_track(tmp_path: Path) -> None:
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    warehouse.append("play_events", [play("2026-10-05T08:00:00Z", 1, 1).to_row(CALENDAR) | {"song_key": None}])
    assert [row["song_id"] for row in rows(FolderReader(warehouse), "plays")] == ["track-1"]


def test_it_reads_only_the_months_that_are_needed(warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    kept = rows(of, "plays", [(NOVEMBER, NOVEMBER)])
    assert {row["month"] for row in kept} == {NOVEMBER}
    [path] = warehouse.files("play_events", OCTOBER)
    data = path.read_bytes()
    path.write_bytes(data[:4] + bytes(len(data) - 8) + data[-4:])
    assert rows(of, "plays", [(NOVEMBER, NOVEMBER)]) == kept
    with pytest.raises((OSError, duckdb.Error)):
        rows(of, "plays")


@pytest.mark.parametrize("table", ["monthly_top_albums", "artist_history"])
def test_a_question_that_names_no_plays_reads_none(table: str, warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    assert rows(of, table) == anew(warehouse, table) != []
    assert of._kept["plays"] == {}
    with pytest.raises(duckdb.Error):
        of.rows("SELECT 1 FROM no_table")
    assert rows(of, "track_info") == anew(warehouse, "track_info") != []
    assert of._kept["plays"] != {}


@pytest.mark.parametrize("most", [1_000, 1])
@pytest.mark.parametrize("view", ["track_info", "album_info", "artist_info"])
def test_what_is_known_of_all_there_is_is_made_once_if_it_is_little_until_something_changes(
    view: str, most: int, warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_views, "_MOST_ROWS", most)
    of = FolderReader(warehouse)
    of.rows("SELECT 1")
    made = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'made'"
    assert of.rows(made) == []
    for change in (None, play("2026-11-09T08:00:00Z", 7, 7).to_row(CALENDAR), None):
        if change:
            warehouse.append("play_events", [change])
        before = rows(of, view)
        assert before == anew(warehouse, view) == rows(of, view)
        assert of.rows(made) == ([{"table_name": view}] if most > 1 else [])
    for table in SNAPSHOTS:
        for file in (file for month in warehouse.months(table) for file in warehouse.files(table, month)):
            file.unlink()
    assert before != rows(of, view) == anew(warehouse, view)


def test_who_reads_what_is_kept_while_it_changes_sees_it_to_its_end(warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    there = anew(warehouse, "track_info")
    with of._ready(ALL.format("track_info"), None, None) as ready:
        assert isinstance(ready, tuple)
        found = ready[0].execute(ready[1])
        first = found.fetchmany(1)
        warehouse.append("play_events", [play("2026-11-09T08:00:00Z", 7, 7).to_row(CALENDAR)])
        assert len(rows(of, "track_info")) == len(there) + 1
        assert first + found.fetchall() == [tuple(row.values()) for row in there]


def test_what_changes_is_seen_at_once_and_what_does_not_is_not_read_again(warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    rows(of, "plays")
    version, of_months = of.version(), [of.version([(month, month)]) for month in (OCTOBER, NOVEMBER)]
    assert of.version() == version
    blank(warehouse, OCTOBER)  # it is in memory
    [first] = warehouse.files("play_events", NOVEMBER)
    warehouse.append("play_events", [play("2026-11-09T08:00:00Z", 7, 1).to_row(CALENDAR)])
    assert of.version() != version
    assert [
        of.version([(month, month)]) == before for month, before in zip((OCTOBER, NOVEMBER), of_months, strict=True)
    ] == [
        True,
        False,
    ]
    assert len(rows(of, "plays")) == 9
    first.unlink()
    assert {row["month"]: row["track_id"] for row in rows(of, "plays")}[NOVEMBER] == "track-7"
    for path in warehouse.files("play_events", NOVEMBER):
        path.unlink()
    assert {row["month"] for row in rows(of, "plays")} == {OCTOBER}


def test_a_change_within_the_same_tick_of_the_clock_is_seen(warehouse: FolderWarehouse) -> None:
    of, folder = listing.Listing(warehouse), warehouse.month_folder("play_events", NOVEMBER)
    of.refresh()
    before, at = of.version, folder.stat().st_mtime_ns
    warehouse.append("play_events", [play("2026-11-09T08:00:00Z", 7, 1).to_row(CALENDAR)])
    os.utime(folder, ns=(at, at))
    of.refresh()
    assert of.version != before


def test_a_folder_that_has_been_quiet_is_not_looked_into_again(
    warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.time() - 60
    for path in warehouse.folder.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    of = listing.Listing(warehouse)
    of.refresh()
    before = of.version
    for name in ("files", "months"):
        monkeypatch.setattr(warehouse, name, lambda *_: pytest.fail("it was looked into"))
    of.refresh()
    assert of.version == before


def test_a_file_that_a_rebuild_replaces_meanwhile_makes_it_begin_again(
    warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, replaced = FolderReader(warehouse), []
    rows_of = reader.rows_of

    def replacing(table: str, files: list[Path]) -> Any:
        if table == "play_events" and files and not replaced:
            found = rows_of(table, files)
            replaced.append(files[0].rename(files[0].with_name("another.parquet")))
            return found
        return rows_of(table, files)

    monkeypatch.setattr(reader, "rows_of", replacing)
    assert len(rows(of, "plays")) == 8
    assert replaced


def test_a_damaged_file_is_told_and_the_rest_is_still_answered(warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    [path] = warehouse.files("play_events", OCTOBER)
    path.write_bytes(b"no Parquet")
    with pytest.raises((OSError, duckdb.Error, WarehouseError)):
        rows(of, "plays")
    assert len(rows(of, "plays", [(NOVEMBER, NOVEMBER)])) == 4


def test_rows_that_were_replaced_do_not_pile_up(warehouse: FolderWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MOST_DEAD_ROWS", 3)
    of = FolderReader(warehouse)
    for number in range(5):
        warehouse.append("play_events", [play(f"2026-11-09T08:0{number}:00Z", 7, 1).to_row(CALENDAR)])
        assert len(rows(of, "plays")) == 9 + number
        assert of._dead_rows["plays"] <= 3


@pytest.mark.parametrize("table", ["plays", "track_info"])
def test_many_threads_ask_while_the_files_change(table: str, warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    count = len(anew(warehouse, table))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(rows, of, table) for _ in range(20)]
        warehouse.append("play_events", [play("2026-11-09T08:00:00Z", 7, 1).to_row(CALENDAR)])
        asked += [pool.submit(rows, of, table) for _ in range(20)]
    assert {len(one.result()) for one in asked} <= {count, count + 1}
    assert len(rows(of, table)) == count + 1


def test_it_has_no_way_to_a_file(warehouse: FolderWarehouse) -> None:
    of = FolderReader(warehouse)
    with pytest.raises(duckdb.PermissionException):
        of.rows(f"FROM '{warehouse.files('play_events', NOVEMBER)[0]}'")
    with pytest.raises(duckdb.Error):
        of.rows("SET enable_external_access = true")
