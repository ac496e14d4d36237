"""The door of this room for all who read or write a whole file, in a folder or at ``gs://bucket``."""

import random
import time
from collections.abc import Callable

from pipelines.storage.bucket import BucketStorage, is_bucket
from pipelines.storage.errors import ChangedError, MissingError, StorageError, storage_explained
from pipelines.storage.folder import FolderStorage
from pipelines.storage.interface import NO_FILE, File, Storage, Version

__all__ = [
    "NO_FILE", "ChangedError", "File", "MissingError", "Storage", "StorageError", "Version", "is_bucket",
    "storage_explained", "storage_of", "update", "wait_before",
]  # fmt: skip

_ATTEMPTS = 20


def storage_of(root: str) -> Storage:
    """The storage that a root, or a path, stands for: a bucket for ``gs://...``, otherwise a folder."""
    return BucketStorage() if is_bucket(root) else FolderStorage()


def update(path: str, change: Callable[[bytes | None], bytes | None]) -> None:
    """Replace a file by what ``change`` makes of its bytes, None where there is no file; None leaves it as it is.

    Where another process was faster, ``change`` is called again with what is there then, so it has to be idempotent.
    Raises StorageError.
    """
    storage = storage_of(path)
    for attempt in range(_ATTEMPTS):
        data, version = None, NO_FILE
        try:
            file = storage.read(path)
            data, version = file.data, file.version
        except MissingError:
            pass
        changed = change(data)
        if changed is None or changed == data:
            return
        try:
            storage.replace(path, changed, version)
        except ChangedError:
            wait_before(attempt)
        else:
            return
    raise StorageError(f"{path} is changed by other processes all the time; end some of them")


def wait_before(attempt: int) -> None:
    """A moment, longer with each attempt (0, 1, …), so that two who meet do not go on meeting."""
    time.sleep(random.uniform(0, 0.02 * 2 ** min(attempt, 5)))  # noqa: S311
