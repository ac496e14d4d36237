"""Opens what an export lies in: files, zips, zips in zips. Whatever is opened is bounded in size, number and depth.

A zip keeps its directory at its end and is opened only after that was looked at, since ``zipfile`` reads it whole.
"""

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pipelines.failure import Failure

# Spotify writes files of some 12 MB, and a whole lifetime, put into one file, has less than this.
MOST_BYTES = 2**30
_CHUNK_BYTES = 2**20
# A zip in a zip is unpacked into memory.
_MOST_INNER_BYTES = 2**27
_NO_ZIP = "is not a zip file, or was not downloaded to its end"
# An export has some hundred files at most.
MOST_MEMBERS = 10_000
# A zip, and what is in zips in it.
MOST_DEPTH = 3
_MOST_DIRECTORY_BYTES = 8 * 2**20
# How a zip ends: with a record of fixed size and a comment; before them, in a large one, another record and a locator.
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64_BYTES = 20
_LONGEST_END = _END_64.size + _LOCATOR_64_BYTES + _END.size + 2**16


class ExportError(Failure):
    """What was named is not an export that can be read whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file: on disk, or a member of a zip, which may be a member of another one."""

    path: Path
    members: tuple[zipfile.ZipInfo, ...] = ()

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return " in ".join([*(member.filename for member in reversed(self.members)), str(self.path)])

    @property
    def short_name(self) -> str:
        """Its own name, without where it lies."""
        return PurePosixPath(self.members[-1].filename).name if self.members else self.path.name

    @property
    def container(self) -> "Place":
        """The zip or the folder that it lies in: what lies together came together."""
        return Place(self.path, self.members[:-1]) if self.members else Place(self.path.parent)

    @property
    def folder(self) -> "tuple[Place, PurePosixPath]":
        """The folder that it lies in, in a zip or not."""
        return self.container, PurePosixPath(self.members[-1].filename).parent if self.members else PurePosixPath()

    def inside(self, member: zipfile.ZipInfo) -> "Place":
        """A member of this zip."""
        return Place(self.path, (*self.members, member))


class Opener:
    """Opens places. A zip stays open, with those around it, until another is: its members are asked for together."""

    def __init__(self) -> None:
        self._zips: list[tuple[Place, zipfile.ZipFile]] = []

    def size(self, place: Place) -> int:
        """In bytes, unpacked, as the file or the zip says. Raises ExportError where it is no file."""
        if place.members:
            return place.members[-1].file_size
        try:
            found = place.path.stat()
        except OSError as error:
            raise refused(place.path, error) from None
        if not stat.S_ISREG(found.st_mode):
            kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
            what = kinds.get(stat.S_IFMT(found.st_mode), "a device")
            raise ExportError(f"{place.name} is {what}, and a file is needed: save what it holds, and name that")
        return found.st_size

    def size_to_read(self, place: Place) -> int:
        """The same, of a file that is to be read whole. Raises ExportError also for more than MOST_BYTES."""
        size = self.size(place)
        if size > MOST_BYTES:
            raise ExportError(
                f"{place.name} has {size / 2**20:,.0f} MB; the files of an export have some 12, and those of more than "
                f"{MOST_BYTES // 2**20:,} are not read"
            )
        return size

    def head(self, place: Place, most: int) -> bytes:
        """Its first bytes, so many at most. Raises ExportError."""
        left = min(self.size(place), most)
        with _explained(place), self._open(place) as file:
            return file.read(left)

    def chunks(self, place: Place) -> Iterator[bytes]:
        """All its bytes. Raises ExportError, also for more than MOST_BYTES."""
        left = self.size_to_read(place)
        with _explained(place), self._open(place) as file:
            # Of a file that grows meanwhile no more than it had.
            while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk

    def members(self, place: Place) -> list[Place]:
        """The files in a zip, in its order, no more than MOST_MEMBERS. Raises ExportError."""
        named = [
            member for member in self._opened(place).infolist() if member.filename
        ]  # is_dir asks for a last letter
        return [place.inside(member) for member in named if not member.is_dir()]

    def _open(self, place: Place) -> IO[bytes]:
        if place.members:
            return self._opened(place.container).open(place.members[-1])
        return place.path.open("rb")

    def _opened(self, place: Place) -> zipfile.ZipFile:
        depth = len(place.members)
        if depth < len(self._zips) and self._zips[depth][0] == place:
            return self._zips[depth][1]
        del self._zips[depth:]
        opened = self._open_zip(place)
        # Those around it are open by now, if there are any.
        del self._zips[depth:]
        self._zips.append((place, opened))
        return opened

    def _open_zip(self, place: Place) -> zipfile.ZipFile:
        if not place.members:
            self.size(place)
            with _explained(place, _NO_ZIP):
                with place.path.open("rb") as file:
                    _check_directory(place, file)
                return zipfile.ZipFile(place.path)
        if self.size(place) > _MOST_INNER_BYTES:
            raise ExportError(f"{place.name} has more than {_MOST_INNER_BYTES // 2**20} MB: unpack the outer zip")
        # Unpacked into memory: what it holds is nobody else's business, and stays off the disk.
        data = io.BytesIO(b"".join(self.chunks(place)))
        with _explained(place, _NO_ZIP):
            _check_directory(place, data)
            return zipfile.ZipFile(data)


@contextmanager
def _explained(place: Place, broken: str = "") -> Iterator[None]:
    """What goes wrong with a place as an ExportError; ``broken`` is what to say where a zip is none."""
    try:
        yield
    except OSError as error:
        raise refused(place.path, error) from None
    except RuntimeError as error:
        # What zipfile says where a password is needed; NotImplementedError is one too.
        what = f"is packed in a way of its own ({error})" if isinstance(error, NotImplementedError) else "is encrypted"
        raise ExportError(f"{place.name} {what}; unpack it yourself, and name the folder") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, struct.error) as error:
        what = broken or f"is damaged ({error}); download the export again"
        raise ExportError(f"{place.name} {what}") from None


def _check_directory(place: Place, file: IO[bytes]) -> None:
    """Raises ExportError where a zip's end says that it has too many members, BadZipFile where it has no end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    at = tail.rfind(b"PK\x05\x06")
    if len(tail) - max(at, 0) < _END.size or at < 0:
        raise zipfile.BadZipFile
    members, directory_bytes = _END.unpack_from(tail, at)[4:6]
    at_64 = at - _LOCATOR_64_BYTES - _END_64.size
    if at_64 >= 0 and tail[at_64:].startswith(b"PK\x06\x06"):
        members, directory_bytes = _END_64.unpack_from(tail, at_64)[7:9]
    if members > MOST_MEMBERS or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise ExportError(
            f"{place.name} has {members:,} files, and at most {MOST_MEMBERS:,} are looked at: unpack it, and name the "
            "folder or the files of listening history"
        )


def refused(path: Path, error: OSError) -> ExportError:
    """What the system said, for a person."""
    if isinstance(error, PermissionError):
        return ExportError(f"no permission to read {error.filename or path}")
    return ExportError(f"{error.filename or path} cannot be read: {error.strerror or error}")
