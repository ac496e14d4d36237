"""Logins in use: whose they are, the refresh token that is valid now, and how long it will be.

A login comes from a store, where ``heavy-rotation login`` put it, or from the environment.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.storage.files import StorageError, storage_explained
from pipelines.storage.folder import locked
from producer.accounts.app import app_of
from producer.accounts.grant import TOKEN_LIFE, Grant, LoginStore
from producer.accounts.stores import logins_option
from producer.private_files import StateError, load, save
from producer.spotify.oauth import App, LoginError

REFRESH_TOKEN = "SPOTIFY_REFRESH_TOKEN"  # noqa: S105 - a name
_FROM_ENVIRONMENT = "from_environment"
_LOGGED_OUT = "it was logged out here; it is not polled any more, and no login of it is kept"
_WARN_DAYS = 31  # the sixth month, whichever it is


class LoggedOutError(LoginError):
    """The account was logged out here while it was in use. Nothing of it is written any more."""


class Login(ABC):
    """One account's login, for one thread at a time. It shows no token.

    ``account_id`` is None until it was asked, ``authorized_at`` (UTC) None where it is not known, and
    ``refresh_token`` None once the login has ended. Methods raise StateError and StorageError.
    """

    app: App
    account_id: str | None
    log_in_again: str

    def __init__(self) -> None:
        self.authorized_at: datetime | None = None
        self.refresh_token: str | None = None
        self._stored: str | None = None
        # The token that was stored, and the one that Spotify put into its place and that could not be stored yet.
        self._unstored: tuple[str | None, str] | None = None

    @contextmanager
    def refreshing(self) -> Iterator[None]:
        """Hold the right to refresh, which one process has at a time, with the token that is stored now.

        Raises LoggedOutError too.
        """
        with self._lease():
            self._load()
            if self.refresh_token is None:
                self.check_there()
            yield

    def keep_refresh_token(self, token: str) -> None:
        """Remember the token that from now on is the only valid one; in this process, even where it raises.

        Only while ``refreshing``. Raises LoggedOutError too.
        """
        if token == self._stored:
            return
        self.refresh_token, self._unstored = token, (self._stored, token)
        self._store_token(token)
        self._stored, self._unstored = token, None

    def discard_refresh_token(self) -> None:
        """Forget the token, which Spotify no longer accepts; only while ``refreshing``.

        Where another one is stored by now, that is taken.
        """
        token, self._unstored = self.refresh_token, None
        if token is not None and token == self._stored:
            self._discard(token)
        self._load()

    @abstractmethod
    def check_there(self) -> None:
        """Raises LoggedOutError where the account was removed since."""

    @abstractmethod
    def keep_account(self, account_id: str) -> None:
        """Remember whose login it is."""

    @abstractmethod
    def _lease(self) -> AbstractContextManager[None]:
        """What one process holds at a time."""

    @abstractmethod
    def _read(self) -> tuple[str | None, datetime | None]:
        """The token that is stored, None where the login has ended, and when its owner agreed."""

    @abstractmethod
    def _store_token(self, token: str) -> None:
        """Put the token into the place of the one that is stored. Raises LoggedOutError too."""

    @abstractmethod
    def _discard(self, token: str) -> None:
        """Store that the login has ended, if the token is still the one that is stored."""

    def _load(self) -> None:
        self._stored, self.authorized_at = self._read()
        self.refresh_token = self._stored
        if self._unstored and self._stored in (self._unstored[0], None):
            self.refresh_token = self._unstored[1]


def logins_of(environment: Mapping[str, str], state: Path, store: LoginStore) -> list[Login]:
    """The login of every account in the store, and the one in the environment.

    Those that have ended are among them, so that their owners are told. The one in the environment is left out
    where the store has a login of its account that has not ended: that is how an ended one is replaced.
    Raises LoginError, StateError and StorageError.
    """
    app = app_of(environment)
    logins: list[Login] = [_StoredLogin(app, store, account_id) for account_id in store.accounts()]
    if token := environment.get(REFRESH_TOKEN, "").strip():
        given = _EnvironmentLogin(app, state, token, store)
        same = [login for login in logins if login.account_id == given.account_id]
        if not any(login.refresh_token for login in same):
            logins = [login for login in logins if login not in same] + [given]
    return logins


def kept_of_environment(state: Path, account_id: str) -> list[Path]:
    """The files that say what became of the account's logins in the environment. Raises StateError, StorageError."""
    with storage_explained(state):
        files = sorted((state / _FROM_ENVIRONMENT).glob("*.json"))
    return [file for file in files if (load(file) or {}).get("account_id") == account_id]


def days_left(login: Login, now: datetime) -> int | None:
    """Whole days for which the login lasts at least, 0 where it has ended; None where that is not known."""
    if login.refresh_token is None:
        return 0
    if login.authorized_at is None:
        return None
    return max(0, (login.authorized_at + TOKEN_LIFE - now) // timedelta(days=1))


def ending_soon(login: Login, now: datetime) -> str | None:
    """What to tell from the fifth month after the authorization on, until the login has ended."""
    days = days_left(login, now)
    if login.refresh_token is None or days is None or days > _WARN_DAYS:
        return None
    left = "1 day" if days == 1 else f"{days} days"
    return f"the login ends in about {left}, as Spotify's do after six months; {login.log_in_again}"


class _StoredLogin(Login):
    def __init__(self, app: App, store: LoginStore, account_id: str) -> None:
        super().__init__()
        self.app = app
        self.account_id: str = account_id
        self.log_in_again = _log_in_again(store)
        self._store = store
        # Told when it is used: one damaged file must not keep the other accounts from being polled.
        with suppress(StateError, StorageError):
            self._load()

    def check_there(self) -> None:
        if not self._store.is_there(self.account_id):
            raise LoggedOutError(_LOGGED_OUT)

    def keep_account(self, account_id: str) -> None:
        """It is known."""

    def _lease(self) -> AbstractContextManager[None]:
        return self._store.refreshing(self.account_id)

    def _read(self) -> tuple[str | None, datetime | None]:
        stored = self._store.load(self.account_id)
        return (stored.refresh_token, stored.authorized_at) if stored else (None, None)

    def _store_token(self, token: str) -> None:
        if not self._store.replace(Grant(self.account_id, token, self.authorized_at)):
            raise LoggedOutError(_LOGGED_OUT)

    def _discard(self, token: str) -> None:
        self._store.discard(self.account_id, token)


class _EnvironmentLogin(Login):
    """Its file in the state folder is found by a digest, so another login is another file, and what the
    environment holds is never written down.
    """

    def __init__(self, app: App, state: Path, given: str, store: LoginStore) -> None:
        super().__init__()
        self.app = app
        self.account_id = None
        self.log_in_again = _log_in_again(store)
        digest = hashlib.sha256(f"{app.client_id}\n{given}".encode()).hexdigest()
        self._path = state / _FROM_ENVIRONMENT / f"{digest[:32]}.json"
        self._given = given
        self._load()

    def check_there(self) -> None:
        """It is there as long as the environment says so."""

    def keep_account(self, account_id: str) -> None:
        with self._lease():
            self._load()
            self.account_id = account_id
            self._keep(self._stored)

    def _lease(self) -> AbstractContextManager[None]:
        return locked(self._path, busy=f"another process is refreshing the login of {REFRESH_TOKEN}; try again later")

    def _read(self) -> tuple[str | None, datetime | None]:
        value = load(self._path) or {}
        self.account_id = value.get("account_id", self.account_id)
        return None if value.get("ended") else value.get("refresh_token") or self._given, None

    def _store_token(self, token: str) -> None:
        self._keep(token)

    def _discard(self, token: str) -> None:  # noqa: ARG002  under the lease it is the one that is stored
        self._keep(None)

    def _keep(self, token: str | None) -> None:
        rotated = None if token == self._given else token
        save(self._path, {"account_id": self.account_id, "refresh_token": rotated, "ended": token is None})


def _log_in_again(store: LoginStore) -> str:
    return f"log in again: heavy-rotation login{logins_option(store)}"
