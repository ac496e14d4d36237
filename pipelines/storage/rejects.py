"""What Spotify listed and could not be read as a play, kept beside the plays: ``ARCHIVE/rejected/<id>.json``.

A JSON object with ``user_id``, ``seen_at`` (RFC 3339, UTC), ``reason`` and ``item``, which is as Spotify gave it. The
same item of the same user always has the same id, so it is kept once however often it is listed.
"""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from pipelines.domain.instants import parse, rfc3339
from pipelines.storage.files import ChangedError, MissingError, storage_of
from pipelines.storage.forgotten import Marks


class Rejects:
    """The rejected items of an archive, a folder or ``gs://bucket/folder``. Methods raise StorageError."""

    def __init__(self, root: str) -> None:
        self.folder = f"{root.rstrip('/')}/rejected"
        self._storage = storage_of(root)
        self._marks = Marks(root)

    def keep(self, user_id: str, item: Any, reason: str, seen_at: datetime) -> str:
        """Keep an item, and return the path of its file; nothing is there of who was forgotten since it was seen."""
        kept = {"user_id": user_id, "seen_at": rfc3339(seen_at), "reason": reason, "item": item}
        same = orjson.dumps({"user_id": user_id, "item": item}, option=orjson.OPT_SORT_KEYS)
        path = self.path(hashlib.sha256(same).hexdigest()[:32])
        with suppress(ChangedError):  # it was kept before
            self._storage.write_new(path, orjson.dumps(kept, option=orjson.OPT_INDENT_2))
            if self._marks.read().has(user_id, seen_at):  # behind the writing, as in the archive
                self._storage.remove(path)
        return path

    def ids(self) -> list[str]:
        """Of everything that is kept, sorted."""
        return [path.rpartition("/")[2].removesuffix(".json") for path in self._storage.files(self.folder, ".json")]

    def read(self, name: str) -> bytes:
        """The file of an id."""
        return self._storage.read(self.path(name)).data

    def of_user(self, user_id: str, until: datetime) -> list[str]:
        """The paths of a user's items that were seen by then, in a bucket of older versions too.

        A damaged one is nobody's.
        """
        every = self._storage.files(self.folder, ".json") + self._storage.older_versions(self.folder, ".json")
        return [path for path in every if self._is_of(path, user_id, until)]

    def remove(self, path: str) -> None:
        """Remove what a path of ``of_user`` is, for good."""
        self._storage.remove(path)

    def _is_of(self, path: str, user_id: str, until: datetime) -> bool:
        try:
            kept = orjson.loads(self._storage.read(path).data)
            return bool(kept["user_id"] == user_id and parse(kept["seen_at"]) <= until)
        except MissingError:  # another one removed it meanwhile
            return False
        except (ValueError, KeyError, TypeError):
            return False

    def path(self, name: str) -> str:
        """Where an id's file is."""
        return f"{self.folder}/{name}.json"
