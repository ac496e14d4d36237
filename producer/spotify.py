"""The part of Spotify's Web API that the producer needs: whose account it is, and what was played last."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Retry

from producer.errors import LoginError, RateLimitedError, SpotifyError, UnreachableError
from producer.logins import Login

# All that Spotify ever lists.
LISTED_AT_MOST = 50

_TIMEOUT_SECONDS = (5, 30)  # to connect, and between two bytes
# A longer wait is for whoever starts the next poll, not for this one to sit out.
_LONGEST_WAIT_SECONDS = 60
_DEFAULT_WAIT_SECONDS = 5
_NEW_LOGIN = "docs/producer.md says how to get a new refresh token; put it into SPOTIFY_REFRESH_TOKEN"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Spotify is; somewhere else for a look-alike."""

    api: str = "https://api.spotify.com"
    accounts: str = "https://accounts.spotify.com"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Endpoints":
        """Spotify's own, or those in SPOTIFY_API_URL and SPOTIFY_ACCOUNTS_URL."""
        api = environment.get("SPOTIFY_API_URL") or cls().api
        accounts = environment.get("SPOTIFY_ACCOUNTS_URL") or cls().accounts
        return cls(api.rstrip("/"), accounts.rstrip("/"))


class Spotify:
    """Spotify for one login. Its methods raise SpotifyError, whose text never holds a token."""

    def __init__(self, login: Login, endpoints: Endpoints, sleep: Callable[[float], None] = time.sleep) -> None:
        self._login = login
        self._endpoints = endpoints
        self._sleep = sleep
        self._access_token: str | None = None
        self._session = requests.Session()
        # Retry-After is honoured in _request: urllib3 would sleep for as long as it says, a day if need be.
        retry = Retry(
            total=3,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=("GET", "POST"),
            backoff_factor=0.3,
            backoff_jitter=0.3,
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def account_id(self) -> str:
        """The stable key of the account: ``account_id``, or ``id`` where Spotify does not give that yet."""
        profile = self._get("/v1/me")
        account_id = profile.get("account_id") or profile.get("id")
        if not isinstance(account_id, str) or not account_id:
            raise SpotifyError("Spotify's profile of the account has no id")
        return account_id

    def recently_played(self) -> list[Any]:
        """All that Spotify still lists, at most 50 items, as parsed JSON.

        Without a cursor, and meant so. The last 50 plays are all there is, so one page holds everything that
        a cursor could ask for. And what a cursor leaves out would be missed twice: a play that is listed late,
        behind the cursor, and the fiftieth item, whose time tells whether plays were lost.
        """
        items = self._get("/v1/me/player/recently-played", limit=str(LISTED_AT_MOST)).get("items")
        if not isinstance(items, list):
            raise SpotifyError("Spotify's answer about recently played tracks has no list of items")
        return items

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        url = self._endpoints.api + path
        if self._access_token is None:
            self._refresh()
        response = self._request("GET", url, auth=_Bearer(self._access_token), params=query)
        if response.status_code == 401:
            self._refresh()
            response = self._request("GET", url, auth=_Bearer(self._access_token), params=query)
        match response.status_code:
            case 200:
                return _json(response)
            case 401:
                raise LoginError(f"Spotify refuses even a fresh access token. {_NEW_LOGIN}")
            case 403:
                raise LoginError(
                    f"Spotify forbids {path}. The login needs the scope user-read-recently-played, its user "
                    "must be listed in the app's dashboard, and the app's owner needs Premium"
                )
        raise _unexpected(response)

    def _refresh(self) -> None:
        """A new access token, and a new refresh token where Spotify gives one."""
        credentials = self._login.credentials
        response = self._request(
            "POST",
            f"{self._endpoints.accounts}/api/token",
            auth=(credentials.client_id, credentials.client_secret),
            data={"grant_type": "refresh_token", "refresh_token": credentials.refresh_token},
        )
        answer = _json(response) if response.status_code in (200, 400, 401) else {}
        match response.status_code, answer.get("error"):
            case 200, None:
                # Kept before it is used: from now on the old one may be refused.
                if isinstance(rotated := answer.get("refresh_token"), str):
                    self._login.keep_refresh_token(rotated)
                self._access_token = answer.get("access_token")
                if not isinstance(self._access_token, str):
                    raise SpotifyError("Spotify's accounts service answered without an access token")
            case _, "invalid_grant":
                self._login.discard_refresh_token()
                raise LoginError(
                    "the login has ended: Spotify no longer accepts the refresh token (it ends six months after "
                    f"the login, or when access is withdrawn). {_NEW_LOGIN}"
                )
            case _, "invalid_client":
                raise LoginError(
                    "Spotify does not know SPOTIFY_CLIENT_ID with this SPOTIFY_CLIENT_SECRET; compare them with "
                    "your app's page at https://developer.spotify.com/dashboard"
                )
            case _:
                raise _unexpected(response)

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:
        """One answer that is no 429: waits as Spotify asks, up to a minute in all."""
        waited = 0
        while True:
            try:
                response = self._session.request(method, url, timeout=_TIMEOUT_SECONDS, **options)
            except requests.RequestException as error:
                # Without its text and its cause, which show the request.
                raise UnreachableError(f"cannot reach {_host(url)} ({_reason(error)}); try again later") from None
            if response.status_code != 429:
                return response
            wait = _retry_after(response)
            if waited + wait > _LONGEST_WAIT_SECONDS:
                raise RateLimitedError(
                    f"Spotify asks to wait for {_duration(wait)} (429, too many requests); poll again then. "
                    "The cursor has not moved",
                    wait,
                )
            self._sleep(wait)
            waited += wait


class _Bearer(AuthBase):
    """As an auth object, so that a .netrc cannot put something else into its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        value = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UnreachableError(f"{_host(response.url)} did not answer with a JSON object; try again later")
    return value


def _unexpected(response: requests.Response) -> SpotifyError:
    kind = UnreachableError if response.status_code >= 500 else SpotifyError
    return kind(f"{_host(response.url)} answered {response.status_code}; try again later")


def _retry_after(response: requests.Response) -> int:
    """Seconds, at least one, so that waiting comes to an end."""
    text = response.headers.get("Retry-After", "")
    return max(1, int(text)) if text.isdecimal() else _DEFAULT_WAIT_SECONDS


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes = divmod(-(-seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
