"""Files that hold what is nobody else's business: JSON, for their owner only, replaced whole or not at all."""

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import orjson

from pipelines.storage import explained
from producer.errors import StateError

_POLL_AGAIN = "remove it and poll again: what Spotify still lists is published once more, which counts nothing twice"


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


def refuse_shared(path: Path) -> None:
    """Raises StateError where others may read or write the file, and says how to end that; StorageError."""
    with explained(path):
        # Windows has no such bits: a file in the user's own folder is the user's.
        shared = os.name == "posix" and path.exists() and path.stat().st_mode & 0o077
    if shared:
        raise StateError(f"{path} holds a secret and is open to other users; run: chmod 600 {shlex.quote(str(path))}")


def damaged(path: Path | str, *, remedy: str = _POLL_AGAIN) -> StateError:
    """What to say of a file that does not hold what was saved there."""
    return StateError(f"{path} is damaged; {remedy}")
