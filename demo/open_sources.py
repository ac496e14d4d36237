"""Look-alikes of MusicBrainz, ListenBrainz and the Cover Art Archive on this machine, over HTTP, with their limits.

What they know is a function of a catalogue: which artists are linked to Spotify, which are known by an ISRC or by name
only, and which not at all. `python -m demo.open_sources` is all three by itself, until it is stopped.
"""

import json
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from demo.catalogue import Album, Artist, Catalogue, Track, invent_catalogue
from demo.processes import serve

_GENRES = ["indie pop", "folk", "electronica", "jazz", "post-rock", "chanson", "ambient", "soul", "synth-pop", "dub"]
_LINK = "https://open.spotify.com/artist/"
_HELP = "For usage, please see: https://musicbrainz.org/development/mmd"


def mbid(kind: str, *names: object) -> str:
    """A UUID that depends on these only."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, (kind, *names)))))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in, and how it was answered; `user_agent` says who asked."""

    method: str
    path: str
    status: int
    user_agent: str
    at: float


@dataclass
class OpenSources:
    """All three on one port. Of four artists one is linked to Spotify, one known by ISRC and name, one by name alone,
    one not at all.

    `requests` has what was asked. `is_down` are the sources that answer 503 (`musicbrainz`, `listenbrainz`,
    `coverart`); with `is_search_shed` MusicBrainz's search does, whoever asks. `wants_token` is ListenBrainz's.
    """

    catalogue: Catalogue = field(default_factory=lambda: invent_catalogue(1))
    port: int = 0
    requests: list[Asked] = field(default_factory=list)
    is_down: set[str] = field(default_factory=set)
    is_search_shed: bool = False
    wants_token: bool = False
    per_ten_seconds: int = 30
    clock: Callable[[], float] = time.monotonic
    _last: float = field(default=-10.0, init=False)
    _bucket: tuple[int, int] = field(default=(0, 0), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        tracks = [track for _, tracks in self.catalogue.albums for track in tracks]
        names = dict.fromkeys(artist for track in tracks for artist in track.artists)
        self.artists: dict[str, Artist] = {mbid("artist", artist.id): artist for artist in names}
        self._number = {artist.id: number for number, artist in enumerate(names)}
        self._of_isrc = {track.isrc: track for track in tracks if track.isrc}

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program has to have in its environment to ask these."""
        names = ("MUSICBRAINZ_URL", "LISTENBRAINZ_URL", "COVER_ART_ARCHIVE_URL")
        return dict.fromkeys(names, self.url) | {"HEAVY_ROTATION_CONTACT": "demo@example.com"}

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self._answer))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def is_linked(self, artist: Artist) -> bool:
        """Whether MusicBrainz has the link to Spotify."""
        return self._number[artist.id] % 4 == 0

    def is_known(self, artist: Artist) -> bool:
        """Whether MusicBrainz knows the artist at all."""
        return self._number[artist.id] % 4 != 3

    def _answer(self, method: str, target: str, headers: Any, body: bytes) -> "_Answer":
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        with self._lock:
            answer = self._decide(parts.path, query, headers, body)
            agent = headers.get("User-Agent", "")
            self.requests.append(Asked(method, target, answer.status, agent, time.monotonic()))
        return answer

    def _decide(self, path: str, query: list[tuple[str, str]], headers: Any, body: bytes) -> "_Answer":
        if "(" not in headers.get("User-Agent", ""):
            return _Answer(403, {"error": "Please provide a contact in your User-Agent."})
        if path.startswith("/ws/2/"):
            return self._musicbrainz(path.removeprefix("/ws/2/"), query)
        if path.startswith("/1/"):
            return self._listenbrainz(path, headers, body)
        if path.startswith("/release/"):
            return self._cover(path.split("/")[2])
        return _Answer(404, {"error": "Not Found"})

    def _musicbrainz(self, path: str, query: list[tuple[str, str]]) -> "_Answer":
        last, self._last = self._last, self.clock()
        if "musicbrainz" in self.is_down:
            return _Answer(503, {"error": "The MusicBrainz web server is currently busy. Please try again later."})
        if self._last - last < 1.0:
            text = "Your requests are exceeding the allowable rate limit. Please see https://musicbrainz.org/"
            return _Answer(503, {"error": text}, {"X-RateLimit-Who": "127.0.0.1", "X-RateLimit-Remaining": "0"})
        one = dict(query)
        match path.split("/"):
            case ["url"]:
                return self._urls([value for name, value in query if name == "resource"])
            case ["isrc", code]:
                return self._isrc(code)
            case ["artist", id_]:
                return self._artist(id_)
            case ["artist" | "recording" as kind]:
                if self.is_search_shed:
                    shed = {"X-RateLimit-Zone": "search-global", "X-RateLimit-Remaining": "117", "Retry-After": "0"}
                    text = "The MusicBrainz web server is currently busy. Please try again later."
                    return _Answer(503, {"error": text}, {"X-RateLimit-Who": "search-shed"} | shed)
                return self._search(kind, one["query"])
        return _Answer(404, {"error": "Not Found", "help": _HELP})

    def _urls(self, resources: list[str]) -> "_Answer":
        linked = {_LINK + artist.id: artist for artist in self.artists.values() if self.is_linked(artist)}
        urls = [
            {
                "id": mbid("url", resource),
                "resource": resource,
                "relations": [
                    {
                        "type": "free streaming",
                        "target-type": "artist",
                        "direction": "backward",
                        "ended": False,
                        "artist": _named(linked[resource]),
                    }
                ],
            }
            for resource in sorted(resources[:100])
            if resource in linked
        ]
        if len(resources) == 1:
            return _Answer(200, urls[0]) if urls else _Answer(404, {"error": "Not Found", "help": _HELP})
        return _Answer(200, {"url-count": len(urls), "url-offset": 0, "urls": urls})

    def _isrc(self, code: str) -> "_Answer":
        track = self._of_isrc.get(code)
        if track is None or not self._number[track.artists[0].id] % 4 < 2:
            return _Answer(404, {"error": "Not Found", "help": _HELP})
        return _Answer(200, {"isrc": code, "recordings": [self._recording(track) | {"video": False}]})

    def _artist(self, id_: str) -> "_Answer":
        artist = self.artists.get(id_)
        if artist is None:
            return _Answer(404, {"error": "Not Found", "help": _HELP})
        chance = random.Random(id_)
        genres = [
            {"id": mbid("genre", name), "name": name, "disambiguation": "", "count": chance.randrange(1, 12)}
            for name in chance.sample(_GENRES, chance.randrange(4))
        ]
        return _Answer(200, _named(artist) | {"country": None, "genres": genres})

    def _search(self, kind: str, query: str) -> "_Answer":
        names = [part.replace("\\", "") for part in query.split('"')[1::2]]
        if kind == "artist":
            found = [_named(each) for each in self.artists.values() if each.name == names[0] and self.is_known(each)]
            return _Answer(
                200, {"count": len(found), "offset": 0, "artists": [each | {"score": 100} for each in found]}
            )
        tracks = [
            track
            for track in self._of_isrc.values()
            if [track.name, track.artists[0].name] == names and self.is_known(track.artists[0])
        ]
        recordings = [self._recording(track) | {"score": 100, "video": None} for track in tracks[:5]]
        return _Answer(200, {"count": len(recordings), "offset": 0, "recordings": recordings})

    def _recording(self, track: Track) -> dict[str, Any]:
        album = track.album
        return {
            "id": mbid("recording", track.id),
            "title": track.name,
            "length": track.duration_ms,
            "first-release-date": album.release_date.isoformat(),
            "artist-credit": [{"name": each.name, "joinphrase": "", "artist": _named(each)} for each in track.artists],
            "releases": [_release(album)],
        }

    def _listenbrainz(self, path: str, headers: Any, body: bytes) -> "_Answer":
        if "listenbrainz" in self.is_down:
            return _Answer(503, {"code": 503, "error": "Service Unavailable"})
        window = int(self.clock() // 10)
        used = self._bucket[1] + 1 if self._bucket[0] == window else 1
        self._bucket = window, used
        rate = {
            "X-RateLimit-Limit": str(self.per_ten_seconds),
            "X-RateLimit-Remaining": str(max(0, self.per_ten_seconds - used)),
            "X-RateLimit-Reset-In": str(max(1, round(10 - self.clock() % 10))),
        }
        if used > self.per_ten_seconds:
            return _Answer(429, {"code": 429, "error": "You have exceeded your rate limit."}, rate)
        if self.wants_token and not headers.get("Authorization", "").startswith("Token "):
            return _Answer(401, {"code": 401, "error": "You need to provide an Authorization header."}, rate)
        ids = json.loads(body or b"{}").get("artist_mbids", [])
        if path != "/1/popularity/artist" or not 1 <= len(ids) <= 1000:
            return _Answer(400, {"code": 400, "error": "artist_mbids must be a list of 1 to 1000"}, rate)
        rows = []
        for id_ in ids:
            listeners = random.Random(id_).randrange(3, 9_000) if random.Random(id_).random() < 0.9 else None
            listens = None if listeners is None else listeners * 36
            rows.append({"artist_mbid": id_, "total_listen_count": listens, "total_user_count": listeners})
        return _Answer(200, rows, rate)

    def _cover(self, release_id: str) -> "_Answer":
        if "coverart" in self.is_down:
            return _Answer(503, None)
        if random.Random(release_id).random() < 0.2:
            return _Answer(404, None)
        return _Answer(307, None, {"Location": f"https://archive.example.com/{release_id}.jpg"})


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def _named(artist: Artist) -> dict[str, Any]:
    about = {"name": artist.name, "sort-name": artist.name, "type": "Group", "disambiguation": ""}
    return {"id": mbid("artist", artist.id)} | about


def _release(album: Album) -> dict[str, Any]:
    about = {"title": album.name, "status": "Official", "date": album.release_date.isoformat(), "country": "XW"}
    return {"id": mbid("release", album.id)} | about


def _handler(answer: Callable[[str, str, Any, bytes], _Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            given = answer(self.command, self.path, self.headers, self.rfile.read(length))
            body = b"" if given.body is None else json.dumps(given.body, ensure_ascii=False).encode()
            self.send_response(given.status)
            for name, value in ({"Content-Type": "application/json; charset=utf-8"} | given.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_POST = do_HEAD = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing: `requests` has it."""

    return Handler


def main() -> int:
    """Be all three until stopped. Returns the exit code."""

    def told(sources: OpenSources) -> list[str]:
        exports = [f"export {name}={value}" for name, value in sources.environment.items()]
        return ["Look-alikes of MusicBrainz, ListenBrainz and the Cover Art Archive, until Ctrl-C.", *exports]

    return serve(lambda: OpenSources(port=8721), told)


if __name__ == "__main__":
    sys.exit(main())
