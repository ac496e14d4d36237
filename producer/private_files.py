"""Files that hold what is nobody else's business: JSON, for their owner only, replaced whole or not at all."""

import shlex
from pathlib import Path
from typing import Any

import orjson

from pipelines.failure import Failure
from pipelines.storage.files import MissingError, storage_explained, storage_of
from pipelines.storage.folder import write_whole

_POLL_AGAIN = "remove it and poll again: what Spotify still lists is published once more, which counts nothing twice"


class StateError(Failure):
    """The state folder or the store of logins cannot be read or written, or what is asked of it is not there."""


def save(path: Path, value: dict[str, Any]) -> None:
    """Replace the file. After a crash it holds the old value or the new one. Raises StorageError."""
    with storage_explained(path):
        write_whole(path, json_of(value))


def load(path: Path, *, remedy: str = _POLL_AGAIN) -> dict[str, Any] | None:
    """The file's value, None if there is no file. Raises StateError, which says the remedy, and StorageError."""
    try:
        data = storage_of(str(path)).read(str(path)).data
    except MissingError:
        return None
    return parsed(data, path, remedy=remedy)


def json_of(value: dict[str, Any]) -> bytes:
    """What is written of a value."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def parsed(data: bytes, path: Path | str, *, remedy: str = _POLL_AGAIN) -> dict[str, Any]:
    """The JSON object that a file holds. Raises StateError, which says the remedy, for anything else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise damaged(path, remedy=remedy) from None
    if not isinstance(value, dict):
        raise damaged(path, remedy=remedy)
    return value


def refuse_shared(path: Path) -> None:
    """Raises StateError where others may read or write the file, and says how to end that; StorageError."""
    with storage_explained(path):
        shared = path.exists() and path.stat().st_mode & 0o077
    if shared:
        raise StateError(f"{path} holds a secret and is open to other users; run: chmod 600 {shlex.quote(str(path))}")


def damaged(path: Path | str, *, remedy: str = _POLL_AGAIN) -> StateError:
    """What to say of a file that does not hold what was saved there."""
    return StateError(f"{path} is damaged; {remedy}")
