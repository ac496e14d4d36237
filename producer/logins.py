"""What has become of a login since it was given: whose it is, and the refresh token that Spotify put in its place.

A login comes from the environment. Its file is found by a digest of it, so another login is another file, and
the environment's own token is never written down.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from producer.errors import LoginError
from producer.private_files import load, save

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REFRESH_TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An app's id and secret, and a user's refresh token for it. Printing it shows none of them."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Saved:
    account_id: str | None = None
    refresh_token: str | None = field(default=None, repr=False)


def credentials_of(environment: Mapping[str, str]) -> Credentials:
    """The credentials in the environment. Raises LoginError, naming what is missing."""
    values = [environment.get(name, "").strip() for name in (CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN)]
    missing = [n for n, v in zip((CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN), values, strict=True) if not v]
    if missing:
        raise LoginError(
            f"missing in the environment: {', '.join(missing)}. Client id and secret are on your app's page at "
            "https://developer.spotify.com/dashboard; docs/producer.md says how to get a refresh token"
        )
    return Credentials(*values)


class Login:
    """One login of the environment and what the state folder knows about it."""

    def __init__(self, state: Path, given: Credentials) -> None:
        """Raises StateError and StorageError."""
        digest = hashlib.sha256(f"{given.client_id}\n{given.refresh_token}".encode()).hexdigest()
        self._path = state / "logins" / f"{digest[:32]}.json"
        self._given = given
        value = load(self._path) or {}
        self._saved = _Saved(value.get("account_id"), value.get("refresh_token"))

    @property
    def credentials(self) -> Credentials:
        """The credentials that are valid now."""
        return replace(self._given, refresh_token=self._saved.refresh_token or self._given.refresh_token)

    @property
    def account_id(self) -> str | None:
        """Whose login it is, once that was asked."""
        return self._saved.account_id

    def keep_account(self, account_id: str) -> None:
        """Remember whose login it is. Raises StorageError."""
        self._keep(replace(self._saved, account_id=account_id))

    def keep_refresh_token(self, refresh_token: str) -> None:
        """Remember the token that from now on is the only valid one. Raises StorageError."""
        self._keep(replace(self._saved, refresh_token=refresh_token))

    def discard_refresh_token(self) -> None:
        """Forget a token that Spotify no longer accepts. Raises StorageError."""
        if self._saved.refresh_token:
            self._keep(replace(self._saved, refresh_token=None))

    def _keep(self, saved: _Saved) -> None:
        self._saved = saved
        save(self._path, asdict(saved))
