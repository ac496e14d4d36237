"""From what Spotify writes to the month's lists: one song, one album and one artist are one line each."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.domain.exports import from_extended_row
from pipelines.domain.instants import to_millis
from pipelines.domain.play import Play
from pipelines.domain.spotify import from_recently_played
from tests.rebuilding.rebuilds import archive, run, view

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def polled(at: str, track: str, title: str, artist: str, album: dict[str, Any]) -> Play:
    known = {"id": track, "name": title, "artists": [{"id": f"id of {artist}", "name": artist}], "album": album}
    return from_recently_played("me", {"played_at": at, "track": known}, NOW)


def exported(at: str, track: str, title: str, album_artist: str, album: str) -> Play:
    row = {
        "ts": at,
        "ms_played": 200_000,
        "spotify_track_uri": f"spotify:track:{track}",
        "master_metadata_track_name": title,
        "master_metadata_album_artist_name": album_artist,
        "master_metadata_album_album_name": album,
    }
    return from_extended_row(row, to_millis(NOW)).to_play("me", NOW)


def top(folder: Path, kind: str, columns: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM heavy_rotation.monthly_top_{kind} ORDER BY month, rank"  # noqa: S608
    return [tuple(row.values()) for row in view(folder, sql)]


def test_a_compilation_that_was_polled_and_exported_is_one_album_of_its_tracks_artists(tmp_path: Path) -> None:
    of = {"id": "soup", "name": "Soup for All", "artists": [{"name": "Various Artists"}]}
    archive(
        tmp_path,
        [polled(f"2026-11-02T1{n}:00:00.250Z", f"t{n}", f"Dish {n}", f"Cook {n}", of) for n in range(3)],
        [exported(f"2026-11-09T1{n}:00:00Z", f"t{n}", f"Dish {n}", "Various Artists", of["name"]) for n in range(3)],
    )
    assert run(tmp_path) == 0
    assert top(tmp_path, "albums", "album_id, artist_name, plays") == [("soup", "Various Artists", 6)]
    assert top(tmp_path, "tracks", "track_name, artist_name, plays") == [
        (f"Dish {n}", f"Cook {n}", 2) for n in (2, 1, 0)
    ]
    assert top(tmp_path, "artists", "artist_id, plays") == [(f"id of Cook {n}", 2) for n in (2, 1, 0)]


def test_a_single_and_its_album_are_one_song_that_shows_the_newest_id(tmp_path: Path) -> None:
    archive(
        tmp_path,
        [
            exported("2026-11-02T10:00:00Z", "single", "Pea Soup", "The Ladles", "Pea Soup"),
            exported("2026-11-03T10:00:00Z", "album", "Pea soup", "The  Ladles", "Ladled"),
            exported("2026-11-04T10:00:00Z", "live", "Pea Soup (Live)", "The Ladles", "Ladled Live"),
        ],
    )
    assert run(tmp_path) == 0
    assert top(tmp_path, "tracks", "track_id, track_name, plays") == [
        ("album", "Pea soup", 2),
        ("live", "Pea Soup (Live)", 1),
    ]
    ids = view(tmp_path, "SELECT song_id, COUNT(*) AS plays FROM plays GROUP BY song_id ORDER BY plays DESC")
    assert [row["plays"] for row in ids] == [2, 1]
    assert ids[0]["song_id"] == top(tmp_path, "tracks", "song_id")[0][0]


def test_songs_whose_last_plays_share_a_second_are_ranked_by_their_ids(tmp_path: Path) -> None:
    archive(
        tmp_path,
        [
            polled("2026-11-02T10:00:00.100Z", "b", "B", "X", {}),
            polled("2026-11-02T10:00:00.900Z", "c", "C", "X", {}),
            exported("2026-11-02T10:00:00Z", "a", "A", "X", "Album"),
        ],
    )
    assert run(tmp_path) == 0
    assert top(tmp_path, "tracks", "track_id, last_played_at") == [
        (track, datetime(2026, 11, 2, 10, tzinfo=UTC)) for track in "abc"
    ]
