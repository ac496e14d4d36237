"""ListenBrainz: how many people listened to an artist, and how often. https://listenbrainz.readthedocs.io

Terms: a User-Agent with a contact, and no more than its headers allow (30 requests in ten seconds). The counts are of
all time, with those of an older data set in them; they are made anew each day, and may fall. A token, which is free, is
wished for though not yet demanded.
"""

from collections.abc import Sequence

from producer.sources.polite import Polite, SourceError

URL = "https://api.listenbrainz.org"
SPACING_SECONDS = 1.0
# It takes a thousand, and refuses all for one that is no MBID.
ARTISTS_AT_ONCE = 500


class ListenBrainz:
    """The API. Methods raise SourceError, and EndedError where the run ends."""

    def __init__(self, polite: Polite, token: str | None) -> None:
        self._polite = polite
        self._headers = {"Authorization": f"Token {token}"} if token else {}

    def popularity(self, mbids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Listeners and listens of artists, at most ARTISTS_AT_ONCE; who is missing is not known there."""
        asked = {"artist_mbids": list(mbids)}
        reply = self._polite.ask("POST", "/1/popularity/artist", json=asked, headers=self._headers)
        if reply.status == 401:
            raise SourceError("ListenBrainz wants a token: put that of your account there into LISTENBRAINZ_TOKEN")
        if reply.status != 200 or not isinstance(reply.body, list):
            raise SourceError(f"ListenBrainz answered {reply.status}; the next run goes on")
        found: dict[str, tuple[int, int]] = {}
        for row in reply.body:
            match row:
                case {
                    "artist_mbid": str(mbid),
                    "total_user_count": int(listeners),
                    "total_listen_count": int(listens),
                }:
                    found[mbid] = listeners, listens
        return found
