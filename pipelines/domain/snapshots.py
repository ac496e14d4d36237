"""Snapshots: what a source said of a playlist, an artist or a track at one instant, and their three written forms.

The forms are the Avro record of the archive (``<kind>.avsc``), the Pub/Sub message, which is the same record as JSON
with RFC 3339 times and has the ``kind`` among its attributes, and the row of a table. A snapshot is nobody's: it says
nothing of who listens, who owns a playlist, or who added what to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

import orjson

from pipelines.domain.fields import checked, plain, trusted
from pipelines.domain.instants import rfc3339, to_millis
from pipelines.domain.play import Artist, UnreadableError

KIND = "kind"
"""The attribute of a message that says what it is; without it, it is a play."""


class SnapshotSource(StrEnum):
    """Who says so."""

    SPOTIFY = "SPOTIFY"
    MUSICBRAINZ = "MUSICBRAINZ"
    LISTENBRAINZ = "LISTENBRAINZ"
    COVER_ART_ARCHIVE = "COVER_ART_ARCHIVE"


class MatchedBy(StrEnum):
    """What led to the source's own item: the surest first."""

    ID = "ID"
    SPOTIFY_LINK = "SPOTIFY_LINK"
    ISRC = "ISRC"
    NAME = "NAME"


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre's name, in lower case, and how many people say so, where the source counts them."""

    name: str
    votes: int | None = None


@dataclass(frozen=True, slots=True)
class TopTrack:
    """One of an artist's top tracks."""

    name: str
    id: str | None = None


class Snapshot:
    """What the three kinds share. Times are UTC with whole milliseconds.

    A field stands in the class and in its ``.avsc``, in one order, and nowhere else. A new one comes last and is None
    or empty by default, so that what was written before it stays readable.
    """

    __slots__ = ()
    kind: ClassVar[str]
    identified_by: ClassVar[tuple[str, ...]]
    source: SnapshotSource
    taken_at: datetime

    @property
    def identity(self) -> tuple[Any, ...]:
        """Copies with one identity are one snapshot, however often it was written."""
        return tuple(getattr(self, name) for name in self.identified_by)

    @property
    def month(self) -> date:
        """The first day of the month of ``taken_at``, of UTC."""
        return self.taken_at.date().replace(day=1)

    def to_record(self) -> dict[str, Any]:
        """The Avro record, times as milliseconds since 1970."""
        return self._plain(to_millis)

    def to_row(self) -> dict[str, Any]:
        """The row of a table: times are datetimes, and its partition is ``month``."""
        return self._plain(lambda instant: instant) | {"month": self.month}

    def to_message(self) -> tuple[bytes, dict[str, str]]:
        """Data and attributes of the Pub/Sub message. ``played_at`` is what the stream takes a message's time from."""
        attributes = {KIND: self.kind, "played_at": rfc3339(self.taken_at), "source": self.source.value}
        return orjson.dumps(self._plain(rfc3339)), attributes

    def _plain(self, time: Any) -> dict[str, Any]:
        return plain(self, time)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistSnapshot(Snapshot):
    """One position of one state of a playlist. ``position`` is from 1 on; 0 is the one row of an empty playlist.

    A state is whole where it has ``tracks`` rows. Where ``track_name`` is None, the position holds no track.
    """

    kind: ClassVar[str] = "playlist_snapshot"
    identified_by: ClassVar[tuple[str, ...]] = ("playlist_id", "snapshot_id", "position")

    playlist_id: str
    snapshot_id: str
    position: int
    taken_at: datetime
    source: SnapshotSource = SnapshotSource.SPOTIFY
    playlist_name: str | None = None
    playlist_image_url: str | None = None
    tracks: int
    added_at: datetime | None = None
    track_id: str | None = None
    track_name: str | None = None
    artists: tuple[Artist, ...] = ()
    album_id: str | None = None
    album_name: str | None = None
    album_artist_name: str | None = None
    album_release_date: str | None = None
    album_image_url: str | None = None
    duration_ms: int | None = None
    isrc: str | None = None
    explicit: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtistSnapshot(Snapshot):
    """What one source said of one artist. ``artist_id`` is that of plays; where not ``found``, that is all."""

    kind: ClassVar[str] = "artist_snapshot"
    identified_by: ClassVar[tuple[str, ...]] = ("artist_id", "source", "taken_at")

    artist_id: str
    source: SnapshotSource
    taken_at: datetime
    found: bool
    source_id: str | None = None
    matched_by: str | None = None
    name: str | None = None
    genres: tuple[Genre, ...] = ()
    image_url: str | None = None
    popularity: int | None = None
    followers: int | None = None
    listeners: int | None = None
    listens: int | None = None
    top_tracks: tuple[TopTrack, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSnapshot(Snapshot):
    """What one source said of one track. ``track_id`` is that of plays; where not ``found``, that is all."""

    kind: ClassVar[str] = "track_snapshot"
    identified_by: ClassVar[tuple[str, ...]] = ("track_id", "source", "taken_at")

    track_id: str
    source: SnapshotSource
    taken_at: datetime
    found: bool
    source_id: str | None = None
    matched_by: str | None = None
    name: str | None = None
    artists: tuple[Artist, ...] = ()
    album_id: str | None = None
    album_name: str | None = None
    album_artist_name: str | None = None
    album_release_date: str | None = None
    album_image_url: str | None = None
    duration_ms: int | None = None
    isrc: str | None = None
    explicit: bool | None = None
    popularity: int | None = None
    listeners: int | None = None
    listens: int | None = None
    acousticness: float | None = None
    danceability: float | None = None
    energy: float | None = None
    instrumentalness: float | None = None
    liveness: float | None = None
    loudness: float | None = None
    speechiness: float | None = None
    tempo: float | None = None
    valence: float | None = None


KINDS: dict[str, type[Snapshot]] = {each.kind: each for each in (PlaylistSnapshot, ArtistSnapshot, TrackSnapshot)}
"""What an attribute ``kind`` can say, and what such a message is read as."""


def from_record(kind: str, record: Mapping[str, Any]) -> Snapshot:
    """The snapshot of an Avro record as fastavro reads it, with aware datetimes. Trusts the schema."""
    snapshot: Snapshot = trusted(KINDS[kind], record)
    return snapshot


def from_message(kind: str, data: bytes) -> Snapshot:
    """The snapshot in a Pub/Sub message's data. Unknown fields are ignored. Raises UnreadableError."""
    if kind not in KINDS:
        raise UnreadableError(f"kind is none of {', '.join(KINDS)}")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableError("not JSON") from None
    if not isinstance(message, dict):
        raise UnreadableError("not a JSON object")
    snapshot: Snapshot = checked(KINDS[kind], message)
    return snapshot
