"""A link to a song, an artist, an album or a playlist, as the key that questions know what is hidden by."""

import re
from urllib.parse import unquote, urlsplit

from pipelines.failure import Failure

_KINDS = {"track": "track", "song": "track", "artist": "artist", "album": "album", "playlist": "context"}
_SPOTIFY = re.compile(r"spotify:(?P<kind>track|artist|album|playlist):(?P<id>[0-9A-Za-z]{1,64})")
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_HOW = (
    "copy it at Spotify (https://open.spotify.com/track/… or spotify:track:…), or the address of a song's, an "
    "artist's or an album's page here"
)


def key_of(link: str) -> str:
    """``track:ID``, ``artist:ID``, ``album:ID`` or ``context:spotify:playlist:ID``. Raises Failure for no such link."""
    link = link.strip()
    if match := _SPOTIFY.fullmatch(link):
        return _key(match["kind"], match["id"])
    parts = urlsplit(link)
    steps = [unquote(step) for step in parts.path.split("/") if step]
    if parts.hostname == "open.spotify.com":
        steps = [step for step in steps if not step.startswith("intl-")]
        if len(steps) == 2 and steps[0] in ("track", "artist", "album", "playlist") and _ID.fullmatch(steps[1]):
            return _key(*steps)
    elif parts.scheme in ("", "http", "https") and len(steps) >= 2 and steps[-2] in ("song", "artist", "album"):
        return _key(*steps[-2:])
    raise Failure(f"{link!r} is no link to a song, an artist, an album or a playlist: {_HOW}")


def _key(kind: str, identity: str) -> str:
    return f"context:spotify:playlist:{identity}" if kind == "playlist" else f"{_KINDS[kind]}:{identity}"
