"""Where logins are kept: a folder of this machine, or Google Secret Manager."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from platformdirs import user_config_path

from pipelines.clock import utc_now
from pipelines.storage.files import storage_explained, storage_of
from pipelines.storage.folder import locked, traces
from producer.accounts.grant import Grant, LoginStore, ended_record, from_record, to_record
from producer.private_files import StateError, damaged, load, refuse_shared, save

_SCHEME = "secretmanager:"
_LOG_IN_AGAIN = "remove it and log in again: heavy-rotation login"


def default_store() -> str:
    """The folder in the platform's place for settings."""
    return str(user_config_path("heavy-rotation", appauthor=False) / "logins")


def logins_option(store: LoginStore) -> str:
    """What a command has to have for this store: a space and ``--logins``, or nothing."""
    spec = str(store)
    return "" if spec == default_store() else f" --logins {shlex.quote(spec)}"


def store_of(spec: str) -> LoginStore:
    """A folder's path, or ``secretmanager://PROJECT[/PREFIX]``. Nothing is read yet. Raises StateError."""
    if spec.startswith(_SCHEME):
        # Google's client takes half a second to import.
        from producer.accounts.secret_manager import SecretManagerStore

        return SecretManagerStore.of(spec)
    return FileStore(Path(spec).expanduser())


class FileStore:
    """A folder with a file for each account, which only the folder's owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def accounts(self) -> list[str]:
        """The names of the files say it; none is opened."""
        with storage_explained(self._folder):
            # Not with glob, which finds nothing where it may not look, and says nothing.
            files = list(self._folder.iterdir()) if self._folder.exists() else []
        return sorted(unquote(path.stem) for path in files if path.suffix == ".json")

    def load(self, account_id: str) -> Grant | None:
        """Refuses a file that other users may read, and one that is damaged, with a StateError."""
        path = self._path(account_id)
        refuse_shared(path)
        record = load(path, remedy=_LOG_IN_AGAIN)
        try:
            return None if record is None else from_record(record)
        except ValueError:
            raise damaged(path, remedy=_LOG_IN_AGAIN) from None

    def is_there(self, account_id: str) -> bool:
        """It is if its file is."""
        path = self._path(account_id)
        with storage_explained(path):
            return path.exists()

    @contextmanager
    def refreshing(self, account_id: str) -> Iterator[None]:
        """A lock of its own, which ends with the process that has it."""
        if not self.is_there(account_id):
            yield  # there is no token to refresh, and a lock would be left behind
            return
        busy = f"another process is refreshing the login of {account_id}; the next poll tries again"
        with locked(self._lease(account_id), busy=busy):
            yield

    def save(self, grant: Grant) -> None:
        """After a crash the file holds the old grant or the new one."""
        path = self._path(grant.account_id)
        with locked(path):
            stored = None
            with suppress(StateError):  # a damaged file is replaced, too
                stored = self.load(grant.account_id)
            if stored is None or stored.gives_way_to(grant, utc_now()):
                save(path, to_record(grant))

    def replace(self, grant: Grant) -> bool:
        """Under the lock that ``remove`` takes."""
        return self._replace(grant.account_id, to_record(grant), lambda stored: not stored.is_newer_than(grant))

    def discard(self, account_id: str, token: str) -> None:
        """The file stays, without the token."""
        self._replace(account_id, ended_record(account_id), lambda stored: stored.refresh_token == token)

    def traces(self, account_id: str) -> list[str]:
        """The file; also where only a part of it is, which a crash left, or a lock."""
        path = self._path(account_id)
        with storage_explained(path):
            return [str(path)] if traces(path) or traces(self._lease(account_id)) else []

    def remove(self, account_id: str) -> None:
        """The file, and what belongs to it."""
        path = self._path(account_id)
        storage_of(str(path)).remove(str(path))
        with storage_explained(path):
            # Not under its lock: who holds it while the account goes has nothing left to refresh.
            for file in traces(self._lease(account_id)):
                file.unlink(missing_ok=True)

    def _replace(self, account_id: str, record: dict[str, Any], is_older: Callable[[Grant], bool]) -> bool:
        """Write the record if what is stored is older; whether the account is there."""
        path = self._path(account_id)
        if not self.is_there(account_id):
            return False  # without a lock, which would be left there
        with locked(path):
            if not self.is_there(account_id):
                return False
            stored = self.load(account_id)
            if stored is None or is_older(stored):
                save(path, record)
        return True

    def _lease(self, account_id: str) -> Path:
        return self._path(account_id).with_suffix(".refresh")

    def _path(self, account_id: str) -> Path:
        # An old id is what its owner chose, and may hold anything.
        return self._folder / f"{quote(account_id, safe='')}.json"
