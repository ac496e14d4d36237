"""Views over tables whose rows have numbers: the same rows as by the views, whatever is told again, and of ties."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipelines.domain.play import Artist, Source
from pipelines.querying import duck
from pipelines.querying.reader import FolderReader
from pipelines.querying.translations import duckdb_numbered_view, duckdb_view
from pipelines.warehouse.folder import FolderWarehouse
from tests.warehouse.listening import CALENDAR, READ_AT, play
from tests.warehouse.watching import MUSICBRAINZ, SPOTIFY, artist, rows_of, state, track

VIEWS = ("track_info", "album_info", "artist_info")
KNOWN = ("album_artist_name", "album_release_date", "album_image_url", "isrc")


def told(dice: Random) -> dict[str, Any]:
    """What is told of a track, not always all: the same wherever the length is, so that a tie leaves nothing open."""
    number = dice.randrange(6)
    of = Random(number)
    texts = {name: of.choice((None, "", f"{name} {number}")) for name in KNOWN}
    album = of.choice(({"album_id": None}, {"album_id": ""}, {"album_id": f"album-{number % 2}"}))
    return (
        texts
        | album
        | {
            "track_name": of.choice(("", f"Track {number}")),
            "artists": tuple(
                Artist(of.choice(("", "A", "B")), of.choice((None, "a", "b"))) for _ in range(of.randrange(1, 3))
            ),
            "album_name": of.choice((None, "", "Album", f"Album {number}")),
            "duration_ms": 1_000 + number,
            "explicit": of.choice((None, True, False)),
        }
    )


def heard(dice: Random, users: str, month: int, plays: int) -> list[dict[str, Any]]:
    """Rows of one month: few instants and ingestions; some tracks that are played all the time, and some once."""
    return [
        play(
            f"2026-{month:02}-{dice.randrange(10, 12)}T0{dice.randrange(4)}:00:00Z",
            dice.choice((0, 1, dice.randrange(2, 20))),
            1,
            user_id=dice.choice(users),
            source=dice.choice(list(Source)),
            ingested_at=READ_AT + timedelta(hours=dice.randrange(2)),
            **told(dice),
        ).to_row(CALENDAR)
        for _ in range(plays)
    ]


def agree(of: FolderReader) -> list[list[dict[str, Any]]]:
    """The three views' rows, which the reader and a database of these files alone have to say alike."""
    found = []
    for view in VIEWS:
        sql = f"SELECT * FROM heavy_rotation.{view} ORDER BY ALL"  # noqa: S608 - the project's own names
        found.append(of.rows(sql))
        assert found[-1] == duck.query(of.warehouse, sql, native=True).to_pylist()
    return found


@pytest.mark.parametrize("users", ["a", "abc"])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_known_is_what_the_views_say_also_of_ties_and_after_changes(
    seed: int, users: str, tmp_path: Path
) -> None:
    dice, warehouse = Random(seed), FolderWarehouse(tmp_path, "Europe/Paris")
    for month in (9, 10, 11):
        warehouse.append("play_events", heard(dice, users, month, 25))
    of = FolderReader(warehouse)
    before = agree(of)
    assert all(before)
    some = [track(n, source, "11-09T06:00", **_said(dice)) for n in range(6) for source in (SPOTIFY, MUSICBRAINZ)]
    warehouse.append("track_snapshots", rows_of(some))
    warehouse.append("playlist_snapshots", rows_of(state("s", "11-09T06:00", [1, 2, 5])))
    warehouse.append("artist_snapshots", rows_of([artist(1, SPOTIFY, "11-09T06:00", name="A", popularity=3)]))
    after = agree(of)
    assert all(one != other for one, other in zip(before, after, strict=True))
    for month in warehouse.months("play_events"):  # one gets others, one more, one none
        for file in warehouse.files("play_events", month) if month.month != 10 else ():
            file.unlink()
        if month.month != 11:
            warehouse.append("play_events", heard(dice, users, month.month, 25))
        agree(of)


def test_of_two_listeners_at_one_instant_the_first_by_name_tells(tmp_path: Path) -> None:
    warehouse = FolderWarehouse(tmp_path, "Europe/Paris")
    said = [
        play("2026-10-05T08:00:00Z", 1, 1, user_id=user, track_name=user, album_release_date=user) for user in "bac"
    ]
    warehouse.append("play_events", [one.to_row(CALENDAR) for one in said])
    [[of_track], [of_album], _] = agree(FolderReader(warehouse))
    assert (of_track["track_name"], of_album["release_date"]) == ("a", "a")


def _said(dice: Random) -> dict[str, Any]:
    said = told(dice)
    return {"name": said.pop("track_name")} | said


@pytest.mark.parametrize("is_of_one", [True, False])
def test_no_whole_rows_are_compared_and_no_track_is_numbered_that_one_source_tells_of(is_of_one: bool) -> None:
    for view in ("track_info", "album_info"):
        assert "FIRST({" in duckdb_view(view)
        made = duckdb_numbered_view(view, is_of_one=is_of_one)
        assert "FIRST({" not in made
        assert ("ARG_MAX(rowid, " in made, "FIRST(rowid ORDER BY" in made) == (is_of_one, not is_of_one)
    assert "HAVING COUNT(*) > 1" in duckdb_numbered_view("track_info", is_of_one=is_of_one)
