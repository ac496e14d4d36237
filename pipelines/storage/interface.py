"""What is asked of a place that keeps files, be it a folder or a bucket."""

from dataclasses import dataclass
from typing import NewType, Protocol

# What a file was when it was read; of use to ``replace`` alone, in the same place. Two of the same file are equal
# as long as nobody replaced it. It is text, and may be written down.
Version = NewType("Version", str)
NO_FILE = Version("")


@dataclass(frozen=True, slots=True)
class File:
    """All bytes of a file, and which version of it they are."""

    data: bytes
    version: Version


class Storage(Protocol):
    """A file is there with all of its bytes or it is not there. Paths are ``folder/...`` or ``gs://bucket/...``.

    Any number of processes may use it at once. Every method raises StorageError.
    """

    def read(self, path: str) -> File:
        """A file. Raises MissingError where there is none."""

    def write_new(self, path: str, data: bytes | memoryview) -> Version:
        """Put a new file there. Raises ChangedError where there is one, which stays as it is."""

    def replace(self, path: str, data: bytes | memoryview, version: Version) -> Version:
        """Compare and set: put a file there if what is there still has this version, or is nothing for NO_FILE.

        Raises ChangedError otherwise: of all that replace the same version, one does. Where the network takes an
        answer away, and somebody has replaced the file again since, that is all who was first can be told: what is
        made of the file when it is read again has to be idempotent.
        """

    def files(self, folder: str, suffix: str) -> list[str]:
        """Paths of the files at any depth under a folder, sorted; none if there is no such folder."""

    def sizes(self, folder: str, suffix: str) -> dict[str, int]:
        """The same with the bytes of each, in the same order."""

    def older_versions(self, folder: str, suffix: str) -> list[str]:
        """What a place keeps of files that were replaced or removed, as paths for ``read`` and ``remove``."""

    def abandoned(self, folder: str) -> list[str]:
        """What processes that were killed left of files that they were writing, at any depth, as paths for ``remove``.

        They may hold what the files would have held.
        """

    def remove(self, path: str) -> None:
        """Remove a file for good, older versions of it too; one that is not there is removed."""

    def check_writable(self, root: str, *, replacing: bool = False) -> None:
        """Raises StorageError where files could not be written under a root, or replaced if that is asked for.

        Leaves nothing behind, and waits a few seconds at most for an answer.
        """
