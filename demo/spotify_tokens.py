"""Spotify's accounts service, as far as a login and a refresh need it. No HTTP here.

Times are aware datetimes as the clock given to `Accounts` tells them. Access tokens last an hour unless
said otherwise; refresh tokens end six months after the user's consent, and refreshing doesn't extend that.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from demo.faults import Answer, json_answer

CONSENT_LASTS = timedelta(days=182)
SCOPE = "user-read-recently-played"


@dataclass(frozen=True, slots=True)
class _Consent:
    given_at: datetime
    scope: str


@dataclass(frozen=True, slots=True)
class _Code:
    consent: _Consent
    redirect_uri: str
    challenge: str | None


class Accounts:
    """Codes and tokens of one app and one user. Thread-safe.

    `refresh_token` is one that works from the start, as after an earlier login; it belongs to a confidential
    client and to a PKCE client alike. `expires_in` is in seconds. `redirect_uris` are those registered with the
    app, None for any; `agrees` is what the user says when asked.
    """

    def __init__(self, clock: Callable[[], datetime], *, expires_in: int = 3600, rotate: bool = False) -> None:
        self.client_id = secrets.token_hex(16)
        self.client_secret = secrets.token_hex(16)
        self.expires_in = expires_in
        self.rotate = rotate
        self.redirect_uris: set[str] | None = None
        self.agrees = True
        self._clock = clock
        self._lock = threading.RLock()
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Consent] = {}
        self._access: dict[str, tuple[datetime, str]] = {}
        self.refresh_token = self._new_refresh_token(_Consent(clock(), SCOPE))

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """The consent page, where the user decides at once: a redirect with a code, or an error; or a plain 400."""
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != self.client_id or query.get("response_type") != "code":
            return Answer(400, b"INVALID_CLIENT: Invalid client", content_type="text/plain")
        if not redirect_uri.startswith(("http://127.0.0.1:", "http://[::1]:", "https://")):
            return Answer(400, b"INVALID_CLIENT: Insecure redirect URI", content_type="text/plain")
        if self.redirect_uris is not None and redirect_uri not in self.redirect_uris:
            return Answer(400, b"redirect_uri: Not matching configuration", content_type="text/plain")
        challenge = query.get("code_challenge")
        if challenge is not None and query.get("code_challenge_method") != "S256":
            return Answer(400, b"code_challenge_method must be S256", content_type="text/plain")
        state = {"state": query["state"]} if "state" in query else {}
        if not self.agrees:
            return Answer(302, b"", (("Location", f"{redirect_uri}?{urlencode({'error': 'access_denied'} | state)}"),))
        code = secrets.token_urlsafe(32)
        consent = _Consent(self._clock(), query.get("scope", ""))
        with self._lock:
            self._codes[code] = _Code(consent, redirect_uri, challenge)
        return Answer(302, b"", (("Location", f"{redirect_uri}?{urlencode({'code': code} | state)}"),))

    def token(self, form: Mapping[str, str], authorization: str | None) -> Answer:
        """`POST /api/token`: a code or a refresh token for an access token."""
        is_secret_known = authorization == self._basic()
        if authorization is not None and not is_secret_known:
            return _refuse("invalid_client", "Invalid client secret")
        if not is_secret_known and form.get("client_id") != self.client_id:
            return _refuse("invalid_client", "Invalid client")
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem_code(form, is_secret_known)
            case "refresh_token":
                return self._refresh_access(form.get("refresh_token", ""))
            case _:
                return _refuse("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def scope_of(self, access_token: str) -> str | None:
        """The scope of a valid access token; None when it is unknown or expired."""
        with self._lock:
            expires_at, scope = self._access.get(access_token, (None, None))
        return scope if expires_at is not None and self._clock() < expires_at else None

    def expire_access_tokens(self) -> None:
        """Every access token given out so far answers 401 from now on."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """The user removes the app: no token works any more, until the next login."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    def _redeem_code(self, form: Mapping[str, str], is_secret_known: bool) -> Answer:
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)  # a code works once
        if code is None or code.redirect_uri != form.get("redirect_uri"):
            return _refuse("invalid_grant", "Invalid authorization code")
        if code.challenge is None and not is_secret_known:
            return _refuse("invalid_client", "Invalid client")
        if code.challenge is not None and _challenge(form.get("code_verifier", "")) != code.challenge:
            return _refuse("invalid_grant", "code_verifier was incorrect")
        return self._grant(code.consent, self._new_refresh_token(code.consent))

    def _refresh_access(self, refresh_token: str) -> Answer:
        with self._lock:
            consent = self._refresh.get(refresh_token)
            if consent is None:
                return _refuse("invalid_grant", "Invalid refresh token")
            if self._clock() >= consent.given_at + CONSENT_LASTS:
                return _refuse("invalid_grant", "Refresh token expired")
            if not self.rotate:
                return self._grant(consent, None)
            del self._refresh[refresh_token]
            return self._grant(consent, self._new_refresh_token(consent))

    def _grant(self, consent: _Consent, refresh_token: str | None) -> Answer:
        access_token = secrets.token_urlsafe(64)
        with self._lock:
            self._access[access_token] = (self._clock() + timedelta(seconds=self.expires_in), consent.scope)
        granted: dict[str, object] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": consent.scope,
        }
        if refresh_token is not None:
            granted["refresh_token"] = refresh_token
        return json_answer(granted)

    def _new_refresh_token(self, consent: _Consent) -> str:
        token = secrets.token_urlsafe(96)
        with self._lock:
            self._refresh[token] = consent
        return token

    def _basic(self) -> str:
        credentials = f"{self.client_id}:{self.client_secret}".encode()
        return f"Basic {base64.b64encode(credentials).decode()}"


def _challenge(verifier: str) -> str:
    """PKCE's S256: base64url of the SHA-256, without padding."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refuse(error: str, description: str) -> Answer:
    """An error as the accounts service words it, which isn't how the Web API does."""
    return json_answer({"error": error, "error_description": description}, 400)
