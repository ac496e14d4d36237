"""Logins in use: whose they are, the refresh token that is valid now, and how long it will be.

A login comes from a store, where ``python -m producer login`` put it, or from the environment.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.storage.files import StorageError, explained
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
    authorized_at: datetime | None
    refresh_token: str | None
    log_in_again: str

    @abstractmethod
    def check_there(self) -> None:
        """Raises LoggedOutError where the account was removed since."""

    @abstractmethod
    def keep_account(self, account_id: str) -> None:
        """Remember whose login it is."""

    @abstractmethod
    def keep_refresh_token(self, token: str) -> None:
        """Remember the token that from now on is the only valid one; in this process, even where it raises.

        Raises LoggedOutError too.
        """

    @abstractmethod
    def discard_refresh_token(self) -> None:
        """Remember that Spotify no longer accepts the token."""

    @abstractmethod
    def reload(self) -> bool:
        """Take the token that another process has kept since; False where there is no other."""


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
    with explained(state):
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
        self.app = app
        self.account_id: str = account_id
        self.log_in_again = _log_in_again(store)
        self._store = store
        try:
            self._take(store.load(account_id))
        except (StateError, StorageError):
            # Told when it is used, by reload: one damaged file must not keep the other accounts from being polled.
            self._take(None)

    def check_there(self) -> None:
        if not self._store.is_there(self.account_id):
            raise LoggedOutError(_LOGGED_OUT)

    def keep_account(self, account_id: str) -> None:
        """It is known."""

    def keep_refresh_token(self, token: str) -> None:
        self.refresh_token = token  # first: should the store fail, it is known here at least
        stored = self._store.load(self.account_id)
        is_replaced = stored is not None and _is_newer(stored, self.authorized_at)
        if is_replaced:  # by a login that was made while this one was in use
            return
        if not self._store.replace(Grant(self.account_id, token, self.authorized_at)):
            raise LoggedOutError(_LOGGED_OUT)

    def discard_refresh_token(self) -> None:
        self.refresh_token = None
        self._store.discard(self.account_id)

    def reload(self) -> bool:
        stored = self._store.load(self.account_id)
        if stored is None or stored.refresh_token == self.refresh_token:
            return False
        self._take(stored)
        return True

    def _take(self, grant: Grant | None) -> None:
        self.refresh_token = grant.refresh_token if grant else None
        self.authorized_at = grant.authorized_at if grant else None


class _EnvironmentLogin(Login):
    """Its file in the state folder is found by a digest, so another login is another file, and what the
    environment holds is never written down.
    """

    authorized_at = None

    def __init__(self, app: App, state: Path, given: str, store: LoginStore) -> None:
        self.app = app
        self.log_in_again = _log_in_again(store)
        digest = hashlib.sha256(f"{app.client_id}\n{given}".encode()).hexdigest()
        self._path = state / _FROM_ENVIRONMENT / f"{digest[:32]}.json"
        self._given = given
        self._read()

    def check_there(self) -> None:
        """It is there as long as the environment says so."""

    def keep_account(self, account_id: str) -> None:
        self.account_id = account_id
        self._keep()

    def keep_refresh_token(self, token: str) -> None:
        self.refresh_token = token
        self._keep()

    def discard_refresh_token(self) -> None:
        self.refresh_token = None
        self._keep()

    def reload(self) -> bool:
        before = self.refresh_token
        self._read()
        return self.refresh_token not in (None, before)

    def _read(self) -> None:
        value = load(self._path) or {}
        self.account_id = value.get("account_id")
        self.refresh_token = None if value.get("ended") else value.get("refresh_token") or self._given

    def _keep(self) -> None:
        rotated = None if self.refresh_token == self._given else self.refresh_token
        ended = self.refresh_token is None
        save(self._path, {"account_id": self.account_id, "refresh_token": rotated, "ended": ended})


def _log_in_again(store: LoginStore) -> str:
    return f"log in again: python -m producer login{logins_option(store)}"


def _is_newer(grant: Grant, than: datetime | None) -> bool:
    return grant.authorized_at is not None and (than is None or grant.authorized_at > than)
