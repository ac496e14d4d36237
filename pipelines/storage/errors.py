"""What can go wrong with files, and what a person is told of it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.failure import Failure


class StorageError(Failure):
    """Reading or writing failed for a reason outside the program. The text is for the user."""


class MissingError(StorageError):
    """There is no such file, by now: one that was listed may have been removed since."""


class ChangedError(StorageError):
    """The file is not the version that was to be replaced: somebody else wrote or removed it since it was read."""


def changed(path: str | Path) -> ChangedError:
    """For who does not read the file again and go on from there."""
    return ChangedError(f"{path} was changed by another process meanwhile; run the command again")


@contextmanager
def storage_explained(path: str | Path) -> Iterator[None]:
    """Turn the errors of disks and of Cloud Storage into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        kind = MissingError if error.errno == errno.ENOENT else StorageError
        raise kind(_explanation(path, error)) from error
    except Exception as error:
        # google-cloud-storage is asked for only once gs:// is used, and so are the types of its errors.
        if type(error).__module__.split(".")[0] == "google":
            raise _refusal(path, error) from error
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


def _refusal(path: str | Path, error: Exception) -> StorageError:
    from google.api_core.exceptions import Forbidden, NotFound, RetryError

    match error:
        case NotFound():
            return MissingError(f"there is no {path} in Cloud Storage ({error})")
        case Forbidden():
            return StorageError(f"no permission for {path} ({error})")
        case RetryError():
            return StorageError(f"Cloud Storage cannot be reached for {path}; is there a network? ({error})")
        case _:
            return StorageError(f"Cloud Storage refused {path}: {error}")
