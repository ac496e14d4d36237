"""What MusicBrainz, ListenBrainz and the Cover Art Archive answer, and snapshots that Pub/Sub brings."""

import io
import json
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import requests
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from tests.siege.hostile.drawing import NOW, Parser, a_folder, as_json, changed, damaged

_ID = "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"
_ARTIST = {"id": _ID, "name": "Ana Duarte", "sort-name": "Duarte, Ana", "type": "Person"}
_RECORDING = {
    "id": _ID,
    "title": "Comet",
    "length": 214_000,
    "first-release-date": "2019-03-01",
    "isrcs": ["FRX201900001"],
    "artist-credit": [{"name": "Ana Duarte", "joinphrase": "", "artist": _ARTIST}],
    "releases": [{"id": _ID, "title": "Orbits", "status": "Official", "date": "2019-03-01"}],
}
_RELATION = {"type": "free streaming", "target-type": "artist", "ended": False, "artist": _ARTIST}
_LINK = {"id": _ID, "resource": "https://open.spotify.com/artist/" + "1" * 22, "relations": [_RELATION]}
# What each of them answers, where it knows something.
_GOOD: tuple[Any, ...] = (
    {"url-count": 1, "urls": [_LINK]},
    _LINK,
    {"isrc": "FRX201900001", "recordings": [_RECORDING]},
    {"count": 1, "offset": 0, "artists": [_ARTIST | {"score": 100}]},
    _ARTIST | {"genres": [{"id": _ID, "name": "indie", "count": 4}, {"id": _ID, "name": "folk", "count": 1}]},
    {"count": 1, "offset": 0, "recordings": [_RECORDING | {"score": 100}]},
    [{"artist_mbid": _ID, "total_listen_count": 912, "total_user_count": 31}],
)
Answer = tuple[int, Mapping[str, str], bytes]


class _Answers(BaseAdapter):
    """Answers whatever is asked, one after the other."""

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__()
        self._answers = cycle(answers)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """One answer."""
        status, headers, body = next(self._answers)
        response = requests.Response()
        response.status_code, response.raw = status, HTTPResponse(io.BytesIO(body), preload_content=False)
        response.headers = CaseInsensitiveDict(headers)
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Nothing is open."""


def sources() -> Parser:
    """A run of ``enrich`` that gets strange answers, and one more that gets good ones: what was kept spoils neither."""
    from pipelines.domain.snapshots import KINDS
    from pipelines.storage.snapshots import SnapshotArchive

    def feed(answers: list[Answer]) -> None:
        with a_folder() as folder:
            for some in (answers, [(200, {}, as_json(good)) for good in _GOOD]):
                _enrich(folder, some)
            archive = SnapshotArchive(str(folder / "archive"))
            for kind in KINDS:
                for path in archive.files(kind):
                    for each in archive.read(kind, path):
                        json.dumps(each.to_row(), default=str)

    bodies = st.one_of(
        [one for good in _GOOD for one in (st.just(as_json(good)), changed(good).map(as_json), damaged(as_json(good)))]
    )
    headers = st.fixed_dictionaries(
        {},
        optional={
            "Retry-After": st.sampled_from(["-1", "nan", "inf", "1e400", "soon", "5", "9" * 30]),
            "X-RateLimit-Remaining": st.sampled_from(["0", "", "x", "1"]),
            "X-RateLimit-Reset-In": st.sampled_from(["-5", "nan", "inf", "1e9", "", "2"]),
            "X-RateLimit-Zone": st.sampled_from(["search-global", "", "é"]),
        },
    )
    status = st.sampled_from([200] * 8 + [0, 100, 204, 301, 307, 400, 401, 404, 418, 429, 500, 503, 999])
    return st.lists(st.tuples(status, headers, bodies), min_size=1, max_size=6), feed


def _enrich(folder: Path, answers: list[Answer]) -> None:
    from producer.snapshots.heard import Heard, HeardArtist, HeardTrack
    from producer.sources.polite import Polite
    from tests.enriching import WaitingClock, enrich

    clock, adapter = WaitingClock(), _Answers(answers)

    def one(name: str) -> Polite:
        polite = Polite(name, "http://source.example", "me@example.com", 1.0, clock.wait, now=clock)
        polite._session.mount("http://", adapter)
        return polite

    heard = Heard(
        [HeardArtist("1" * 22, "Ana Duarte", 9, "FRX201900001"), HeardArtist("n:ana", "Ana Duarte", 2)],
        [HeardTrack("2" * 22, "Comet", "Ana Duarte", 9, "FRX201900001"), HeardTrack("n:x", "Comet", "Ana Duarte", 1)],
    )
    enrich(heard, str(folder / "archive"), str(folder / "state"), one, NOW)


def snapshot_messages() -> Parser:
    """Snapshots in messages of Pub/Sub, of every kind."""
    from pipelines.domain.play import UnreadableError
    from pipelines.domain.snapshots import KINDS, from_message
    from pipelines.storage.encoding import encode_snapshots

    common = {"source": "SPOTIFY", "taken_at": "2026-11-28T12:00:00.000Z", "name": "Comet", "found": True}
    good: dict[str, Any] = {
        "playlist_snapshot": common
        | {"playlist_id": "p", "snapshot_id": "s", "position": 1, "tracks": 2, "artists": [{"id": "a", "name": "Ana"}]},
        "artist_snapshot": common
        | {"artist_id": "a", "genres": [{"name": "indie", "votes": 3}], "top_tracks": [{"name": "Comet", "id": "t"}]},
        "track_snapshot": common | {"track_id": "t", "artists": [{"name": "Ana"}], "tempo": 120.5, "energy": 1},
    }

    def feed(case: tuple[Any, bytes]) -> None:
        kind, data = case
        try:
            snapshot = from_message(kind, data)
        except UnreadableError:
            return
        encode_snapshots(kind, [snapshot])
        assert from_message(kind, snapshot.to_message()[0]) == snapshot
        snapshot.to_row()

    def of(kind: str) -> st.SearchStrategy[Any]:
        data = changed(good[kind]).map(as_json) | damaged(as_json(good[kind]))
        return st.tuples(st.sampled_from([kind, kind, kind, "play", "", "x"]), data)

    assert KINDS.keys() == good.keys()
    return st.one_of(*map(of, sorted(good))), feed
