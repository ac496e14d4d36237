"""The part of Spotify's Web API that the producer needs: whose account it is, what was played last, and the rest."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from producer.spotify.oauth import SCOPE, Accounts, App, LoginError
from producer.spotify.transport import Answer, Bearer, SpotifyError, Transport, Wait, unexpected

# All that Spotify ever lists.
LISTED_AT_MOST = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Spotify is; somewhere else for a look-alike."""

    api: str = "https://api.spotify.com"
    accounts: str = "https://accounts.spotify.com"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Endpoints":
        """Spotify's own, or those in SPOTIFY_API_URL and SPOTIFY_ACCOUNTS_URL.

        Raises SpotifyError for one to which tokens would go in the open.
        """
        api, accounts = (_checked(environment, name) for name in ("SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL"))
        return cls(api or cls().api, accounts or cls().accounts)


def _checked(environment: Mapping[str, str], name: str) -> str | None:
    url = environment.get(name, "").strip().rstrip("/")
    if not url:
        return None
    with suppress(ValueError):  # what is no address
        parts = urlsplit(url)
        if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
            return url
    raise SpotifyError(
        f"{name} has to be an https:// address, since tokens go there; http:// is for this machine only (127.0.0.1)"
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):  # a name
        return ip_address(host).is_loopback
    return host == "localhost"


class RefreshTokenSource(Protocol):
    """Who has a login's refresh token: what ``Spotify`` needs of it. ``accounts.login.Login`` says more."""

    app: App
    refresh_token: str | None
    log_in_again: str

    def refreshing(self) -> AbstractContextManager[None]:
        """Hold the right to refresh, which one process has at a time, with the token that is stored now."""

    def keep_refresh_token(self, token: str) -> None:
        """Remember the token that from now on is the only valid one."""

    def discard_refresh_token(self) -> None:
        """Forget the token, which Spotify no longer accepts; where another one is stored by now, that is taken."""


class Spotify:
    """Spotify for one login. Its methods raise SpotifyError, whose text never holds a token, and StoppedError.

    ``wait`` does all the waiting, for so many seconds, and ends it with something true when the program is to stop:
    ``Event.wait`` does. Many logins can share a ``transport``, which then does the waiting, and which its owner
    closes.
    """

    def __init__(
        self,
        login: RefreshTokenSource,
        endpoints: Endpoints,
        wait: Wait = time.sleep,
        *,
        transport: Transport | None = None,
    ) -> None:
        self._login = login
        self._own_transport = None if transport else Transport(wait)
        transport = transport or self._own_transport
        assert transport
        self._api = Api(endpoints.api, transport)
        self._accounts = Accounts(login.app, endpoints.accounts, transport)
        self._access_token: str | None = None

    def close(self) -> None:
        """Close the connections."""
        if self._own_transport:
            self._own_transport.close()

    def account_id(self) -> str:
        """The stable key of the account: ``account_id``, or ``id`` where Spotify does not give that yet."""
        return self._ask(self._api.account_id)

    def recently_played(self) -> list[Any]:
        """All that Spotify still lists, at most 50 items, as parsed JSON.

        Without a cursor, and meant so. The last 50 plays are all there is, so one page holds everything that
        a cursor could ask for. And what a cursor leaves out would be missed twice: a play that is listed late,
        behind the cursor, and the fiftieth item, whose time tells whether plays were lost.
        """
        return self._ask(self._api.recently_played)

    def get(self, path: str, **query: str) -> Answer:
        """What Spotify says to ``GET path``: 200 with its JSON object, or 403 or 404 with what it says why.

        For what an app may not be given; whoever asks keeps to a budget (``producer.asking``).
        """
        return self._ask(lambda token: self._api.answer(path, token, **query))

    def _ask(self, question: Callable[[str], T]) -> T:
        try:
            return question(self._access_token or self._refresh())
        except AccessTokenRefusedError:
            self._access_token = None
        try:
            return question(self._refresh())
        except AccessTokenRefusedError:
            raise LoginError(f"Spotify refuses even a fresh access token; {self._login.log_in_again}") from None

    def _refresh(self) -> str:
        """A new access token, and a new refresh token where Spotify gives one."""
        login = self._login
        with login.refreshing():
            while (token := login.refresh_token) is not None:
                if tokens := self._accounts.refresh(token):
                    # Kept before it is used: from now on the old one may be refused.
                    login.keep_refresh_token(tokens.refresh_token or token)
                    self._access_token = tokens.access_token
                    return tokens.access_token
                login.discard_refresh_token()
        raise LoginEndedError(
            "the login has ended: Spotify no longer accepts the refresh token (it ends six months after the "
            f"login, or when access is withdrawn); {login.log_in_again}"
        )


class LoginEndedError(LoginError):
    """Spotify no longer accepts the login's refresh token. Only a new login helps."""


class AccessTokenRefusedError(LoginError):
    """401: the access token has ended, as it does after an hour, or was never valid."""


class Api:
    """The Web API, for whatever access token it is asked with. Methods raise SpotifyError."""

    def __init__(self, url: str, transport: Transport) -> None:
        self._url = url
        self._transport = transport

    def account_id(self, access_token: str) -> str:
        """See ``Spotify.account_id``."""
        profile = self._get("/v1/me", access_token)
        account_id = profile.get("account_id") or profile.get("id")
        if not isinstance(account_id, str) or not account_id:
            raise SpotifyError("Spotify's profile of the account has no id")
        return account_id

    def recently_played(self, access_token: str) -> list[Any]:
        """See ``Spotify.recently_played``."""
        items = self._get("/v1/me/player/recently-played", access_token, limit=str(LISTED_AT_MOST)).get("items")
        if not isinstance(items, list):
            raise SpotifyError("Spotify's answer about recently played tracks has no list of items")
        return items

    def answer(self, path: str, access_token: str, **query: str) -> Answer:
        """See ``Spotify.get``."""
        answer = self._transport.ask("GET", self._url + path, auth=Bearer(access_token), params=query)
        if answer.status == 401:
            raise AccessTokenRefusedError("Spotify refuses the access token")
        if answer.status not in (200, 403, 404):
            raise unexpected(self._url, answer)
        return answer

    def _get(self, path: str, access_token: str, **query: str) -> dict[str, Any]:
        answer = self.answer(path, access_token, **query)
        if answer.status == 403:
            raise LoginError(
                f"Spotify forbids {path}. The login needs the scope {SCOPE}, its user must be listed in the "
                "app's dashboard, and the app's owner needs Premium"
            )
        if answer.status != 200:
            raise unexpected(self._url, answer)
        return answer.body
