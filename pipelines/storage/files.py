"""Whole files in a folder or a Cloud Storage bucket: written whole, read whole.

Both places keep one promise: a file is there with all of its bytes or it is not there. Paths are strings under
the root, ``folder/...`` or ``gs://bucket/...``, as they can be given back to ``read``.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from pipelines.failure import Failure

_GS = "gs://"
_ANSWERS_WITHIN_SECONDS = 15
_VERSION = re.compile(r"(.+)#(\d+)")


class StorageError(Failure):
    """Reading or writing failed for a reason outside the program. The text is for the user."""


class Storage(Protocol):
    """What the archive needs of a place."""

    def write_new(self, path: str, data: bytes) -> None:
        """Put a new file there, whole or not at all. Raises StorageError."""

    def read(self, path: str) -> bytes:
        """All bytes of a file. Raises StorageError."""

    def check_writable(self, root: str) -> None:
        """Raises StorageError where files could not be written under a root. Leaves nothing behind."""

    def files(self, folder: str, suffix: str) -> list[str]:
        """Paths of the files at any depth under a folder, sorted; none if there is no such folder."""

    def replace(self, path: str, data: bytes) -> None:
        """Put a file there, whole or not at all, in the place of one that may be there. Raises StorageError."""

    def remove(self, path: str) -> None:
        """Remove a file for good, older versions of it too; one that is not there is removed. Raises StorageError."""

    def older_versions(self, folder: str, suffix: str) -> list[str]:
        """What a place keeps of files that were replaced or removed, as paths for ``read`` and ``remove``."""


def storage_of(root: str) -> Storage:
    """The storage that a root stands for: a bucket for ``gs://...``, otherwise a folder."""
    return GoogleCloudStorage() if root.startswith(_GS) else LocalStorage()


class LocalStorage:
    """A folder. Files being written have hidden names, which ``files`` does not list."""

    def write_new(self, path: str, data: bytes) -> None:
        """Write beside the target under a hidden name, flush to the disk, then rename."""
        self.replace(path, data)  # names are unique: nothing is there

    def replace(self, path: str, data: bytes) -> None:
        """As ``write_new``: a rename replaces."""
        target = Path(path)
        with explained(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as part, part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def read(self, path: str) -> bytes:
        """The file's bytes."""
        with explained(path):
            return Path(path).read_bytes()

    def remove(self, path: str) -> None:
        """Unlink, and wait until the disk knows."""
        with explained(path):
            Path(path).unlink(missing_ok=True)
            _write_through_folder(Path(path).parent)

    def older_versions(self, folder: str, suffix: str) -> list[str]:  # noqa: ARG002 - a bucket's
        """A folder keeps none."""
        return []

    def check_writable(self, root: str) -> None:
        """Make the folder, and a file in it that is gone at once."""
        with explained(root):
            Path(root).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass

    def files(self, folder: str, suffix: str) -> list[str]:
        """Files under the folder whose name ends so and does not begin with a dot."""
        found: list[str] = []
        with explained(folder):
            if not Path(folder).exists():
                return []
            for parent, folders, names in os.walk(folder, onerror=_raise):
                folders.sort()
                found += [str(Path(parent) / n) for n in names if n.endswith(suffix) and n[0] != "."]
        return sorted(found)


class GoogleCloudStorage:
    """A bucket. An upload appears when it is complete; a generation match keeps it from replacing anything."""

    def write_new(self, path: str, data: bytes) -> None:
        """Upload, with the client's own retries."""
        from google.api_core.exceptions import PreconditionFailed

        with explained(path), suppress(PreconditionFailed):
            # Names are unique, so a file that is already there is this one: a retry after a lost answer.
            self._blob(path).upload_from_string(data, if_generation_match=0)

    def replace(self, path: str, data: bytes) -> None:
        """Upload; in a bucket with versions, what was there becomes an older version."""
        with explained(path):
            self._blob(path).upload_from_string(data)

    def read(self, path: str) -> bytes:
        """The object's bytes."""
        with explained(path):
            data: bytes = self._blob(path).download_as_bytes()
            return data

    def check_writable(self, root: str) -> None:
        """Ask for the bucket. Whether it may be written is known only by writing: no test of that is free."""
        next(self._list(root, max_results=1), None)

    def files(self, folder: str, suffix: str) -> list[str]:
        """Objects under the folder whose name ends so."""
        return sorted(_path(blob) for blob in self._list(folder) if blob.name.endswith(suffix))

    def older_versions(self, folder: str, suffix: str) -> list[str]:
        """Noncurrent versions of objects under the folder, as ``gs://bucket/name#generation``."""
        blobs = self._list(folder, versions=True)
        return [f"{_path(b)}#{b.generation}" for b in blobs if b.time_deleted and b.name.endswith(suffix)]

    def remove(self, path: str) -> None:
        """Delete each version by its generation, which leaves no noncurrent one."""
        from google.api_core.exceptions import NotFound

        blob = self._blob(path)
        with explained(path):
            if blob.generation:
                blobs = [blob]
            else:
                found = client().list_blobs(blob.bucket, prefix=blob.name, versions=True)
                blobs = [version for version in found if version.name == blob.name]
            for version in blobs:
                with suppress(NotFound):
                    blob.bucket.delete_blob(version.name, generation=version.generation)

    def _list(self, folder: str, **options: Any) -> Iterator[Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        bucket, prefix = bucket_and_name(folder.rstrip("/") + "/")
        with explained(f"{_GS}{bucket}"):
            # Every command begins with this, and without a network it should not take minutes to say so.
            retry = DEFAULT_RETRY.with_timeout(_ANSWERS_WITHIN_SECONDS)
            yield from client().list_blobs(
                bucket, prefix=prefix, retry=retry, timeout=_ANSWERS_WITHIN_SECONDS, **options
            )

    def _blob(self, path: str) -> Any:
        bucket, name = bucket_and_name(path)
        version = _VERSION.fullmatch(name)
        if version:
            return client().bucket(bucket).blob(version[1], generation=int(version[2]))
        return client().bucket(bucket).blob(name)


def _path(blob: Any) -> str:
    return f"{_GS}{blob.bucket.name}/{blob.name}"


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A hidden path beside ``target`` to write to; it takes the target's name when the block ends well.

    Whatever ends the block otherwise, Ctrl-C included, removes it.
    """
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        yield part
        part.replace(target)
        _write_through_folder(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_through(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and wait until the disk has it: a rename must not outlive the bytes it names."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_through_folder(folder: Path) -> None:
    """Wait until the disk has the folder's names, so that a power cut cannot take a file back."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """Turn the errors of disks and of Cloud Storage into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(_explanation(path, error)) from error
    except Exception as error:
        # google-cloud-storage is asked for only once gs:// is used, and so are the types of its errors.
        if type(error).__module__.split(".")[0] == "google":
            raise StorageError(_refusal(path, error)) from error
        raise


def _explanation(path: str | Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full: {path} was not written; free some space and run the command again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission for {error.filename or path}"
        case errno.ENOENT:
            return f"there is no {path}"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{error.filename or path} is a file, and a folder is needed there"
        case _:
            return f"{path}: {error.strerror or error}"


def _refusal(path: str | Path, error: Exception) -> str:
    from google.api_core.exceptions import Forbidden, NotFound, RetryError

    match error:
        case NotFound():
            return f"there is no {path} in Cloud Storage ({error})"
        case Forbidden():
            return f"no permission for {path} ({error})"
        case RetryError():
            return f"Cloud Storage cannot be reached for {path}; is there a network? ({error})"
        case _:
            return f"Cloud Storage refused {path}: {error}"


def _raise(error: OSError) -> None:
    raise error


def bucket_and_name(path: str) -> tuple[str, str]:
    """The two parts of ``gs://bucket/name``; the name may be empty. Raises StorageError."""
    bucket, _, name = path.removeprefix(_GS).partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", bucket):
        raise StorageError(f"{path} names no bucket; write it as gs://bucket/folder")
    return bucket, name


@cache
def client() -> Any:
    """The client of Cloud Storage, one for the process. Raises StorageError."""
    from google.cloud.storage import Client

    with explained("gs://"):
        return Client()
