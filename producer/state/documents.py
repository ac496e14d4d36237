"""JSON documents in a folder or a Cloud Storage bucket, replaced only where nobody else replaced them meanwhile.

A document is read with its version, and ``replace`` refuses when it has another version by now (compare and
set): in a bucket the object's generation, in a folder the bytes themselves, compared under a lock. Of two
processes that read the same document only one can replace it; the other reads again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from pipelines.storage.bucket import bucket_and_name, client
from pipelines.storage.files import is_bucket, storage_explained
from producer.private_files import damaged, locked, save

_REQUEST_SECONDS, _PATIENCE_SECONDS = 10.0, 30.0


class ChangedError(Exception):
    """The document was replaced or removed by somebody else since it was read."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: the value, None where there is no document, and the version to give to ``replace``."""

    value: dict[str, Any] | None
    version: object


class Documents(Protocol):
    """Documents under one root. Names are relative to it, with slashes, and end in ``.json``."""

    def read(self, name: str) -> Document:
        """Raises StateError for what is no JSON object, and StorageError."""

    def replace(self, name: str, value: dict[str, Any], version: object) -> object:
        """Put the value there if the document still has this version; its new version.

        Raises ChangedError, StateError and StorageError.
        """

    def names(self, folder: str) -> list[str]:
        """The documents in a folder, sorted. Raises StorageError."""

    def place(self, name: str) -> str:
        """Where the document is, to show to a person."""


def documents_of(root: str | Path) -> Documents:
    """The documents in a folder or under ``gs://bucket/folder``. Raises StorageError where that names no bucket."""
    text = str(root)
    return BucketDocuments(text) if is_bucket(text) else LocalDocuments(Path(root))


def rejected_of(state: str) -> str:
    """The folder of the state for what Spotify listed and could not be read."""
    return f"{state.rstrip('/')}/rejected"


class LocalDocuments:
    """Files that only their owner can read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> Document:
        """The file's value; its bytes are its version."""
        data = self._bytes(name)
        return Document(None if data is None else _parsed(data, self.place(name)), data)

    def replace(self, name: str, value: dict[str, Any], version: object) -> object:
        """Compare and rename under a lock that processes and threads share."""
        path = self._root / name
        with storage_explained(path):
            if version is not None and not path.exists():
                raise ChangedError  # without a lock, which would be left where somebody removed everything
        with locked(path):
            if self._bytes(name) != version:
                raise ChangedError
            return save(path, value)

    def names(self, folder: str) -> list[str]:
        """The names of the folder's JSON files."""
        with storage_explained(self._root):
            return sorted(f"{folder}/{path.name}" for path in (self._root / folder).glob("*.json"))

    def place(self, name: str) -> str:
        """The file's path."""
        return str(self._root / name)

    def _bytes(self, name: str) -> bytes | None:
        path = self._root / name
        with storage_explained(path):
            return path.read_bytes() if path.exists() else None


class BucketDocuments:
    """Objects in a bucket."""

    def __init__(self, root: str) -> None:
        """Raises StorageError."""
        from google.api_core.retry import Retry
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._root = root.rstrip("/")
        bucket, prefix = bucket_and_name(self._root)
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket = client().bucket(bucket)
        retry: Retry = DEFAULT_RETRY.with_timeout(_PATIENCE_SECONDS)
        self._patience = {"timeout": _REQUEST_SECONDS, "retry": retry}

    def read(self, name: str) -> Document:
        """The object's value; its generation is its version, 0 where there is no object."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with storage_explained(self.place(name)):
            while True:
                blob = self._bucket.get_blob(self._prefix + name, **self._patience)
                if blob is None:
                    return Document(None, 0)
                generation = blob.generation  # which a download replaces by what its headers say
                try:
                    data = blob.download_as_bytes(if_generation_match=generation, **self._patience)
                except (NotFound, PreconditionFailed):
                    continue  # replaced in between: whoever did that is done, so this ends
                return Document(_parsed(data, self.place(name)), generation)

    def replace(self, name: str, value: dict[str, Any], version: object) -> object:
        """Upload if the generation still matches.

        The client tries again when an answer is lost, and may so be refused because of its own first try.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(self._prefix + name)
        with storage_explained(self.place(name)):
            try:
                blob.upload_from_string(
                    orjson.dumps(value, option=orjson.OPT_INDENT_2),
                    content_type="application/json",
                    if_generation_match=version,
                    **self._patience,
                )
            except PreconditionFailed:
                raise ChangedError from None
            return blob.generation

    def names(self, folder: str) -> list[str]:
        """The names of the JSON objects right under the folder."""
        with storage_explained(self.place(folder)):
            blobs = self._bucket.client.list_blobs(
                self._bucket, prefix=f"{self._prefix}{folder}/", delimiter="/", **self._patience
            )
            names = (blob.name.removeprefix(self._prefix) for blob in blobs)
            return sorted(name for name in names if name.endswith(".json"))

    def place(self, name: str) -> str:
        """The object's address."""
        return f"{self._root}/{name}"


def _parsed(data: bytes, place: str) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise damaged(place) from None
    if not isinstance(value, dict):
        raise damaged(place)
    return value
