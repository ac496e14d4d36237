"""The watched items: playlists and artists, and the artists of each month's top ten, in ``STATE/watched.json``.

An item's key is ``playlist:ID``, ``artist:ID`` or ``top:N``. Whoever owns a playlist is not in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.ranking import TOP
from pipelines.domain.snapshots import ArtistSnapshot, PlaylistSnapshot, Snapshot, SnapshotSource
from pipelines.failure import Failure
from producer.private_files import damaged
from producer.state.documents import Documents
from producer.state.kept import Kept, Value

NAME = "watched.json"
# Figures move slowly, and a month's artists are many.
EVERY = {"playlist": timedelta(days=1), "artist": timedelta(days=1), "top": timedelta(days=7)}
_NEVER = datetime.min.replace(tzinfo=UTC)
_ID = re.compile(r"[0-9A-Za-z]{22}")
_REMEDY = "remove it, and add what is to be watched again: heavy-rotation watch add"


class WatchError(Failure):
    """What is to be watched makes no sense, or is not watched."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is watched: how often it is asked about, and how far that has come. Instants are UTC.

    ``done_at`` is when it was last asked about with success, ``snapshot_id`` the playlist's state then. Of a ``top``,
    ``artists`` has when each artist was asked about.
    """

    key: str
    every: timedelta
    added_at: datetime
    name: str | None = None
    done_at: datetime | None = None
    snapshot_id: str | None = None
    artists: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``playlist``, ``artist`` or ``top``."""
        return self.key.partition(":")[0]

    @property
    def id(self) -> str:
        """Spotify's id, or how many of a top ten."""
        return self.key.partition(":")[2]

    def is_due(self, now: datetime) -> bool:
        """Whether it is time. A clock that was set back delays nothing for longer than the interval."""
        return is_due(self.done_at, self.every, now)

    def noting(self, snapshot: Snapshot) -> "Item":
        """How far it has come by a snapshot of Spotify's that is kept: further, where that is of this item."""
        at = snapshot.taken_at
        if snapshot.source is not SnapshotSource.SPOTIFY:
            return self
        match snapshot:
            case ArtistSnapshot(artist_id=id_) if self.kind == "top" and at > self.artists.get(id_, _NEVER):
                return replace(self, artists={**self.artists, id_: at}, done_at=max(at, self.done_at or _NEVER))
            case ArtistSnapshot(artist_id=self.id, name=name) if at > (self.done_at or _NEVER):
                return replace(self, name=name, done_at=at)
            case PlaylistSnapshot(playlist_id=self.id, playlist_name=name) if at > (self.done_at or _NEVER):
                return replace(self, name=name, done_at=at, snapshot_id=snapshot.snapshot_id)
        return self


def is_due(done_at: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether something that was last done then is due. A job that starts some minutes early each day is not late."""
    return done_at is None or not timedelta() <= now - done_at < every - min(every / 10, timedelta(hours=1))


class Items:
    """The watched items of a state. Methods raise StateError and StorageError."""

    def __init__(self, state: str) -> None:
        self._kept = Kept(Documents(state), NAME)

    def all(self) -> list[Item]:
        """In the order in which they were added."""
        try:
            return [_from_record(key, record) for key, record in self._kept.read().get("items", {}).items()]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise damaged(self._kept.place, remedy=_REMEDY) from None

    def add(self, key: str, every: timedelta | None, now: datetime) -> bool:
        """Watch it from now on; False where it is watched already, and then at the interval that is given."""
        known = {item.key: item for item in self.all()}.get(key)
        interval = every or (known.every if known else EVERY[key.partition(":")[0]])
        item = replace(known, every=interval) if known else Item(key, interval, now)
        self._kept.change(lambda kept: {"items": kept.get("items", {}) | {key: _to_record(item)}})
        return known is None

    def remove(self, key: str) -> bool:
        """Watch it no more; False where it was not watched."""
        there = key in self._kept.read().get("items", {})

        def without(kept: Value) -> Value:
            return {"items": {each: record for each, record in kept.get("items", {}).items() if each != key}}

        if there:
            self._kept.change(without)
        return there

    def update(self, item: Item) -> None:
        """Keep how far it has come, unless it was removed meanwhile."""

        def updated(kept: Value) -> Value:
            items = kept.get("items", {})
            return {"items": items | ({item.key: _to_record(item)} if item.key in items else {})}

        self._kept.change(updated)


def key_of(text: str) -> str:
    """The key of a link or a URI of Spotify's, or of ``top:N``. Raises WatchError, which says what there can be."""
    text = text.strip()
    if top := re.fullmatch(r"top:(\d+)", text):
        if not 1 <= int(top[1]) <= TOP:
            raise WatchError(f"{text!r}: a top ten has one to {TOP}; write top:{TOP}")
        return f"top:{int(top[1])}"
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.hostname == "open.spotify.com":
        words = parts.path.strip("/").split("/")
    elif parts.scheme == "spotify":
        words = text.split(":")[1:]
    else:
        words = text.split(":")
    match words[-2:]:
        case [("playlist" | "artist") as kind, id_] if _ID.fullmatch(id_):
            return f"{kind}:{id_}"
        case [("track" | "album" | "show" | "episode" | "user") as kind, _]:
            raise WatchError(f"{text!r} is a link to {_article(kind)}; watched are playlists, artists and top:{TOP}")
    raise WatchError(
        f"{text!r} is no playlist and no artist; paste a link such as https://open.spotify.com/playlist/… (Share, Copy "
        f"link), a URI such as spotify:artist:…, or top:{TOP} for the artists of each month's top ten"
    )


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ae" else f"a {kind}"


def _to_record(item: Item) -> dict[str, Any]:
    record: dict[str, Any] = {
        "every": item.every.total_seconds(),
        "added_at": rfc3339(item.added_at),
        "name": item.name,
        "done_at": item.done_at and rfc3339(item.done_at),
        "snapshot_id": item.snapshot_id,
    }
    return record | ({"artists": {id_: rfc3339(at) for id_, at in item.artists.items()}} if item.artists else {})


def _from_record(key: str, record: dict[str, Any]) -> Item:
    return Item(
        key,
        timedelta(seconds=record["every"]),
        parse(record["added_at"]),
        record["name"],
        parse(record["done_at"]) if record["done_at"] else None,
        record["snapshot_id"],
        {id_: parse(at) for id_, at in record.get("artists", {}).items()},
    )
