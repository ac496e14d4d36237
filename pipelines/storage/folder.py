"""Files in a folder of this machine: for their owner only, whole or not at all, and on the disk when it is said.

A file is written under a hidden name, flushed, and given its name at once; then the folder's entry is flushed too,
so that a power cut cannot take back what was told. Files are 0600 and the folders made for them 0700, whatever the
umask. A hidden file is locked while it is written, which tells it from one that a killed process left.
"""

import errno
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from pipelines.storage.errors import StorageError, changed, storage_explained
from pipelines.storage.interface import NO_FILE, File, Version

_LOCK_PATIENCE_SECONDS = 10.0
_PART = re.compile(r"\..+\.[0-9a-f]{32}\.part")
_OWN = re.compile(rf"{_PART.pattern}|\..+\.lock")


class FolderStorage:
    """A folder. The version of a file is a digest of its bytes."""

    def read(self, path: str) -> File:
        """The file as it is."""
        with storage_explained(path):
            data = Path(path).read_bytes()
        return File(data, _version(data))

    def write_new(self, path: str, data: bytes | memoryview) -> Version:
        """A hard link gives the name: unlike a rename it never replaces."""
        target = Path(path)
        with storage_explained(path):
            make_folder(target.parent)
            with _part(target, data) as part:
                try:
                    os.link(part, target)
                except FileExistsError:
                    raise changed(path) from None
                except OSError:  # a file system without hard links
                    with locked(target):
                        if os.path.lexists(target):
                            raise changed(path) from None
                        part.rename(target)
                sync(target.parent)
        return _version(data)

    def replace(self, path: str, data: bytes | memoryview, version: Version) -> Version:
        """Compare and rename, under the file's lock."""
        if version == NO_FILE:
            return self.write_new(path, data)
        target = Path(path)
        with storage_explained(path):
            if not target.exists():
                raise changed(path)  # without a lock, for which a folder would be needed
            with locked(target):
                if self._version_of(target) != version:
                    raise changed(path)
                write_whole(target, data)
        return _version(data)

    def files(self, folder: str, suffix: str) -> list[str]:
        """Files under the folder whose name ends so, without those that are being written and locks."""
        return sorted(path for path in _walk(folder) if path.endswith(suffix) and not _OWN.fullmatch(Path(path).name))

    def sizes(self, folder: str, suffix: str) -> dict[str, int]:
        """One that goes meanwhile is left out."""
        sizes = {}
        for path in self.files(folder, suffix):
            with storage_explained(folder), suppress(FileNotFoundError):
                sizes[path] = Path(path).stat().st_size
        return sizes

    def older_versions(self, folder: str, suffix: str) -> list[str]:  # noqa: ARG002 - a bucket's
        """A folder keeps none."""
        return []

    def abandoned(self, folder: str) -> list[str]:
        """Hidden files that nobody is writing any more."""
        return sorted(path for path in _walk(folder) if _PART.fullmatch(Path(path).name) and _is_abandoned(path))

    def remove(self, path: str) -> None:
        """Unlink, under the file's lock, and wait until the disk knows. What was left of writing it goes too."""
        target = Path(path)
        with storage_explained(path):
            if not traces(target):
                return
            with locked(target):
                for file in traces(target):
                    if file != _lock_of(target):  # which is held
                        file.unlink(missing_ok=True)
                sync(target.parent)

    def check_writable(self, root: str, *, replacing: bool = False) -> None:  # noqa: ARG002 - a bucket's
        """Put a file without a name into the folder, or into the nearest one above it that is there."""
        with storage_explained(root):
            folder = Path(root)
            there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
            if not there.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
            with _naming(there), tempfile.TemporaryFile(dir=there):
                pass

    def _version_of(self, path: Path) -> Version:
        try:
            return _version(path.read_bytes())
        except FileNotFoundError:
            return NO_FILE


def write_whole(target: Path, data: bytes | memoryview) -> None:
    """Put a file there in the place of whatever is there, for who holds its lock or needs none. Raises OSError."""
    make_folder(target.parent)
    with _part(target, data) as part:
        part.replace(target)
        sync(target.parent)


def write_unsynced(path: Path, data: bytes | memoryview, *, stays: bool) -> None:
    """Put a new file there, which may be lost or cut in a power cut until ``sync``. Raises OSError.

    Of one that ``stays`` the disk begins to write at once, where the system lets us say so: less to wait for later.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        if stays and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are not there, 0700. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        # Not with parents=True, which gives those above the mode that the umask leaves.
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file's bytes, or a folder's names. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, patience_seconds: float = _LOCK_PATIENCE_SECONDS, busy: str | None = None) -> Iterator[None]:
    """Hold a file's lock, a hidden file beside it, since the file itself is replaced; it is gone afterwards.

    For threads and processes of this machine; the end of a process gives it back. Not for one who holds it already:
    ``write_new``, ``replace`` and ``remove`` take it themselves, so what is to be held around them needs a name of its
    own. Raises StorageError, with the text ``busy``, where another one holds it for longer than the patience.
    """
    lock = _lock_of(path)
    patience_ends = time.monotonic() + patience_seconds
    while True:
        with storage_explained(path):
            make_folder(path.parent)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with storage_explained(path):
                is_held = _took(handle) and _is_still(lock, handle)
            if is_held:
                try:
                    yield
                finally:
                    if _is_still(lock, handle):
                        # Before it is given back: who waits for it looks whether it is there. A logout takes it away.
                        lock.unlink(missing_ok=True)
                return
            if time.monotonic() > patience_ends:
                raise StorageError(busy or f"{path} is locked by another process that does not go on; end it")
        finally:
            os.close(handle)  # and so gives the lock back
        time.sleep(0.01)


def traces(path: Path) -> list[Path]:
    """The file, and what was left of it by processes that were killed: those that are there. Raises OSError."""
    name = re.escape(path.name)
    # Eight letters: as tempfile names its files, which earlier versions did.
    belongs = re.compile(rf"{name}|\.{name}\.([0-9a-f]{{32}}\.part|[a-z0-9_]{{8}}|lock)")
    with suppress(FileNotFoundError):
        return sorted(file for file in path.parent.iterdir() if belongs.fullmatch(file.name))
    return []


@contextmanager
def _part(target: Path, data: bytes | memoryview) -> Iterator[Path]:
    """A hidden file beside the target with these bytes, on the disk. It is gone at the end of the block."""
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    # 0600 from the start, whatever the umask.
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            with suppress(OSError):  # a file system without locks, on which nothing is taken for abandoned
                fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            yield part
        finally:
            part.unlink(missing_ok=True)


def _is_abandoned(path: str) -> bool:
    """Whether a hidden file has bytes, before which it is locked, and no lock."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            return os.fstat(handle).st_size > 0 and _took(handle)
        finally:
            os.close(handle)
    return False


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


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


def _version(data: bytes | memoryview) -> Version:
    return Version(sha256(data).hexdigest())


def _walk(folder: str) -> Iterator[str]:
    with storage_explained(folder):
        if not Path(folder).exists():
            return
        for parent, _, names in os.walk(folder.rstrip("/") or "/", onerror=_raise):
            yield from (f"{parent}/{name}" for name in names)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that goes meanwhile has no files
        raise error


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Have an error name the folder, and not the file that was tried in it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
