"""Asking Spotify over HTTP until there is a whole answer, or it is clear that there will be none soon."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader, ProtocolError, ReadTimeoutError
from urllib3.util import Retry

from pipelines.clock import Clock, utc_now
from pipelines.domain.durations import duration_text
from pipelines.failure import Failure
from producer.bodies import whole_body

Wait = Callable[[float], object]
"""Waits for so many seconds; gives back something true when the program is to stop, as ``Event.wait`` does."""

_TIMEOUT_SECONDS = (5, 30)  # to connect, and between two bytes
_SHORT_TIMEOUT_SECONDS = (3, 4)
# A longer wait is for whoever starts the next poll, not for this one to sit out.
_LONGEST_WAIT_SECONDS = 60
_UNTOLD_WAIT_SECONDS = 5 * 60
# The rarest polling that misses no play: 50 plays of more than 30 seconds take 25 minutes.
_QUOTA_WAIT_SECONDS = 20 * 60
# Waits before what went wrong is tried again; at random up to half a second longer, so that clients don't keep step.
_BACKOFF_SECONDS = (0.5, 1, 2, 4)
_JITTER_SECONDS = 0.5
# Reads the header. No limit of Spotify's runs for longer than a day, whatever it says.
_RETRY_AFTER = Retry(retry_after_max=24 * 60 * 60)


class StoppedError(Failure):
    """The program was told to stop while it waited. Nothing is lost."""


class SpotifyError(Failure):
    """Spotify did not do what was asked. Nothing is lost by trying again later, unless a subclass says so."""


class UnreachableError(SpotifyError):
    """No whole answer came: no network, a time-out, a broken connection, Spotify's own trouble."""


class RateLimitedError(SpotifyError):
    """Spotify asks to wait for longer than a poll may take; before ``retry_at`` (UTC) there is no use in asking."""

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class QuotaExceededError(RateLimitedError):
    """The day's quota of the app's owner is used up: for all accounts, and all of the owner's apps."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, which is no 429 and no 5xx, and its JSON object, empty where an error has none.

    Printing it shows no body.
    """

    status: int
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why there is no answer, and for how many seconds Spotify asks to wait, if it does."""

    error: SpotifyError
    asks_for_seconds: float | None = None


class Transport:
    """Connections to Spotify. Threads may share one: it keeps nothing of an answer, cookies included."""

    def __init__(self, wait: Wait, clock: Clock = utc_now, *, connections: int = 10, is_patient: bool = True) -> None:
        """``connections`` is how many are kept open to a host, and should be the number of threads.

        One that is not patient asks once, waits a few seconds for the answer, and raises whatever went wrong.
        """
        self._is_patient = is_patient
        self._timeout = _TIMEOUT_SECONDS if is_patient else _SHORT_TIMEOUT_SECONDS
        self._wait = wait
        self._clock = clock
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        # Retries are made here and not by urllib3 within a request: it could neither be stopped while it sleeps,
        # nor try a body again that broke off.
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
        # Asked for once a host and not by requests for each request, which takes as long as the rest of it.
        self._session.trust_env = False
        self._of_environment: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, method: str, url: str, **options: Any) -> Answer:
        """The answer to a request; ``options`` are those of ``requests``.

        What passes is tried again, with growing and uneven waits: 5xx, time-outs, lost connections, answers that
        break off or are no JSON, and 429 where Spotify asks for no more than a minute in all. Otherwise raises
        UnreachableError, RateLimitedError, QuotaExceededError; StoppedError where a wait was ended.
        """
        backoff, left = iter(_BACKOFF_SECONDS), float(_LONGEST_WAIT_SECONDS)
        while True:
            answer = self._ask_once(method, url, options)
            if isinstance(answer, Answer):
                return answer
            if not self._is_patient:
                raise answer.error
            seconds = answer.asks_for_seconds
            if seconds is None:
                # Past the last wait, one that is longer than any that is left.
                seconds = next(backoff, math.inf) + random.uniform(0, _JITTER_SECONDS)  # noqa: S311
            left -= seconds
            if left < 0:
                raise answer.error
            if self._wait(seconds):
                raise StoppedError("stopped while waiting for Spotify")

    def _ask_once(self, method: str, url: str, options: dict[str, Any]) -> Answer | _Trouble:
        try:
            with self._session.request(
                method,
                url,
                timeout=self._timeout,
                allow_redirects=False,  # which would take a token elsewhere
                **self._settings(_host(url)),
                **options,
            ) as response:
                content = whole_body(response)
        except (requests.RequestException, HTTPError) as error:
            # Without its text and its cause, which show the request.
            return _Trouble(UnreachableError(f"cannot reach {_host(url)} ({_reason(error)}); try again later"))
        if content is None:
            text = f"{_host(url)} did not come to the end of an answer; try again later"
            return _Trouble(UnreachableError(text))
        body = _object(content)
        if response.status_code == 429:
            return self._too_many_requests(response, body)
        if response.status_code >= 500:
            return _Trouble(UnreachableError(f"{_host(url)} answered {response.status_code}; try again later"))
        if response.status_code == 200 and body is None:
            return _Trouble(UnreachableError(f"{_host(url)} did not answer with a JSON object; try again later"))
        return Answer(response.status_code, body or {})

    def _settings(self, host: str) -> Any:
        """The proxy and the certificates that the environment names for this host, and that answers are streamed."""
        if host not in self._of_environment:
            with requests.Session() as session:
                self._of_environment[host] = session.merge_environment_settings(host, {}, True, None, None)
        return self._of_environment[host]

    def _too_many_requests(self, response: requests.Response, body: dict[str, Any] | None) -> _Trouble:
        seconds = _retry_after(response)
        match body:
            case {"error": {"reason": "QUOTA_EXCEEDED"}}:
                seconds = max(seconds or 0, _QUOTA_WAIT_SECONDS)
                text = (
                    "the daily quota of the app's owner at Spotify is used up (429, QUOTA_EXCEEDED); try again in "
                    f"{_duration(seconds)}. All apps of one owner share it"
                )
                return _Trouble(QuotaExceededError(text, self._in(seconds)), seconds)
        if seconds is None:
            text = (
                "Spotify asks to wait and does not say for how long (429, too many requests); try again in "
                f"{_duration(_UNTOLD_WAIT_SECONDS)}"
            )
            return _Trouble(RateLimitedError(text, self._in(_UNTOLD_WAIT_SECONDS)))
        text = f"Spotify asks to wait for {_duration(seconds)} (429, too many requests); try again then"
        return _Trouble(RateLimitedError(text, self._in(seconds)), seconds)

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)


class Bearer(AuthBase):
    """As an auth object, so that a .netrc cannot put something else into its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class NoAuth(AuthBase):
    """No authentication, not even one of a .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def unexpected(url: str, answer: Answer) -> SpotifyError:
    """What to say of a status that has no meaning here."""
    return SpotifyError(f"{_host(url)} answered {answer.status}; try again later")


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _retry_after(response: requests.Response) -> float | None:
    """Seconds, from one to a day; None where the header is missing or says nothing that can be read."""
    try:
        # At least one, so that waiting comes to an end.
        return max(1, _RETRY_AFTER.parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    """Rounded up, so that nobody is told to come too early: to seconds, and where it is longer to minutes."""
    unit = 1 if seconds < 120 else 60
    return duration_text(timedelta(seconds=math.ceil(seconds / unit) * unit))


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _reason(error: requests.RequestException | HTTPError) -> str:
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(error, ProtocolError | DecodeError):
        return "the answer broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
