"""Plays for tests: say what matters, the rest is filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.domain.instants import parse, to_millisecond
from pipelines.domain.play import Artist, Play, Source

INGESTED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def play(played_at: str | datetime = "2026-11-21T08:00:00Z", track: str = "t1", **fields: Any) -> Play:
    """A play by "me" of a track whose names follow from its id. It was not ingested before it was played."""
    instant = parse(played_at) if isinstance(played_at, str) else played_at
    defaults: dict[str, Any] = {
        "user_id": "me",
        "played_at": instant,
        "track_id": track,
        "track_name": f"Track {track}",
        "artists": (Artist(f"Artist of {track}", f"artist-{track}"),),
        "album_id": f"album-{track}",
        "album_name": f"Album of {track}",
        "source": Source.RECENTLY_PLAYED,
        "ingested_at": max(INGESTED_AT, to_millisecond(instant)),
    }
    return Play(**defaults | fields)


def plays(tracks: str, start: str = "2026-11-02T08:00:00Z", **fields: Any) -> list[Play]:
    """One play for each letter, a minute apart."""
    first = parse(start)
    return [play(first + timedelta(minutes=i), track, **fields) for i, track in enumerate(tracks)]
