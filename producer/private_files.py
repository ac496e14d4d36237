"""The state folder's files: JSON that only their owner can read, replaced whole or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Any

import orjson

from pipelines.storage import explained
from producer.errors import StateError


def save(path: Path, value: dict[str, Any]) -> None:
    """Replace the file. After a crash it holds the old value or the new one. Raises StorageError."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of two processes that write at once, each has a file of its own, 0600 from the start.
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def load(path: Path) -> dict[str, Any] | None:
    """The file's value, None if there is no file. Raises StateError and StorageError."""
    with explained(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise damaged(path) from None
    if not isinstance(value, dict):
        raise damaged(path)
    return value


def damaged(path: Path | str) -> StateError:
    """What to say of a file that does not hold what was saved there."""
    return StateError(
        f"{path} is damaged; remove it and poll again: what Spotify still lists is published once more, "
        "which counts nothing twice"
    )
