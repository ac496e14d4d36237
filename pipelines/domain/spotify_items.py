"""From what Spotify's API says to snapshots: playlists and their items, artists, tracks, audio features.

Fields that Spotify has withdrawn from new apps are read where they are there.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.domain.play import Artist
from pipelines.domain.reading import Row, flag, instant, mapping, number, sequence, text
from pipelines.domain.snapshots import (
    ArtistSnapshot,
    Genre,
    MatchedBy,
    PlaylistSnapshot,
    SnapshotSource,
    TopTrack,
    TrackSnapshot,
)

FEATURES = (
    "acousticness", "danceability", "energy", "instrumentalness", "liveness", "loudness", "speechiness", "tempo",
    "valence",
)  # fmt: skip


def playlist_snapshot(
    playlist_id: str, about: Row, position: int, item: object, tracks: int, taken_at: datetime
) -> PlaylistSnapshot:
    """One item of ``GET /v1/playlists/{id}/items``; ``about`` is the playlist's own object. None of an empty list.

    Who added it is not read. Raises UnreadableError.
    """
    row = mapping("item", item) if item is not None else {}
    # Until February 2026 the item was called the track.
    found = row.get("item") or row.get("track")
    track = mapping("track", found) if found else {}
    is_track = track.get("type", "track") == "track"
    return PlaylistSnapshot(
        playlist_id=playlist_id,
        snapshot_id=text(about, "snapshot_id") or "",
        position=position,
        taken_at=taken_at,
        playlist_name=text(about, "name"),
        playlist_image_url=image_of(about),
        tracks=tracks,
        added_at=instant(row, "added_at") if row.get("added_at") else None,
        **(_track(track) | {"track_id": text(track, "id"), "track_name": text(track, "name")} if is_track else {}),
    )


def artist_snapshot(artist_id: str, artist: object, top_tracks: object, taken_at: datetime) -> ArtistSnapshot:
    """``GET /v1/artists/{id}``, and the answer of its ``/top-tracks`` where there is one. Raises UnreadableError."""
    row = mapping("artist", artist)
    tops = [] if top_tracks is None else sequence("tracks", mapping("top tracks", top_tracks).get("tracks") or [])
    named = [mapping("track", each) for each in tops]
    return ArtistSnapshot(
        artist_id=artist_id,
        source=SnapshotSource.SPOTIFY,
        taken_at=taken_at,
        found=True,
        source_id=text(row, "id"),
        matched_by=MatchedBy.ID,
        name=text(row, "name"),
        genres=tuple(Genre(name) for name in sequence("genres", row.get("genres") or []) if isinstance(name, str)),
        image_url=image_of(row),
        popularity=number(row, "popularity"),
        followers=number(mapping("followers", row.get("followers") or {}), "total"),
        top_tracks=tuple(TopTrack(name, text(each, "id")) for each in named if (name := text(each, "name"))),
    )


def track_snapshot(track_id: str, track: object, features: object, taken_at: datetime) -> TrackSnapshot:
    """``GET /v1/tracks/{id}``, and ``/v1/audio-features/{id}`` where there is an answer. Raises UnreadableError."""
    row = mapping("track", track)
    measured = mapping("audio features", features) if features is not None else {}
    measures: dict[str, Any] = {name: _measure(measured, name) for name in FEATURES}
    return TrackSnapshot(
        track_id=track_id,
        source=SnapshotSource.SPOTIFY,
        taken_at=taken_at,
        found=True,
        source_id=text(row, "id"),
        matched_by=MatchedBy.ID,
        name=text(row, "name"),
        popularity=number(row, "popularity"),
        **_track(row),
        **measures,
    )


def image_of(row: Row) -> str | None:
    """The widest of a row's images. Raises UnreadableError."""
    images = [mapping("image", image) for image in sequence("images", row.get("images") or [])]
    widest: Mapping[str, Any] = max(images, key=lambda image: number(image, "width") or 0, default={})
    return text(widest, "url")


def _track(track: Row) -> dict[str, Any]:
    """What the snapshots of a track and of a playlist's item have in common."""
    album = mapping("album", track.get("album") or {})
    album_artists = _artists(album)
    return {
        "artists": _artists(track),
        "album_id": text(album, "id"),
        "album_name": text(album, "name"),
        "album_artist_name": album_artists[0].name if album_artists else None,
        "album_release_date": text(album, "release_date"),
        "album_image_url": image_of(album),
        "duration_ms": number(track, "duration_ms"),
        "isrc": text(mapping("external_ids", track.get("external_ids") or {}), "isrc"),
        "explicit": flag(track, "explicit"),
    }


def _artists(row: Row) -> tuple[Artist, ...]:
    named = [mapping("artist", artist) for artist in sequence("artists", row.get("artists") or [])]
    return tuple(Artist(name, text(artist, "id")) for artist in named if (name := text(artist, "name")))


def _measure(row: Row, name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
