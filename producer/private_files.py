"""Files that hold what is nobody else's business: JSON, for their owner only, replaced whole or not at all."""

import fcntl
import os
import re
import shlex
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from pipelines.failure import Failure
from pipelines.storage.files import LocalStorage, explained

_LOCK_PATIENCE_SECONDS = 10
_POLL_AGAIN = "remove it and poll again: what Spotify still lists is published once more, which counts nothing twice"


class StateError(Failure):
    """The state folder or the store of logins cannot be read or written, or what is asked of it is not there."""


def save(path: Path, value: dict[str, Any]) -> bytes:
    """Replace the file; its bytes. After a crash it holds the old value or the new one. Raises StorageError."""
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of two processes that write at once, each has a file of its own, 0600 from the start.
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    return data


def load(path: Path, *, remedy: str = _POLL_AGAIN) -> dict[str, Any] | None:
    """The file's value, None if there is no file. Raises StateError, which says the remedy, and StorageError."""
    with explained(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise damaged(path, remedy=remedy) from None
    if not isinstance(value, dict):
        raise damaged(path, remedy=remedy)
    return value


def traces(path: Path) -> list[Path]:
    """The file, parts of it that a crash left, and its lock: those that are there. Raises StorageError."""
    belongs = re.compile(rf"\.{re.escape(path.name)}\.([a-z0-9_]{{8}}|lock)")  # as tempfile names its files
    with explained(path):
        files = list(path.parent.iterdir()) if path.parent.is_dir() else []
    return sorted(file for file in files if file.name == path.name or belongs.fullmatch(file.name))


def remove(path: Path) -> None:
    """Remove the file and whatever belongs to it, for good. Raises StateError and StorageError."""
    if not traces(path):
        return
    with locked(path):
        for file in traces(path):
            LocalStorage().remove(str(file))


@contextmanager
def locked(path: Path, *, busy: str | None = None) -> Iterator[None]:
    """Hold the file's own lock, a hidden file beside it, since the file itself is replaced.

    ``busy`` is what to say where another process goes on holding it. Raises StateError and StorageError.
    """
    lock = path.with_name(f".{path.name}.lock")
    patience_ends = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while True:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _took(handle):
                if _is_still(lock, handle):
                    yield
                    return
            elif time.monotonic() > patience_ends:
                raise StateError(busy or f"{path} is locked by another process that does not go on; end it")
            else:
                time.sleep(0.01)
        finally:
            os.close(handle)  # and so gives the lock back, as the end of the process does


def refuse_shared(path: Path) -> None:
    """Raises StateError where others may read or write the file, and says how to end that; StorageError."""
    with explained(path):
        shared = path.exists() and path.stat().st_mode & 0o077
    if shared:
        raise StateError(f"{path} holds a secret and is open to other users; run: chmod 600 {shlex.quote(str(path))}")


def damaged(path: Path | str, *, remedy: str = _POLL_AGAIN) -> StateError:
    """What to say of a file that does not hold what was saved there."""
    return StateError(f"{path} is damaged; {remedy}")


def _took(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, handle: int) -> bool:
    """Whether others who open the path get this file: who had the lock before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
