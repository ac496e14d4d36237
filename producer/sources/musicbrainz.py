"""MusicBrainz: which artist and which recording it is, and genres. https://musicbrainz.org/doc/MusicBrainz_API

Terms: no more than one request a second from one address, a User-Agent with a contact, non-commercial use. Names, ids,
lengths and ISRCs are in the public domain (CC0); genres and their votes are CC BY-NC-SA 3.0: whoever shows them says
where they are from.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from pipelines.domain.snapshots import Genre
from pipelines.domain.song import folded
from producer.sources.polite import Polite, Reply, SourceError

URL = "https://musicbrainz.org"
SPACING_SECONDS = 1.1
# It takes a hundred; a proxy on the way may not take an address of seven kilobytes.
LINKS_AT_ONCE = 50
_SPOTIFY = "https://open.spotify.com/artist/"
_SPECIAL = re.compile(r'([+\-!(){}\[\]^"~*?:\\/&|])')
_SURE_WITHIN_MS = 3_000


class SearchBusyError(SourceError):
    """The search sheds load, whoever asks; everything else still answers."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: ids, title, length in milliseconds, and of one of its releases id, title and date."""

    id: str
    title: str
    length_ms: int | None
    isrc: str | None
    release_id: str | None
    release_title: str | None
    release_date: str | None


class MusicBrainz:
    """The web service. Methods raise SourceError, and EndedError where the run ends; one of them is one request."""

    def __init__(self, polite: Polite) -> None:
        self._polite = polite

    def artists_of_links(self, spotify_ids: Sequence[str]) -> dict[str, str]:
        """The artists (MBID) of Spotify's, at most LINKS_AT_ONCE, by those's ids; who is missing is not linked."""
        query = [("resource", _SPOTIFY + id_) for id_ in spotify_ids]
        reply = self._get("/url", [*query, ("inc", "artist-rels")])
        if reply is None:
            return {}
        urls = reply["urls"] if isinstance(reply.get("urls"), list) else [reply]
        found = {str(url.get("resource")).removeprefix(_SPOTIFY): set(_artists_of(url)) for url in urls}
        # A link that two artists share says nothing of either.
        return {id_: ids.pop() for id_, ids in found.items() if len(ids) == 1}

    def artist_of_isrc(self, isrc: str, name: str) -> str | None:
        """The artist of this name among those who are credited for a recording."""
        reply = self._get(f"/isrc/{isrc}", {"inc": "artist-credits"})
        named = [credit for recording in _rows(reply, "recordings") for credit in _rows(recording, "artist-credit")]
        return _only(_row(credit, "artist") for credit in named if _is_named(_row(credit, "artist"), name))

    def artist_named(self, name: str) -> str | None:
        """The one artist of exactly this name, but for case and spaces; None where there are several, or none."""
        reply = self._get("/artist", {"query": f'artist:"{_escaped(name)}"', "limit": "10"})
        return _only(artist for artist in _rows(reply, "artists") if _is_named(artist, name))

    def artist(self, mbid: str) -> tuple[str, str, tuple[Genre, ...]] | None:
        """Id, which another one may have taken the place of, name and genres of an artist; None if there is none."""
        reply = self._get(f"/artist/{mbid}", {"inc": "genres"})
        if reply is None:
            return None
        genres = [
            Genre(str(genre["name"]), genre["count"] if isinstance(genre.get("count"), int) else None)
            for genre in _rows(reply, "genres")
            if genre.get("name")
        ]
        genres.sort(key=lambda genre: (-(genre.votes or 0), genre.name))
        return str(reply.get("id") or mbid), str(reply.get("name") or ""), tuple(genres)

    def recording_of_isrc(self, isrc: str) -> Recording | None:
        """The first recording with this code that has a length, and else the first."""
        reply = self._get(f"/isrc/{isrc}", {"inc": "artist-credits releases"})
        found = [_recording(row, isrc) for row in _rows(reply, "recordings") if row.get("id")]
        return min(found, key=lambda recording: recording.length_ms is None, default=None)

    def recording_named(self, title: str, artist: str, duration_ms: int | None) -> Recording | None:
        """The recording of exactly this title and artist, but for case and spaces, and of this length where known."""
        query = f'recording:"{_escaped(title)}" AND artist:"{_escaped(artist)}"'
        reply = self._get("/recording", {"query": query, "limit": "10"})
        for row in _rows(reply, "recordings"):
            [first, *_] = _rows(row, "artist-credit") or [{}]
            name = first.get("name") or _row(first, "artist").get("name")
            if folded(str(row.get("title"))) != folded(title) or folded(str(name)) != folded(artist):
                continue
            found = _recording(row, None)
            far = duration_ms and found.length_ms and abs(duration_ms - found.length_ms) > _SURE_WITHIN_MS
            if not far:
                return found
        return None

    def _get(self, path: str, query: Any) -> Mapping[str, Any] | None:
        """The object that it answers; None where it knows nothing of that kind."""
        pairs = [*(query.items() if isinstance(query, dict) else query), ("fmt", "json")]
        text = "&".join(f"{name}={quote_plus(value, safe=':/')}" for name, value in pairs)
        reply = self._polite.ask("GET", f"/ws/2{path}?{text}")
        if reply.status in (400, 404):
            return None
        _check(reply)
        body: Mapping[str, Any] = reply.body
        return body


def _check(reply: Reply) -> None:
    if reply.headers.get("X-RateLimit-Zone") == "search-global" and reply.status == 503:
        raise SearchBusyError("MusicBrainz's search is too busy, whoever asks; the next run searches again")
    if reply.status != 200 or not isinstance(reply.body, dict):
        raise SourceError(f"MusicBrainz answered {reply.status}; the next run goes on")


def _artists_of(url: Mapping[str, Any]) -> Iterator[str]:
    for relation in _rows(url, "relations"):
        if relation.get("target-type") == "artist" and not relation.get("ended"):
            yield str(_row(relation, "artist").get("id"))


def _recording(row: Mapping[str, Any], isrc: str | None) -> Recording:
    official = [release for release in _rows(row, "releases") if release.get("status") in ("Official", None)]
    [release, *_] = sorted(official, key=lambda release: str(release.get("date") or "9")) or [{}]
    length = row.get("length")
    codes = row.get("isrcs")
    return Recording(
        str(row["id"]),
        str(row.get("title") or ""),
        length if isinstance(length, int) else None,
        isrc or (str(codes[0]) if isinstance(codes, list) and codes else None),
        release.get("id"),
        release.get("title"),
        release.get("date") or row.get("first-release-date") or None,
    )


def _only(artists: Iterable[Mapping[str, Any]]) -> str | None:
    ids = {str(artist.get("id")) for artist in artists}
    return ids.pop() if len(ids) == 1 else None


def _is_named(artist: Mapping[str, Any], name: str) -> bool:
    return folded(str(artist.get("name"))) == folded(name)


def _escaped(text: str) -> str:
    """A text within quotes of a query."""
    return _SPECIAL.sub(r"\\\1", text)


def _rows(of: Mapping[str, Any] | None, name: str) -> list[Mapping[str, Any]]:
    value = (of or {}).get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _row(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
