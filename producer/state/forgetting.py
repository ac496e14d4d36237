"""What the state holds of an account, and how it goes for good."""

from pathlib import Path
from typing import Any

import orjson

from pipelines.storage.files import is_bucket, storage_explained, storage_of
from pipelines.storage.folder import traces as traces_of
from producer.private_files import damaged
from producer.state.cursor import FOLDER, name_of
from producer.state.documents import rejected_of
from producer.state.imports import FOLDER as IMPORTS

# The pages keep the last: what an account has hidden from its figures.
_FOLDERS = (FOLDER, IMPORTS, "hidden")
_REMEDY = "remove it, and run the same command again"


def traces(state: str, account_id: str) -> list[str]:
    """Paths of its documents and of its items that could not be read; in a bucket of their older versions too.

    Raises StateError and StorageError.
    """
    rejected = _every_version(rejected_of(state), ".json")
    documents = [path for folder in _FOLDERS for path in _documents(state.rstrip("/"), folder, account_id)]
    return documents + [path for path in rejected if _user_of(path) == account_id]


def remove(path: str) -> None:
    """Remove what a path of ``traces`` is, so that no version of it is left. Raises StateError and StorageError."""
    storage_of(path).remove(path)


def _documents(root: str, folder: str, account_id: str) -> list[str]:
    name = name_of(account_id).removeprefix(FOLDER)
    if is_bucket(root):
        return _every_version(f"{root}/{folder}", name)
    path = Path(f"{root}/{folder}{name}")
    with storage_explained(path):
        return [str(path)] if traces_of(path) else []


def _every_version(folder: str, suffix: str) -> list[str]:
    storage = storage_of(folder)
    return storage.files(folder, suffix) + storage.older_versions(folder, suffix)


def _user_of(path: str) -> Any:
    try:
        return orjson.loads(storage_of(path).read(path).data)["user_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise damaged(path, remedy=_REMEDY) from None
