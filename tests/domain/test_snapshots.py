"""Snapshots: their identity, their month, and what of a message is one."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.domain.play import Artist, UnreadableError
from pipelines.domain.snapshots import (
    ArtistSnapshot,
    Genre,
    PlaylistSnapshot,
    Snapshot,
    SnapshotSource,
    TopTrack,
    TrackSnapshot,
    from_message,
)

TAKEN_AT = datetime(2026, 11, 28, 7, 30, 0, 123000, tzinfo=UTC)


def playlist_snapshot(**fields: Any) -> PlaylistSnapshot:
    """A whole playlist of one track."""
    values: dict[str, Any] = {
        "playlist_id": "list",
        "snapshot_id": "first",
        "position": 1,
        "taken_at": TAKEN_AT,
        "playlist_name": "A list",
        "tracks": 1,
        "added_at": datetime(2026, 1, 2, tzinfo=UTC),
        "track_id": "t1",
        "track_name": "Track",
        "artists": (Artist("Artist", "a1"),),
    }
    return PlaylistSnapshot(**values | fields)


def artist_snapshot(**fields: Any) -> ArtistSnapshot:
    """Spotify's, of an artist who is found."""
    values: dict[str, Any] = {
        "artist_id": "a1",
        "source": SnapshotSource.SPOTIFY,
        "taken_at": TAKEN_AT,
        "found": True,
        "name": "Artist",
        "genres": (Genre("indie pop", 6), Genre("rock")),
        "top_tracks": (TopTrack("Track", "t1"),),
    }
    return ArtistSnapshot(**values | fields)


def track_snapshot(**fields: Any) -> TrackSnapshot:
    """Spotify's, of a track with audio features."""
    values: dict[str, Any] = {
        "track_id": "t1",
        "source": SnapshotSource.SPOTIFY,
        "taken_at": TAKEN_AT,
        "found": True,
        "name": "Track",
        "energy": 0.5,
    }
    return TrackSnapshot(**values | fields)


EVERY = [playlist_snapshot(), artist_snapshot(), track_snapshot()]


@pytest.mark.parametrize("snapshot", EVERY, ids=lambda each: each.kind)
def test_a_message_holds_all_of_a_snapshot(snapshot: Snapshot) -> None:
    data, attributes = snapshot.to_message()
    assert attributes == {
        "kind": snapshot.kind,
        "played_at": "2026-11-28T07:30:00.123Z",
        "source": snapshot.source.value,
    }
    assert from_message(attributes["kind"], data) == snapshot


def test_identities_are_what_tells_snapshots_apart() -> None:
    assert playlist_snapshot().identity == ("list", "first", 1)
    assert artist_snapshot().identity == ("a1", "SPOTIFY", TAKEN_AT)
    assert track_snapshot().identity == ("t1", "SPOTIFY", TAKEN_AT)


def test_the_month_is_of_utc() -> None:
    assert track_snapshot(taken_at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC)).month == date(2026, 10, 1)
    assert track_snapshot().to_row()["month"] == date(2026, 11, 1)


def test_a_field_of_a_later_version_is_ignored_and_one_of_an_earlier_may_be_missing() -> None:
    data, _ = artist_snapshot(genres=(), name=None, top_tracks=()).to_message()
    message = json.loads(data) | {"of_a_later_version": 1}
    del message["name"], message["genres"], message["top_tracks"]
    assert from_message("artist_snapshot", json.dumps(message).encode()) == artist_snapshot(
        genres=(), name=None, top_tracks=()
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"artist_id": ""}, "artist_id is missing"),
        ({"artist_id": 3}, "artist_id is not a string"),
        ({"source": "SOMEBODY"}, "source is none of SPOTIFY"),
        ({"taken_at": "yesterday"}, "taken_at is not an RFC 3339 time"),
        ({"taken_at": "1999-01-01T00:00:00Z"}, "taken_at is not between 2006 and 2099"),
        ({"found": None}, "found is missing"),
        ({"found": 1}, "found is not true or false"),
        ({"listens": 1.5}, "listens is not a whole number"),
        ({"listens": 2**63}, "listens does not fit in 64 bits"),
        ({"genres": "pop"}, "genres is not a list"),
        ({"genres": ["pop"]}, "one of genres is not an object"),
        ({"genres": [{"votes": 1}]}, "name is missing"),
    ],
)
def test_what_is_no_snapshot_says_why(change: dict[str, Any], why: str) -> None:
    data, _ = artist_snapshot().to_message()
    with pytest.raises(UnreadableError, match=why):
        from_message("artist_snapshot", json.dumps(json.loads(data) | change).encode())


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("album_snapshot", b"{}", "kind is none of"),
        ("track_snapshot", b"{", "not JSON"),
        ("track_snapshot", b"[]", "not a JSON object"),
    ],
)
def test_what_is_no_message_of_a_kind_says_why(kind: str, data: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        from_message(kind, data)


def test_a_whole_number_will_do_for_an_audio_feature() -> None:
    data, _ = track_snapshot().to_message()
    read: Any = from_message("track_snapshot", json.dumps(json.loads(data) | {"energy": 1}).encode())
    assert read.energy == 1.0
