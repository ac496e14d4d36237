"""The views over snapshots: what they mean, by Google's executor and on the local warehouse."""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.domain.play import Artist, Source
from pipelines.domain.snapshots import Genre, Snapshot
from pipelines.domain.song import album_key, synthetic_id
from pipelines.querying import duck
from pipelines.tables import SNAPSHOTS, VIEWS, table_of
from pipelines.warehouse.folder import FolderWarehouse
from tests.standins.zetasql_judge import the_judge
from tests.warehouse.listening import CALENDAR, blank, listening_in, play, rows
from tests.warehouse.watching import ARTISTS, MUSICBRAINZ, SPOTIFY, STATES, artist, at, rows_of, state, track

pytestmark = pytest.mark.xdist_group("zetasql")
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
Both = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """The rows of a query over plays and snapshots, which Google's executor and a folder's agree on."""

    def ask(sql: str, some: Sequence[Snapshot], plays: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        made = {table: rows_of([one for one in some if table_of(one.kind) == table]) for table in SNAPSHOTS}
        # To the judge a table without rows is one that is missing.
        padding = rows_of([state("p", "01-01T00:00", [], by="none")[0], artist(0, SPOTIFY, "01-01T00:00", found=False)])
        padding += rows_of([track(0, SPOTIFY, "01-01T00:00", found=False)])
        for table, row in zip(SNAPSHOTS, padding, strict=True):
            made[table] = made[table] or [row]
        made["play_events"] = [one.to_row(CALENDAR) for one in plays or [play("2026-01-01T00:00:00Z", 99, 99)]]
        judge, warehouse = the_judge(), FolderWarehouse(tmp_path, "Europe/Paris")
        judge.fill(**made)
        for table, of in made.items():
            for row in of:  # a file each, as a stream writes them
                warehouse.append(table, [row])
        by_google = judge.query(sql)
        assert [tuple(row.values()) for row in duck.query(warehouse, sql).to_pylist()] == by_google
        return by_google

    return ask


STAYS = """
SELECT track_id, came_at, left_at, is_from_the_start, first_position, last_position, best_position
FROM heavy_rotation.playlist_history
ORDER BY came_at, first_position, track_id
"""


def test_tracks_come_and_go_by_states_that_were_read_whole(both: Both) -> None:
    first, second, fourth = at("11-02T06:00"), at("11-09T06:00"), at("11-20T06:00")
    assert both(STAYS, STATES) == [
        ("track-1", first, None, True, 1, 1, 1),
        ("track-2", first, fourth, True, 2, 1, 1),
        ("track-4", first, second, True, 3, 3, 3),
        ("track-5", second, fourth, False, 3, 3, 3),
        ("track-4", fourth, None, False, 3, 3, 3),
        ("track-6", fourth, None, False, 4, 4, 4),
    ]


def test_a_list_that_was_emptied_has_left_by_then(both: Both) -> None:
    emptied = [*state("s1", "11-02T06:00", [1]), *state("s2", "11-03T06:00", [])]
    assert both(STAYS, emptied) == [("track-1", at("11-02T06:00"), at("11-03T06:00"), True, 1, 1, 1)]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_the_history_of_a_list_is_the_same_in_any_order(order: tuple[int, ...], both: Both) -> None:
    parts = [state("s1", "11-02T06:00", [1]), state("s2", "11-03T06:00", [2]), state("s1", "11-05T06:00", [1])]
    assert both(STAYS, [one for number in order for one in parts[number]]) == [
        ("track-1", at("11-02T06:00"), at("11-03T06:00"), True, 1, 1, 1),
        ("track-2", at("11-03T06:00"), None, False, 1, 1, 1),
    ]


TRACK = "SELECT * EXCEPT (artists, explicit) FROM heavy_rotation.track_info WHERE track_id = 'track-1'"


def test_a_track_has_from_each_source_what_better_ones_do_not_say(both: Both) -> None:
    exported = play(
        "2026-11-02T08:00:00Z", 1, 1, source=Source.EXTENDED_EXPORT, duration_ms=None, album_id=None, album_name="Lp"
    )
    open_ = track(1, MUSICBRAINZ, "11-09T06:00", name="TRACK", album_name="E. P.", album_release_date="1999", isrc="i1")
    spotify = track(1, SPOTIFY, "11-03T06:00", name="Track one", duration_ms=200_000, isrc="I2")
    older = track(1, SPOTIFY, "11-02T06:00", name="Old", duration_ms=1, album_image_url="https://i.scdn.co/image/a")
    assert both(TRACK, [open_], [exported]) == [
        ("track-1", "Track 1", "Artist 1", None, "Lp", None, "1999", None, None, "i1")
    ]
    assert both(TRACK, [open_, spotify, older], [exported]) == [
        ("track-1", "Track one", "Artist 1", None, "Lp", None, "1999", None, 200_000, "I2")
    ]


def test_plays_alone_make_tracks_albums_and_artists_and_no_genres(tmp_path: Path) -> None:
    warehouse = listening_in(tmp_path)
    found = {view: duck.query(warehouse, f"SELECT * FROM {view}").num_rows for view in VIEWS}  # noqa: S608
    assert {view: found[view] for view in ("track_info", "album_info", "artist_info", "monthly_top_genres")} == {
        "track_info": 5, "album_info": 3, "artist_info": 3, "monthly_top_genres": 0,
    }  # fmt: skip
    ordered = duck.query(warehouse, "SELECT * FROM heavy_rotation.track_info ORDER BY artist_name").to_pylist()
    assert [row["artist_name"] for row in ordered] == ["Artist 1"] * 2 + ["Artist 2"] * 2 + ["Artist 3"]


IDENTITIES = {"track_info": "track_id", "album_info": "album_id", "artist_info": "artist_id"}


@pytest.mark.parametrize(("view", "key"), IDENTITIES.items())
def test_whatever_is_written_twice_is_one_row(view: str, key: str, both: Both) -> None:
    sql = f"SELECT COUNT(*), COUNT(DISTINCT {key}) FROM heavy_rotation.{view}"  # noqa: S608
    twice = [play("2026-11-02T08:00:00Z", 1, 1)] * 2
    shown = [*state("s1", "11-02T06:00", [1, 2, 4]), *state("s2", "11-03T06:00", [1, 2, 4])]
    [(number, different)] = both(sql, [*shown, *shown, *ARTISTS, *ARTISTS], twice)
    assert number == different == {"album_info": 3}.get(view, number) > 2


def test_an_artist_without_an_id_goes_by_the_only_one_that_is_known_of_the_name(both: Both) -> None:
    made = synthetic_id("artist", "Artist 1")
    of_name = artist(1, MUSICBRAINZ, "11-03T06:00", artist_id=made, name="Artist 1", genres=(Genre("folk", 2),))
    nameless = play("2026-11-02T08:00:00Z", 1, 1, artists=(Artist("Artist 1"),))
    sql = "SELECT artist_id, genres_source FROM heavy_rotation.artist_info ORDER BY 1"
    assert both(sql, [of_name], [nameless]) == [(made, "MUSICBRAINZ")]
    assert both(sql, [of_name], [nameless, play("2026-11-03T08:00:00Z", 1, 1)]) == [("artist-1", "MUSICBRAINZ")]


def test_an_album_without_an_id_is_one_of_those_that_have_its_key(both: Both) -> None:
    known = play("2026-11-02T08:00:00Z", 1, 1)
    nameless = [play(f"2026-11-0{n}T09:00:00Z", 1, 1, album_id=None, album_name=f"Album {n}") for n in (1, 2)]
    sql = "SELECT album_id, album_name FROM heavy_rotation.album_info ORDER BY album_name"
    assert both(sql, [], [known, *nameless]) == [("album-1", "Album 1"), (album_key("Album 2", "Artist 1"), "Album 2")]


GENRES = (
    "SELECT source, rank, genre, plays, known_plays, all_plays FROM heavy_rotation.monthly_top_genres ORDER BY 1, 2"
)


def test_genres_are_ranked_by_plays_within_their_source(both: Both) -> None:
    some = [
        artist(1, MUSICBRAINZ, "11-03T06:00", name="Artist 1", genres=(Genre("folk", 1), Genre("dub", 9))),
        artist(1, SPOTIFY, "11-03T06:00", name="Artist 1", genres=(Genre("ambient"),)),
        artist(2, MUSICBRAINZ, "11-03T06:00", name="Artist 2", genres=(Genre("dub", 2), Genre("none", 0))),
        artist(2, MUSICBRAINZ, "11-02T06:00", name="Artist 2", genres=(Genre("old", 2),)),
        # Two artists of one name, of whom a play without an id may be either.
        artist(3, MUSICBRAINZ, "11-02T06:00", name="Twin", genres=(Genre("twin", 2),)),
        artist(4, MUSICBRAINZ, "11-02T06:00", name="Twin", genres=(Genre("twin", 2),)),
    ]
    heard = [
        play("2026-11-02T08:00:00Z", 1, 1),
        play("2026-11-03T08:00:00Z", 1, 1, artists=(Artist("Artist 1"), Artist("Artist 2", "artist-2"))),
        play("2026-11-04T08:00:00Z", 2, 2),
        play("2026-11-05T08:00:00Z", 3, 3, artists=(Artist("Twin"),)),
    ]
    assert both(GENRES, some, heard) == [
        ("MUSICBRAINZ", 1, "dub", 3, 3, 4),
        ("MUSICBRAINZ", 2, "folk", 2, 3, 4),
        ("SPOTIFY", 1, "ambient", 2, 2, 4),
    ]


def test_a_month_has_ten_genres_of_a_source_and_ties_go_by_name(both: Both) -> None:
    many = tuple(Genre(f"genre {letter}", 1) for letter in "lkjihgfedcba")
    found = both(GENRES, [artist(1, MUSICBRAINZ, "11-03T06:00", genres=many)], [play("2026-11-02T08:00:00Z", 1, 1)])
    assert [row[2] for row in found] == [f"genre {letter}" for letter in "abcdefghij"]


def test_genres_of_a_month_read_its_partition_alone(tmp_path: Path) -> None:
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    for table, some in (rows() | {"artist_snapshots": rows_of(ARTISTS)}).items():
        warehouse.append(table, some)
    blank(warehouse, OCTOBER)
    sql = "SELECT * FROM monthly_top_genres"
    assert duck.query(warehouse, f"{sql} WHERE month = '{NOVEMBER}'").num_rows == 3
    with pytest.raises((OSError, duckdb.Error)):
        duck.query(warehouse, sql)


def test_an_artists_figures_are_each_there_once(both: Both) -> None:
    sql = "SELECT source, popularity, listeners FROM heavy_rotation.artist_history WHERE {} ORDER BY source, taken_at"
    assert both(sql.format("artist_id = 'artist-1'"), ARTISTS) == [
        ("LISTENBRAINZ", None, 50),
        ("LISTENBRAINZ", None, 60),
        ("MUSICBRAINZ", None, None),
        ("SPOTIFY", 41, None),
        ("SPOTIFY", 43, None),
    ]
