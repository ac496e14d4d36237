"""Spotify's accounts service: a user's consent for a code, the code for tokens, a refresh token for an access token."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from producer.spotify.transport import Answer, NoAuth, SpotifyError, Transport, unexpected

DASHBOARD = "https://developer.spotify.com/dashboard"
SCOPE = "user-read-recently-played"
PLAYLISTS_SCOPE = "playlist-read-private"


class LoginError(SpotifyError):
    """A person has to act: credentials are missing or refused, or the login has ended."""


@dataclass(frozen=True, slots=True)
class App:
    """An app's id and secret. Without a secret, logins rest on PKCE alone."""

    client_id: str
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code or a refresh token is exchanged for. Printing it shows nothing."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scope: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What ties a login together: ``state`` from the browser and back, ``verifier`` (PKCE) from code to tokens."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "Attempt":
        """One that nobody can guess."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(64))

    @property
    def challenge(self) -> str:
        """PKCE's S256: base64url of the verifier's SHA-256, without padding."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Accounts:
    """The accounts service, for one app. Methods raise SpotifyError, whose text never holds a token."""

    def __init__(self, app: App, url: str, transport: Transport) -> None:
        self._app = app
        self._url = url
        self._transport = transport

    def consent_url(self, attempt: Attempt, redirect_uri: str, scope: str = SCOPE) -> str:
        """The page where a user agrees to a scope, or to several, with spaces between. It holds no secret."""
        query = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "scope": scope,
            "redirect_uri": redirect_uri,
            "state": attempt.state,
            "code_challenge_method": "S256",
            "code_challenge": attempt.challenge,
        }
        return f"{self._url}/authorize?{urlencode(query)}"

    def redeem(self, code: str, attempt: Attempt, redirect_uri: str) -> Tokens | None:
        """The tokens for a code, None if it is not or no longer valid."""
        return self._tokens(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=attempt.verifier
        )

    def refresh(self, refresh_token: str) -> Tokens | None:
        """A new access token, and a new refresh token where Spotify gives one; None if the login has ended."""
        return self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    def _tokens(self, **form: str) -> Tokens | None:
        auth: Any = NoAuth()
        if self._app.client_secret is None:
            form["client_id"] = self._app.client_id
        else:
            auth = (self._app.client_id, self._app.client_secret)
        url = f"{self._url}/api/token"
        answer = self._transport.ask("POST", url, auth=auth, data=form)
        match answer:
            case Answer(200, {"access_token": str(access_token)} as body):
                return Tokens(access_token, _text(body, "refresh_token"), _text(body, "scope"))
            case Answer(200):
                raise SpotifyError("Spotify's accounts service answered without an access token")
            case Answer(_, {"error": "invalid_grant"}):
                return None
            case Answer(_, {"error": "invalid_client"}):
                raise LoginError(
                    "Spotify does not know the app's client id with this client secret; compare them with your app's "
                    f"page at {DASHBOARD}"
                )
        raise unexpected(url, answer)


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
