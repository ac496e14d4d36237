"""What Spotify's Web API says of playlists, artists and tracks, as a new app gets it, or one with all rights. No HTTP.

A new app (development mode, from 2026 on) gets no popularity, followers, genres, top tracks or audio features, and of
other people's playlists no tracks.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo.catalogue import Catalogue, Track, invent_catalogue, stable_id
from demo.spotify_feed import BadRequestError, write_artist, write_track

_PAGE = 50
_MAX_PLAYLIST_OFFSET = 100_000
_GENRES = ["indie pop", "folk", "electronica", "jazz", "post-rock", "chanson", "ambient", "soul", "synth-pop", "dub"]
_FEATURES = ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness", "valence")


class NotGivenError(Exception):
    """403 or 404, in Spotify's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Playlist:
    """A playlist; `entries` are tracks with the time each was added, None for one that is gone. Another `edition`
    after every edit."""

    id: str
    name: str
    entries: list[tuple[datetime, Track | None]]
    is_ours: bool = True
    is_public: bool = True
    edition: int = 1

    @property
    def snapshot_id(self) -> str:
        """Another one after every edit."""
        return stable_id("snapshot", self.id, self.edition)

    def put(self, entries: Iterable[tuple[datetime, Track | None]]) -> None:
        """Edit it."""
        self.entries = list(entries)
        self.edition += 1


@dataclass(slots=True)
class Library:
    """What there is, and what the app is given: `has_all` is an app from before the withdrawals."""

    catalogue: Catalogue = field(default_factory=lambda: invent_catalogue(1))
    playlists: dict[str, Playlist] = field(default_factory=dict)
    has_all: bool = False
    day: int = 0

    def add(self, playlist: Playlist) -> Playlist:
        """One more playlist."""
        self.playlists[playlist.id] = playlist
        return playlist

    def tracks(self) -> list[Track]:
        """All, in the catalogue's order."""
        return [track for _, tracks in self.catalogue.albums for track in tracks]

    def answer(self, path: str, query: Mapping[str, str], scope: str, base_url: str) -> dict[str, Any]:
        """The body of `GET path`. NotGivenError and BadRequestError as Spotify refuses."""
        match path.split("/")[2:]:
            case ["playlists", id_]:
                return self._playlist(id_, query, scope, base_url)
            case ["playlists", id_, "items"]:
                return self._items(id_, query, scope, base_url)
            case ["artists", id_]:
                return self._artist(id_)
            case ["artists", id_, "top-tracks"] if self.has_all:
                own = [track for track in self.tracks() if track.artists[0].id == id_]
                return {"tracks": [write_track(track) for track in own[:10]]}
            case ["tracks", id_]:
                return write_track(self._track(id_))
            case ["audio-features", id_] if self.has_all:
                return self._features(self._track(id_))
            case ["artists", _, "top-tracks"] | ["audio-features", _]:
                raise NotGivenError(403, "Forbidden")
        raise NotGivenError(404, "Service not found")

    def _track(self, id_: str) -> Track:
        for track in self.tracks():
            if track.id == id_:
                return track
        raise NotGivenError(404, "Resource not found")

    def _readable(self, id_: str, scope: str) -> Playlist:
        playlist = self.playlists.get(id_)
        # A private list is not there for who may not see it.
        if playlist is None or not (playlist.is_public or "playlist-read-private" in scope.split()):
            raise NotGivenError(404, "Resource not found")
        return playlist

    def _playlist(self, id_: str, query: Mapping[str, str], scope: str, base_url: str) -> dict[str, Any]:
        playlist = self._readable(id_, scope)
        owner = {"display_name": "Somebody", "id": "somebody", "type": "user", "uri": "spotify:user:somebody"}
        url = f"{base_url}/v1/playlists/{id_}"
        whole: dict[str, Any] = {
            "collaborative": False,
            "description": None,
            "external_urls": {"spotify": f"https://open.example.com/playlist/{id_}"},
            "href": url,
            "id": id_,
            "images": [{"url": f"https://images.example.com/{id_}/640.jpg", "height": 640, "width": 640}],
            "name": playlist.name,
            "owner": owner,
            "public": playlist.is_public,
            "snapshot_id": playlist.snapshot_id,
            "type": "playlist",
            "uri": f"spotify:playlist:{id_}",
        }
        if "fields" in query:
            return {name: whole[name] for name in query["fields"].split(",") if name in whole}
        return whole | ({"items": {"href": f"{url}/items", "total": len(playlist.entries)}} if playlist.is_ours else {})

    def _items(self, id_: str, query: Mapping[str, str], scope: str, base_url: str) -> dict[str, Any]:
        playlist = self._readable(id_, scope)
        if not playlist.is_ours:
            raise NotGivenError(403, "Forbidden")
        limit, offset = (_number(query, name, usual) for name, usual in (("limit", 20), ("offset", 0)))
        if not 1 <= limit <= _PAGE or not 0 <= offset <= _MAX_PLAYLIST_OFFSET:
            raise BadRequestError("Invalid limit or offset")
        url, end = f"{base_url}/v1/playlists/{id_}/items", offset + limit
        return {
            "href": f"{url}?offset={offset}&limit={limit}",
            "items": [
                {
                    "added_at": added_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "added_by": {"id": "somebody", "type": "user", "uri": "spotify:user:somebody"},
                    "is_local": False,
                    "item": None if track is None else write_track(track),
                }
                for added_at, track in playlist.entries[offset:end]
            ],
            "limit": limit,
            "next": f"{url}?offset={end}&limit={limit}" if end < len(playlist.entries) else None,
            "offset": offset,
            "previous": f"{url}?offset={max(0, offset - limit)}&limit={limit}" if offset else None,
            "total": len(playlist.entries),
        }

    def _artist(self, id_: str) -> dict[str, Any]:
        for album, tracks in self.catalogue.albums:
            for artist in [artist for track in tracks for artist in track.artists]:
                if artist.id != id_:
                    continue
                picture = [{"url": album.image_url(side), "height": side, "width": side} for side in (640, 320)]
                written = write_artist(artist) | {"images": picture}
                if not self.has_all:
                    return written
                chance = random.Random(f"artist/{id_}")
                followers = chance.randrange(1_000, 900_000) + 37 * self.day
                figures = {"popularity": chance.randrange(20, 90), "followers": {"href": None, "total": followers}}
                return written | figures | {"genres": chance.sample(_GENRES, 2)}
        raise NotGivenError(404, "Resource not found")

    def _features(self, track: Track) -> dict[str, Any]:
        chance = random.Random(f"features/{track.id}")
        measures = {name: round(chance.random(), 3) for name in _FEATURES}
        rest = {"tempo": round(chance.uniform(60, 180), 3), "loudness": round(chance.uniform(-20, -3), 3)}
        return measures | rest | {"id": track.id, "type": "audio_features", "duration_ms": track.duration_ms}


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(query.get(name, usual))
    except ValueError:
        raise BadRequestError(f"Invalid {name}") from None
