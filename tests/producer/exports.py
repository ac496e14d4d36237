"""Builders for exports and for what the API lists, as Spotify writes them, and a reader of what came of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from pipelines.domain.instants import parse
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive

ADDRESS, AGENT, LOGIN_NAME, PLATFORM = "203.0.113.77", "agent-77", "login-name-77", "platform-77"


def extended(
    ts: str = "2026-05-01T10:00:00Z", track: str = "a", ms_played: int = 180_000, **more: Any
) -> dict[str, Any]:
    """A row of the extended export, with every personal field that one can hold."""
    return {
        "ts": ts,
        "username": LOGIN_NAME,
        "platform": PLATFORM,
        "ms_played": ms_played,
        "conn_country": "FR",
        "ip_addr": ADDRESS,
        "ip_addr_decrypted": ADDRESS,
        "user_agent_decrypted": AGENT,
        "master_metadata_track_name": f"Track {track}",
        "master_metadata_album_artist_name": "Artist",
        "master_metadata_album_album_name": "Album",
        "spotify_track_uri": f"spotify:track:{track}",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": None,
        "offline": False,
        "offline_timestamp": None,
        "incognito_mode": False,
    } | more


def episode(ts: str = "2026-05-01T12:00:00Z") -> dict[str, Any]:
    """A row of a podcast in the extended export."""
    nameless: dict[str, Any] = {name: None for name in extended() if name.startswith(("master_", "spotify_track"))}
    return extended(ts, **nameless | {"episode_name": "E", "spotify_episode_uri": "spotify:episode:e"})


def account(end: str = "2026-05-01 10:00", track: str = "a", ms_played: int = 180_000) -> dict[str, Any]:
    """A row of the account data."""
    return {"endTime": end, "artistName": "Artist", "trackName": f"Track {track}", "msPlayed": ms_played}


def listed(stamp: str = "2026-05-01T10:00:00.500Z", track: str = "a", **more: Any) -> dict[str, Any]:
    """An item of the recently-played endpoint."""
    artists = [{"id": "artist-id", "name": "Artist"}]
    album = {"id": "album-id", "name": "Album", "artists": artists, "images": []}
    about = {"id": track, "name": f"Track {track}", "artists": artists, "album": album, "duration_ms": 180_000}
    return {"track": about | more, "played_at": stamp, "context": None}


def write_json(path: Path, rows: Any) -> Path:
    """Write one file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2))
    return path


def write_zip(path: Path, members: Mapping[str, Any]) -> Path:
    """Write a zip with these files; bytes as they are, all else as JSON."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


def plays_in(archive: Path) -> list[Play]:
    """Every play in the archive, oldest first."""
    opened = Archive(str(archive))
    plays = [play for path in opened.files() for play in opened.read(path)]
    return sorted(plays, key=lambda play: (play.played_at, play.track_id))


def identities(plays: Iterable[Play]) -> list[tuple[datetime, str]]:
    """Instant and track of each play, in order."""
    return sorted((play.played_at, play.track_id) for play in plays)


def at(*texts: str) -> list[datetime]:
    """Instants of RFC 3339 texts."""
    return [parse(text) for text in texts]
