"""Snapshots for tests: made of a few values, and their rows by plain Python that shares no code with what is judged."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import fields as fields_of
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apache_beam.io.gcp.pubsub import PubsubMessage

from pipelines.domain.play import Artist
from pipelines.domain.snapshots import ArtistSnapshot, Genre, PlaylistSnapshot, Snapshot, SnapshotSource, TrackSnapshot
from tests.streaming.running import rows

KINDS = "playlist_snapshot", "artist_snapshot", "track_snapshot"
NOVEMBER = datetime(2026, 11, 20, 7, 30, 0, 123_000, tzinfo=UTC)
_IDENTITY = {
    "playlist_snapshot": ("playlist_id", "snapshot_id", "position"),
    "artist_snapshot": ("artist_id", "source", "taken_at"),
    "track_snapshot": ("track_id", "source", "taken_at"),
}


def playlist(tracks: Sequence[str] = "ab", taken_at: datetime = NOVEMBER, **fields: Any) -> list[PlaylistSnapshot]:
    """A whole state of a playlist."""
    return [
        PlaylistSnapshot(
            **{
                "playlist_id": "list",
                "snapshot_id": "".join(tracks),
                "position": position,
                "taken_at": taken_at,
                "tracks": len(tracks),
                "track_id": track,
                "track_name": f"Track {track}",
                "added_at": taken_at - timedelta(days=3) if position == 1 else None,
                "artists": (Artist("Artist", "a1"), Artist("Guest")),
            }
            | fields
        )
        for position, track in enumerate(tracks, start=1)
    ]


def artist(artist_id: str = "a1", taken_at: datetime = NOVEMBER, **fields: Any) -> ArtistSnapshot:
    """What MusicBrainz says of an artist."""
    values: dict[str, Any] = {
        "source": SnapshotSource.MUSICBRAINZ,
        "found": True,
        "name": f"Artist {artist_id}",
        "genres": (Genre("indie pop", 6), Genre("rock")),
    }
    return ArtistSnapshot(artist_id=artist_id, taken_at=taken_at, **values | fields)


def track(track_id: str = "t1", taken_at: datetime = NOVEMBER, **fields: Any) -> TrackSnapshot:
    """What Spotify says of a track."""
    values: dict[str, Any] = {"source": SnapshotSource.SPOTIFY, "found": True, "name": "Track", "energy": 0.25}
    return TrackSnapshot(track_id=track_id, taken_at=taken_at, **values | fields)


def some() -> list[Snapshot]:
    """A few of each kind, of two months."""
    october = NOVEMBER - timedelta(days=30)
    return [*playlist("abc"), *playlist("xyz", october), artist(), artist("a2", october), track(), track("t2")]


def messages(snapshots: Iterable[Snapshot]) -> list[PubsubMessage]:
    return [PubsubMessage(*snapshot.to_message()) for snapshot in snapshots]


def shuffled(snapshots: Sequence[Snapshot], seed: int) -> list[Snapshot]:
    return random.Random(seed).sample(snapshots, len(snapshots))


def in_table(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The rows of a kind's table as they are, copies among them, in the order of what they say."""
    return sorted(rows(folder, f"{kind}s"), key=_words)


def each_once(rows: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """One row for each identity and month, the earliest, in the same order."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["taken_at"]):
        kept.setdefault((*(row[name] for name in _IDENTITY[kind]), row["month"]), row)
    return sorted(kept.values(), key=_words)


def _words(row: dict[str, Any]) -> list[str]:
    return [str(value) for value in row.values()]


def expected(snapshots: Iterable[Snapshot], kind: str) -> list[dict[str, Any]]:
    """What the table of a kind has to hold of these, each once."""
    return each_once((_row(snapshot) for snapshot in snapshots if snapshot.kind == kind), kind)


def _row(snapshot: Any) -> dict[str, Any]:
    row = {name: getattr(snapshot, name) for name in [each.name for each in fields_of(snapshot)]}
    lists = {"artists": ("id", "name"), "genres": ("name", "votes"), "top_tracks": ("id", "name")}
    for name in lists.keys() & row.keys():
        row[name] = [{part: getattr(item, part) for part in lists[name]} for item in row[name]]
    row["source"] = str(row["source"])
    return row | {"month": snapshot.taken_at.replace(day=1).date()}
