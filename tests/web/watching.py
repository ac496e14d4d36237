"""Watching for the pages' tests, of the things that ``histories`` plays: two playlists, artists, genres, features."""

from datetime import timedelta
from pathlib import Path
from random import Random

from pipelines.domain.play import Artist
from pipelines.domain.snapshots import (
    ArtistSnapshot,
    Genre,
    PlaylistSnapshot,
    Snapshot,
    SnapshotSource,
    TopTrack,
    TrackSnapshot,
)
from pipelines.tables import table_of
from pipelines.warehouse.folder import FolderWarehouse
from tests.web.histories import COVER, NOW, TITLES

PLAYLIST, EMPTY, NOBODY = "37i9dQZF1DXcBWIGoYBM5M", "37i9dQZF1DXempty000000", "artistnobody0000000000"
PICTURE = "https://i.scdn.co/image/ab6761610000e5eb" + "0123456789abcdef01234567"
GENRES = ("indie pop", "folk", "<b>dub</b>", "post-rock", "ambient", "chanson", "electronica")


def _state(number: int, tracks: list[int]) -> list[Snapshot]:
    taken_at = NOW - timedelta(days=40 - 10 * number)
    return [
        PlaylistSnapshot(
            playlist_id=PLAYLIST,
            snapshot_id=f"state{number}",
            position=place,
            taken_at=taken_at,
            playlist_name="Rotation & <i>more</i>",
            playlist_image_url=COVER,
            tracks=len(tracks),
            added_at=taken_at,
            track_id=f"track{track:017}",
            track_name=TITLES[track] if track < len(TITLES) else f"Song {track}",
            artists=(Artist(f"Artist {track % 7}", f"artist{track % 7:016}"),),
        )
        for place, track in enumerate(tracks, start=1)
    ]


def _artists() -> list[Snapshot]:
    made: list[Snapshot] = []
    for number in range(6):
        artist_id, name = f"artist{number:016}", f"Artist {number}"
        genres = tuple(Genre(genre, 9 - place) for place, genre in enumerate(GENRES[number % 4 : number % 4 + 4]))
        made.append(
            ArtistSnapshot(
                artist_id=artist_id,
                source=SnapshotSource.MUSICBRAINZ,
                taken_at=NOW - timedelta(days=30),
                found=True,
                name=name,
                genres=genres,
            )
        )
        for week in range(5):
            taken_at = NOW - timedelta(days=30 - 7 * week)
            figures = {"listeners": 500 + 40 * week - 3 * week**2, "listens": 9000 + 700 * week}
            made.append(
                ArtistSnapshot(
                    artist_id=artist_id, source=SnapshotSource.LISTENBRAINZ, taken_at=taken_at, found=True, **figures
                )
            )
            if number < 2:
                made.append(
                    ArtistSnapshot(
                        artist_id=artist_id,
                        source=SnapshotSource.SPOTIFY,
                        taken_at=taken_at,
                        found=True,
                        name=name,
                        image_url=PICTURE,
                        popularity=40 + week if number else None,
                        followers=120_000 + 777 * week if number else None,
                        top_tracks=(TopTrack("Song 15", f"track{15:017}"), TopTrack("Never heard")) if number else (),
                    )
                )
    return made


def watching() -> list[Snapshot]:
    """All of it."""
    dice = Random(2)
    empty = PlaylistSnapshot(playlist_id=EMPTY, snapshot_id="e", position=0, taken_at=NOW, tracks=0)
    unheard = ArtistSnapshot(
        artist_id=NOBODY, source=SnapshotSource.SPOTIFY, taken_at=NOW, found=True, name="Nobody hears them"
    )
    tracks = [
        TrackSnapshot(
            track_id=f"track{number:017}",
            source=SnapshotSource.SPOTIFY,
            taken_at=NOW - timedelta(days=3),
            found=True,
            name=f"Song {number}",
            album_image_url=COVER,
            duration_ms=200_000 + number,
            album_release_date="2001-02-03",
            tempo=90.0 + number,
            loudness=-8.0,
            **{
                name: dice.random()
                for name in (
                    "danceability", "energy", "valence", "acousticness", "instrumentalness", "liveness", "speechiness",
                )
            },
        )
        for number in range(60)
    ]  # fmt: skip
    first = list(range(40))
    states = [first, [*range(5, 40), 70, 71, 90], [90, *range(5, 38), 70, 2], [2, 90, *range(5, 30), 70, 72]]
    listed = [row for number, some in enumerate(states) for row in _state(number, some)]
    return [*listed, empty, unheard, *_artists(), *tracks]


def watched(folder: str | Path) -> None:
    """Write it into the warehouse of a folder."""
    warehouse = FolderWarehouse.open(folder)
    rows: dict[str, list[dict[str, object]]] = {}
    for one in watching():
        rows.setdefault(table_of(one.kind), []).append(one.to_row())
    for table, some in rows.items():
        warehouse.append(table, some)
