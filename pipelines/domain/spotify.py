"""From what Spotify's API says to plays: items of the recently-played endpoint.

The API lists only plays of more than 30 seconds, so all of its items count. Exports are read by ``exports``.
"""

from datetime import datetime

from pipelines.domain.play import Artist, Play, Source, check_times
from pipelines.domain.reading import flag, instant, mapping, number, sequence, text
from pipelines.domain.song import UNKNOWN_NAME, synthetic_id


def from_recently_played(user_id: str, item: object, ingested_at: datetime) -> Play:
    """The play of one item of ``GET /v1/me/player/recently-played``. Raises UnreadableError."""
    item = mapping("item", item)
    track = mapping("track", item.get("track"))
    album = mapping("album", track.get("album") or {})
    names = [mapping("artist", artist) for artist in sequence("artists", track.get("artists"))]
    # A local file's artist can be there without a name.
    artists = tuple(Artist(name, text(row, "id")) for row in names if (name := text(row, "name")))
    album_artists = [
        mapping("album artist", artist) for artist in sequence("album artists", album.get("artists") or [])
    ]
    name = text(track, "name") or UNKNOWN_NAME
    # A local file has no id: its names stand for it.
    track_id = text(track, "id") or synthetic_id("track", artists[0].name if artists else "", name)
    images = sequence("images", album.get("images") or [])
    covers = [mapping("image", image) for image in images]
    widest = max(covers, key=lambda image: number(image, "width") or 0, default={})
    played_at = instant(item, "played_at")
    check_times(played_at, ingested_at, ingested_at)
    return Play(
        user_id=user_id,
        played_at=played_at,
        track_id=track_id,
        track_name=name,
        artists=artists,
        source=Source.RECENTLY_PLAYED,
        ingested_at=ingested_at,
        duration_ms=number(track, "duration_ms"),
        isrc=text(mapping("external_ids", track.get("external_ids") or {}), "isrc"),
        explicit=flag(track, "explicit"),
        album_id=text(album, "id"),
        album_name=text(album, "name"),
        album_release_date=text(album, "release_date"),
        album_image_url=text(widest, "url"),
        context_uri=text(mapping("context", item.get("context") or {}), "uri"),
        album_artist_name=text(album_artists[0], "name") if album_artists else None,
    )
