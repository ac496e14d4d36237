"""Asking an open source as its operators wish: one request at a time, so far apart, and saying who asks.

They all want a User-Agent with a contact, and block who sends none.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import orjson
import requests
from urllib3.exceptions import HTTPError

from pipelines.failure import Failure
from producer.bodies import whole_body

_TIMEOUT_SECONDS = (5, 30)
_TRANSIENT = (429, 500, 502, 503, 504)
# Waits before what passes is asked again. A source that asks for longer is left alone until the next run.
_BACKOFF_SECONDS = (2, 4, 8)
_LONGEST_WAIT_SECONDS = 60.0

Wait = Callable[[float], object]
"""Waits for so many seconds; gives back something true when the program is to stop, as ``Event.wait`` does."""


class SourceError(Failure):
    """A source did not answer, or refused. What it was to say is asked in a later run."""


class EndedError(SourceError):
    """The run ends: it was told to, or its time is over."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: its status, its JSON value, None where it has none, and its headers."""

    status: int
    body: Any = field(repr=False)
    headers: Any = field(repr=False)


class Polite:
    """One source, for one thread. ``spacing`` is the seconds from one request to the next."""

    def __init__(
        self,
        name: str,
        url: str,
        contact: str,
        spacing: float,
        wait: Wait,
        *,
        seconds: float = math.inf,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """After so many ``seconds`` nothing more is asked. ``contact`` is an e-mail address or a page."""
        self.name = name
        self.requests = 0
        self._url = url.rstrip("/")
        self._spacing = spacing
        self._wait = wait
        self._now = now
        self._ends = now() + seconds
        self._not_before = now()
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"heavy-rotation/{version('heavy-rotation')} ( {contact} )"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """The answer to a request; ``options`` are those of ``requests``.

        What passes is tried again, a few times. Raises SourceError, and EndedError where the run ends.
        """
        backoff = iter(_BACKOFF_SECONDS)
        while True:
            self._pause(self._not_before - self._now())
            reply, why, asks_for = self._ask_once(method, path, options)
            if reply is not None:
                return reply
            seconds = max(next(backoff, math.inf), asks_for or 0)
            if seconds > _LONGEST_WAIT_SECONDS:
                raise SourceError(f"{self.name} {why}; the next run goes on")
            self._pause(seconds)

    def _ask_once(self, method: str, path: str, options: dict[str, Any]) -> tuple[Reply | None, str, float | None]:
        self.requests += 1
        try:
            with self._session.request(
                method, self._url + path, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True, **options
            ) as response:
                body = whole_body(response)
        except (requests.RequestException, HTTPError):  # its text may show more than a person needs
            self._not_before = self._now() + self._spacing
            return None, "cannot be reached", None
        self._not_before = self._now() + max(self._spacing, _until_reset(response.headers))
        if body is None:
            raise SourceError(f"{self.name} did not come to the end of an answer; the next run goes on")
        reply = Reply(response.status_code, _json(body), response.headers)
        if response.status_code not in _TRANSIENT or _is_shed(reply):
            return reply, "", None
        return None, f"answered {response.status_code}", _number(response.headers.get("Retry-After"))

    def _pause(self, seconds: float) -> None:
        if self._now() + max(0.0, seconds) >= self._ends:
            raise EndedError(f"the time for {self.name} is over; the next run goes on")
        # Also without a wait: whether the program is to stop.
        if self._wait(max(0.0, seconds)):
            raise EndedError("stopped; the next run goes on")


def _until_reset(headers: Any) -> float:
    """Seconds until more may be asked, where a source says that nothing is left, and in how long that changes."""
    if headers.get("X-RateLimit-Remaining") != "0":
        return 0.0
    return min(_number(headers.get("X-RateLimit-Reset-In")) or 0.0, _LONGEST_WAIT_SECONDS)


def _is_shed(reply: Reply) -> bool:
    """Whether a service sheds a whole kind of requests, whoever asks: asking again soon is of no use."""
    return bool(reply.headers.get("X-RateLimit-Zone")) and reply.headers.get("X-RateLimit-Remaining") != "0"


def _number(text: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        number = float(text or "")
        return number if 0 <= number < math.inf else None
    return None


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
