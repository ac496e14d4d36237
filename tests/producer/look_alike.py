"""The Spotify look-alike with a clock that a test sets, and items that a test can spoil."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.catalogue import Track
from demo.faults import Answer, Fault, json_answer
from demo.listener import Listener
from demo.spotify import SpotifyServer
from demo.spotify_feed import recently_played
from demo.spotify_http import Call

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
LISTENER = Listener(1)


def leave_alone(items: list[Any]) -> None:
    """Nothing spoiled."""


class Spotify(SpotifyServer):
    """The look-alike, with a clock that a test sets and items that a test can spoil."""

    def __init__(self) -> None:
        self.now = NOW
        self.spoil: Callable[[list[Any]], None] = leave_alone
        super().__init__(LISTENER.listens, clock=lambda: self.now)

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        answer = super().answer(call, fault)
        if answer.status == 200 and call.path.endswith("recently-played"):
            body = json.loads(answer.body)
            self.spoil(body["items"])
            return json_answer(body)
        return answer

    def listed(self) -> list[datetime]:
        """What it lists now, worked out from the listener's habits."""
        listens = LISTENER.listens(self.now - timedelta(days=20), self.now + timedelta(milliseconds=1))
        ended = [each.ended_at for each in listens if isinstance(each.what, Track) and each.ms_played > 30_000]
        return sorted(ended)[-50:]

    def asked(self) -> list[str]:
        return [request.path for request in self.requests]


def spoil_one(items: list[Any]) -> None:
    items[5] = {"played_at": "2026-11-10T01:02:03.004Z", "track": "gone"}


def items(count: int) -> list[Any]:
    """The newest items listed, so many."""
    listed: Any = recently_played(LISTENER.listens, NOW, {"limit": str(count)}, "")["items"]
    return list(listed)
