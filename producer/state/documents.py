"""JSON documents in a folder or a bucket, replaced only where nobody else replaced them meanwhile.

A document is read with its version, and ``replace`` refuses when it has another version by now (compare-and-set). Of
two processes that read the same document only one can replace it; the other reads again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.storage.files import NO_FILE, MissingError, Version, storage_of
from producer.private_files import json_of, parsed


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: the value, None where there is no document, and the version to give to ``replace``."""

    value: dict[str, Any] | None
    version: Version


class Documents:
    """Documents under one root. Names are relative to it, with slashes, and end in ``.json``. For any threads."""

    def __init__(self, root: str | Path) -> None:
        """``root`` is a folder or ``gs://bucket/folder``."""
        self._root = str(root).rstrip("/")
        self._storage = storage_of(self._root)

    def read(self, name: str) -> Document:
        """Raises StateError for what is no JSON object, and StorageError."""
        try:
            file = self._storage.read(self.place(name))
        except MissingError:
            return Document(None, NO_FILE)
        return Document(parsed(file.data, self.place(name)), file.version)

    def replace(self, name: str, value: dict[str, Any], version: Version) -> Version:
        """Put the value there if the document still has this version; its new version.

        Raises ChangedError and StorageError.
        """
        return self._storage.replace(self.place(name), json_of(value), version)

    def remove(self, name: str) -> None:
        """Remove the document, if it is there. Raises StorageError."""
        self._storage.remove(self.place(name))

    def names(self, folder: str) -> list[str]:
        """The documents in a folder, sorted. Raises StorageError."""
        paths = self._storage.files(f"{self._root}/{folder}", ".json")
        return [path.removeprefix(f"{self._root}/") for path in paths]

    def place(self, name: str) -> str:
        """Where the document is, to show to a person."""
        return f"{self._root}/{name}"


def rejected_of(state: str) -> str:
    """The folder of the state for what Spotify listed and could not be read."""
    return f"{state.rstrip('/')}/rejected"
