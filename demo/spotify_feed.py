"""What Spotify lists as recently played, as its Web API writes it. No HTTP here.

Times are aware; on the wire they are UTC with milliseconds, and cursors are Unix milliseconds as strings.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from demo.catalogue import Album, Artist, Track
from demo.faults import RECENTLY_PLAYED, DuplicateItems, Fault, HeldBack, LateListing, ShuffledItems
from demo.listener import Listen

MAX_ITEMS = 50
DEFAULT_ITEMS = 20
MIN_MS_PLAYED = 30_000
_LOOK_BACK = (timedelta(days=3), timedelta(days=30), timedelta(days=365))
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

History = Callable[[datetime, datetime], Iterable[Listen]]
"""What ended from one instant on and before another, in any order; `Listener(seed).listens` is one."""


class BadRequestError(ValueError):
    """A query that Spotify answers with 400; the text is its message."""


def last_plays(history: History, now: datetime) -> list[Listen]:
    """The last 50 plays that ended by `now`, newest first: tracks and local files heard for over 30 s."""
    plays: list[Listen] = []
    for look_back in _LOOK_BACK:  # a listener may have been on holiday
        ended = history(now - look_back, now + _MILLISECOND)
        plays = [p for p in ended if isinstance(p.what, Track) and p.ms_played > MIN_MS_PLAYED]
        if len(plays) >= MAX_ITEMS:
            break
    return sorted(plays, key=lambda play: play.ended_at, reverse=True)[:MAX_ITEMS]


def recently_played(
    history: History, now: datetime, query: Mapping[str, str], base_url: str, fault: Fault | None = None
) -> dict[str, object]:
    """The body of `GET /me/player/recently-played`; BadRequestError when the query isn't one.

    `after` and `before` are exclusive, and the newest `limit` of what they leave are listed, so a client
    that asks for fewer than 50 can miss plays.
    """
    limit = _read_int(query, "limit", DEFAULT_ITEMS)
    if not 1 <= limit <= MAX_ITEMS:
        raise BadRequestError("Invalid limit")
    if "after" in query and "before" in query:
        raise BadRequestError("Only one of after and before may be given")
    after, before = _read_int(query, "after", -1), _read_int(query, "before", 1 << 62)

    if isinstance(fault, LateListing):
        now -= timedelta(seconds=fault.seconds)
    if isinstance(fault, HeldBack):
        history = _without_held_back(history, now, fault)
    listed = [play for play in last_plays(history, now) if after < _unix_ms(play.ended_at) < before]
    page = listed[:limit]
    items = [write_item(play) for play in page]
    if isinstance(fault, DuplicateItems):
        items = [item for item in items for _ in range(2)]
        if fault.fills_page:
            items = items[:limit]
    if isinstance(fault, ShuffledItems):
        random.Random(len(items)).shuffle(items)

    url = base_url + RECENTLY_PLAYED
    asked = {name: query[name] for name in ("limit", "after", "before") if name in query}
    return {
        "items": items,
        "next": _next_url(url, page, limit, "after" in query),
        "cursors": _cursors(page),
        "limit": limit,
        "href": f"{url}?{urlencode(asked)}" if asked else url,
    }


def _without_held_back(history: History, now: datetime, fault: HeldBack) -> History:
    since = now - timedelta(seconds=fault.seconds)

    def is_listed(play: Listen) -> bool:
        return play.ended_at <= since or random.Random(f"{fault.seed}/{play.ended_at}").random() < 0.6

    return lambda start, end: filter(is_listed, history(start, end))


def write_item(play: Listen) -> dict[str, object]:
    """A PlayHistoryObject: the track in full, `played_at` (the end of the play), the context or null."""
    assert isinstance(play.what, Track)
    context = None
    if play.context_uri is not None:
        _, kind, context_id = play.context_uri.split(":")
        context = {"type": kind, **_links(kind, context_id), "uri": play.context_uri}
    played_at = play.ended_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"track": write_track(play.what), "played_at": played_at, "context": context}


def write_track(track: Track) -> dict[str, object]:
    """A TrackObject without the withdrawn fields; a local file has null wherever Spotify knows nothing."""
    if track.is_local:
        return _write_local_track(track)
    assert track.id is not None
    return {
        "album": _write_album(track.album),
        "artists": [write_artist(artist) for artist in track.artists],
        "disc_number": 1,
        "duration_ms": track.duration_ms,
        "explicit": track.explicit,
        "external_ids": {"isrc": track.isrc},
        **_links("track", track.id),
        "id": track.id,
        "is_local": False,
        "name": track.name,
        "preview_url": None,
        "track_number": track.number,
        "type": "track",
        "uri": track.uri,
    }


def _write_local_track(track: Track) -> dict[str, object]:
    nothing: dict[str, object] = {"external_urls": {}, "href": None, "id": None}
    album: dict[str, object] = {
        "album_type": None,
        "artists": [],
        **nothing,
        "images": [],
        "name": track.album.name,
        "release_date": None,
        "release_date_precision": None,
        "total_tracks": None,
        "type": "album",
        "uri": None,
    }
    artists = [{**nothing, "name": artist.name, "type": "artist", "uri": None} for artist in track.artists]
    return {
        "album": album,
        "artists": artists,
        "disc_number": 0,
        "duration_ms": track.duration_ms,
        "explicit": False,
        "external_ids": {},
        **nothing,
        "is_local": True,
        "name": track.name,
        "preview_url": None,
        "track_number": 0,
        "type": "track",
        "uri": track.uri,
    }


def _write_album(album: Album) -> dict[str, object]:
    return {
        "album_type": album.kind,
        "artists": [write_artist(album.artist)],
        **_links("album", album.id),
        "id": album.id,
        "images": [{"url": album.image_url(side), "height": side, "width": side} for side in (640, 300, 64)],
        "name": album.name,
        "release_date": album.release_date.isoformat(),
        "release_date_precision": "day",
        "total_tracks": album.tracks_total,
        "type": "album",
        "uri": f"spotify:album:{album.id}",
    }


def write_artist(artist: Artist) -> dict[str, object]:
    """A SimplifiedArtistObject."""
    return {
        **_links("artist", artist.id),
        "id": artist.id,
        "name": artist.name,
        "type": "artist",
        "uri": f"spotify:artist:{artist.id}",
    }


def _links(kind: str, spotify_id: str) -> dict[str, object]:
    """Where the real service keeps an object; these ids lead nowhere there."""
    return {
        "external_urls": {"spotify": f"https://open.example.com/{kind}/{spotify_id}"},
        "href": f"https://api.example.com/v1/{kind}s/{spotify_id}",
    }


def _cursors(page: Sequence[Listen]) -> dict[str, str] | None:
    if not page:
        return None
    return {"after": str(_unix_ms(page[0].ended_at)), "before": str(_unix_ms(page[-1].ended_at))}


def _next_url(url: str, page: Sequence[Listen], limit: int, is_after: bool) -> str | None:
    """On in the direction of the request: newer after `after`, else older."""
    cursors = _cursors(page)
    if cursors is None:
        return None
    name = "after" if is_after else "before"
    return f"{url}?{urlencode({name: cursors[name], 'limit': limit})}"


def _read_int(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise BadRequestError(f"Invalid {name}") from None


def _unix_ms(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND
