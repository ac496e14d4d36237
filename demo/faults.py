"""What goes wrong at Spotify, a small named thing each, to be queued on a `SpotifyServer`.

A fault either replaces the answer (`RateLimited`, `QuotaExceeded`, `Unauthorized`, `ServerError`, `NotJson`),
spoils how it is sent (`DroppedConnection`, `ResetConnection`, `TruncatedBody`, `SlowAnswer`), or changes what
recently-played lists (`LateListing`, `HeldBack`, `DuplicateItems`, `ShuffledItems`). Durations are seconds.
"""

import json
import threading
from collections import deque
from dataclasses import dataclass

RECENTLY_PLAYED = "/v1/me/player/recently-played"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer before it is sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429. `retry_after` None leaves the header out; Spotify has been seen to say 74,214. Text is sent as it is."""

    retry_after: int | str | None = 2

    def answer(self) -> Answer:
        return error_answer(429, "API rate limit exceeded", retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """429 for the rolling daily quota of the developer's account."""

    retry_after: int | None = 48_925

    def answer(self) -> Answer:
        return error_answer(429, "Quota exceeded", reason="QUOTA_EXCEEDED", retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """401, however fresh the access token is."""

    def answer(self) -> Answer:
        return error_answer(401, "The access token expired")


@dataclass(frozen=True, slots=True)
class ServerError:
    """A 5xx with Spotify's error body."""

    status: int = 503

    def answer(self) -> Answer:
        return error_answer(self.status, "Server error.")


@dataclass(frozen=True, slots=True)
class NotJson:
    """A page of HTML where JSON is promised, as a proxy in between sends, or another body of no use."""

    status: int = 200
    body: bytes = b"<html><body>upstream connect error</body></html>"

    def answer(self) -> Answer:
        return Answer(self.status, self.body)


@dataclass(frozen=True, slots=True)
class DroppedConnection:
    """The connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class ResetConnection:
    """Half of the answer is sent, then the connection is reset (RST), which may take that half back."""


@dataclass(frozen=True, slots=True)
class TruncatedBody:
    """The whole length is promised, half of it is sent, the connection is closed."""


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """The right answer, `seconds` of real time later."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LateListing:
    """Plays that ended less than `seconds` ago, by the server's clock, aren't listed yet."""

    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Some of the plays that ended less than `seconds` ago aren't listed yet, and newer ones are; `seed` says which."""

    seconds: float = 3600.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DuplicateItems:
    """Every item of the page is listed twice; where it `fills_page`, only half of a full page's plays are."""

    fills_page: bool = False


@dataclass(frozen=True, slots=True)
class ShuffledItems:
    """The items of the page are out of order, the same way each time; the cursors are right."""


AnswerFault = RateLimited | QuotaExceeded | Unauthorized | ServerError | NotJson
SendingFault = DroppedConnection | ResetConnection | TruncatedBody | SlowAnswer
ListingFault = LateListing | HeldBack | DuplicateItems | ShuffledItems
Fault = AnswerFault | SendingFault | ListingFault


class Faults:
    """Faults to come, in the order in which they were added. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[tuple[str, Fault | None]] = deque()
        self._standing: dict[str, Fault] = {}

    def add(self, fault: Fault | None, *, times: int = 1, path: str = RECENTLY_PLAYED) -> None:
        """The next `times` requests of `path` meet `fault`; None lets them through unharmed."""
        with self._lock:
            self._queue.extend([(path, fault)] * times)

    def always(self, fault: Fault, *, path: str = RECENTLY_PLAYED) -> None:
        """Every request of `path` meets `fault` once the queue has none for it, until `clear`."""
        with self._lock:
            self._standing[path] = fault

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._queue.clear()
            self._standing.clear()

    def take(self, path: str) -> Fault | None:
        """The fault that this request of `path` meets."""
        with self._lock:
            for index, (faulty_path, fault) in enumerate(self._queue):
                if faulty_path == path:
                    del self._queue[index]
                    return fault
            return self._standing.get(path)


def json_answer(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), headers)


def error_answer(
    status: int, message: str, *, reason: str | None = None, retry_after: int | str | None = None
) -> Answer:
    """An error as the Web API words it: `{"error": {"status": …, "message": …}}`."""
    error: dict[str, object] = {"status": status, "message": message}
    if reason is not None:
        error["reason"] = reason
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return json_answer({"error": error}, status, headers)
