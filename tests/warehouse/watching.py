"""A little watching, beside ``listening``: two playlists, three artists, four tracks, and what sources say of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

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
from pipelines.domain.song import synthetic_id
from pipelines.tables import SNAPSHOTS, table_of

CHART, EMPTY = "37i9dQZF1DXcBWIGoYBM5M", "37i9dQZF1DXempty000000"
COVER = "https://i.scdn.co/image/ab67616d0000b273"


def at(text: str) -> datetime:
    """``11-09T06:00`` of 2026, UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def state(
    snapshot_id: str, taken_at: str, tracks: Sequence[int | None], *, of: int | None = None, by: str = CHART
) -> list[PlaylistSnapshot]:
    """A state of a playlist, by its tracks' numbers; None holds no track. ``of`` is how many there would be."""
    shared: dict[str, Any] = {
        "playlist_id": by,
        "snapshot_id": snapshot_id,
        "taken_at": at(taken_at),
        "playlist_name": "Chart",
        "tracks": len(tracks) if of is None else of,
    }
    if not tracks:
        return [PlaylistSnapshot(position=0, **shared)]
    return [
        PlaylistSnapshot(position=place, **shared, **(_track(number) if number else {}))
        for place, number in enumerate(tracks, start=1)
    ]


def _track(number: int) -> dict[str, Any]:
    artist = {1: 1, 2: 2, 3: 2, 4: 3, 5: 1}.get(number, 4)  # as in HEARD
    return {
        "added_at": at(f"10-{number:02}T08:00"),
        "track_id": f"track-{number}",
        "track_name": f"Track {number}",
        "artists": (Artist(f"Artist {artist}", f"artist-{artist}"),),
        "album_id": f"album-{artist}",
        "album_name": f"Album {artist}",
        "album_artist_name": f"Artist {artist}",
        "album_release_date": f"20{number:02}-05-01",
        "album_image_url": f"{COVER}{number:024x}",
        "duration_ms": 180_000 + number,
        "isrc": f"ZZZ99000000{number}",
        "explicit": False,
    }


def artist(number: int, source: SnapshotSource, taken_at: str, **said: Any) -> ArtistSnapshot:
    """What a source said of ``artist-NUMBER``."""
    known = {"artist_id": f"artist-{number}", "found": True, "source_id": "x"}
    return ArtistSnapshot(source=source, taken_at=at(taken_at), **known | said)


def track(number: int, source: SnapshotSource, taken_at: str, **said: Any) -> TrackSnapshot:
    """What a source said of ``track-NUMBER``."""
    return TrackSnapshot(
        track_id=f"track-{number}", source=source, taken_at=at(taken_at), **{"found": True, "source_id": "x"} | said
    )


SPOTIFY, MUSICBRAINZ = SnapshotSource.SPOTIFY, SnapshotSource.MUSICBRAINZ
LISTENBRAINZ, COVER_ART_ARCHIVE = SnapshotSource.LISTENBRAINZ, SnapshotSource.COVER_ART_ARCHIVE
FOLK, POP, DUB = Genre("folk", 7), Genre("indie pop", 3), Genre("dub")
FEATURES = {"danceability": 0.75, "energy": 0.5, "valence": 0.25, "tempo": 118.5, "loudness": -7.25, "liveness": 0.1}
STATES = [
    *state("s1", "11-02T06:00", [1, 2, 4]),
    *state("s2", "11-09T06:00", [2, 1, 5, 5]),
    *state("s3", "11-16T06:00", [5], of=3),  # not whole
    *state("s4", "11-20T06:00", [1, None, 4, 6]),
    *state("s1", "11-02T07:00", [1, 2, 4]),  # again
    *state("e1", "11-02T06:00", [], by=EMPTY),
]
ARTISTS = [
    artist(1, SPOTIFY, "11-02T06:01", name="Artist 1", popularity=41, followers=1000, genres=(DUB,)),
    artist(
        1,
        SPOTIFY,
        "11-09T06:01",
        name="Artist 1",
        popularity=43,
        followers=1200,
        genres=(DUB,),
        image_url=f"{COVER}{1:024x}",
        top_tracks=(TopTrack("Track 1", "track-1"), TopTrack("Track 5")),
    ),
    artist(1, MUSICBRAINZ, "11-03T06:01", name="ARTIST 1", genres=(FOLK, POP), matched_by="NAME"),
    artist(1, LISTENBRAINZ, "11-03T06:02", listeners=50, listens=900),
    artist(1, LISTENBRAINZ, "11-10T06:02", listeners=60, listens=1100),
    artist(2, SPOTIFY, "11-02T06:01", name="Artist 2"),
    artist(2, MUSICBRAINZ, "11-03T06:01", name="Artist 2", genres=(POP, Genre("noise", 0))),
    artist(3, MUSICBRAINZ, "11-03T06:01", found=False, source_id=None),
    ArtistSnapshot(
        artist_id=synthetic_id("artist", "Artist 4"),
        source=MUSICBRAINZ,
        taken_at=at("10-03T06:01"),
        found=True,
        name="Artist 4",
        genres=(FOLK,),
    ),
]
ARTISTS.append(ARTISTS[1])  # again
TRACKS = [
    track(1, SPOTIFY, "11-03T06:00", name="Track 1", album_image_url=f"{COVER}{1:024x}", popularity=60, **FEATURES),
    track(1, SPOTIFY, "11-03T06:00", name="Track 1", album_image_url=f"{COVER}{1:024x}", popularity=60, **FEATURES),
    track(2, COVER_ART_ARCHIVE, "11-03T06:00", album_image_url="https://coverartarchive.org/release/x/front-500"),
    track(3, MUSICBRAINZ, "11-03T06:00", found=False, source_id=None),
    track(5, MUSICBRAINZ, "11-03T06:00", name="track five", isrc="ZZZ990000009", album_release_date="1999"),
]


def rows_of(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Their rows."""
    return [one.to_row() for one in snapshots]


def snapshots() -> dict[str, list[dict[str, Any]]]:
    """The rows of the three tables, some of them twice."""
    some: list[Snapshot] = [*STATES, *ARTISTS, *TRACKS]
    return {table: rows_of([one for one in some if table_of(one.kind) == table]) for table in SNAPSHOTS}
