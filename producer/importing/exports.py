"""Finding and reading the files of an export, however they lie: zips, folders, single files.

Which files are listening history is told by their names, as Spotify gives them; a single JSON file may have
any name. Which kind of history a file holds is told by its rows.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from pipelines.domain.play import Play
from pipelines.domain.spotify import LeftOut, from_account_row, from_extended_row
from pipelines.failure import Failure


class ExportError(Failure):
    """What was named is not an export that can be read whole."""


Reader = Callable[[str, object, datetime], Play]

# The first pattern that fits tells why a file's rows are no plays, or None for music.
_NAMES: dict[str, LeftOut | None] = {
    "streaming_history_video_*.json": LeftOut.VIDEO,
    "streaming*history*audiobook*.json": LeftOut.AUDIOBOOK,
    "streaminghistory_podcast*.json": LeftOut.PODCAST,
    "streaming_history_audio_*.json": None,
    "endsong*.json": None,
    "streaminghistory_music*.json": None,
    "streaminghistory[0-9]*.json": None,
}
# The first fields that a row has tell what it is.
_FIELDS: dict[frozenset[str], Reader | LeftOut] = {
    frozenset({"podcastName", "msPlayed"}): LeftOut.PODCAST,
    frozenset({"audiobookName", "msPlayed"}): LeftOut.AUDIOBOOK,
    frozenset({"endTime", "msPlayed"}): from_account_row,
    frozenset({"ts", "ms_played"}): from_extended_row,
}
_EXPECTED = (
    "expected are my_spotify_data.zip, or files such as Streaming_History_Audio_2025.json, endsong_0.json, "
    "StreamingHistory_music_0.json or StreamingHistory0.json"
)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One JSON file of an export, in a zip or not; ``size`` is in bytes, unpacked.

    ``left_out`` says why none of its rows is a play, where its name tells.
    """

    path: Path
    size: int
    member: str | None = None
    left_out: LeftOut | None = None

    @property
    def place(self) -> Path:
        """The zip or the folder that it lies in: what lies together came together."""
        return self.path if self.member else self.path.parent

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"{self.member} in {self.path}" if self.member else str(self.path)

    @property
    def short_name(self) -> str:
        """The file's own name, without where it lies."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    def rows(self) -> list[Any]:
        """The rows, as parsed JSON. Raises ExportError, naming the file and, for bad JSON, the place."""
        data = self._bytes()
        if not data.strip():
            raise ExportError(f"{self.name} is empty; download the export again, or leave this file out")
        try:
            rows = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            what = "is cut short or damaged" if error.pos >= len(error.doc) - 1 else "is not valid JSON"
            raise ExportError(
                f"{self.name} {what}: {error.msg} at line {error.lineno}, column {error.colno}; "
                "unpack or download it again"
            ) from None
        if not isinstance(rows, list):
            raise ExportError(f"{self.name} is JSON, but not listening history; {_EXPECTED}")
        return rows

    def _bytes(self) -> bytes:
        try:
            if self.member is None:
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except OSError as error:
            raise _refused(self.path, error) from None
        except RuntimeError:  # what zipfile says where a password is needed
            raise ExportError(f"{self.name} is encrypted; unpack it and name the folder") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError) as error:
            raise ExportError(f"{self.name} is damaged ({error}); download the export again") from None


def treatment(file: ExportFile, rows: list[Any]) -> Reader | LeftOut:
    """How to read the rows, or why none of them is a play. Raises ExportError for rows of no known kind."""
    if file.left_out:
        return file.left_out
    # A row may be broken; a file is of no known kind only when none of its rows is.
    for row in rows:
        for fields, known in _FIELDS.items():
            if isinstance(row, dict) and fields <= row.keys():
                return known
    if rows:
        raise ExportError(f"{file.name} is JSON, but not listening history; {_EXPECTED}")
    return from_extended_row


def find(paths: Iterable[Path]) -> list[ExportFile]:
    """The files of listening history in all these places, each once, oldest first as far as names tell.

    Raises ExportError for a path that is not there, cannot be read or holds no listening history.
    """
    found: dict[tuple[Path, str | None], ExportFile] = {}
    for path in paths:
        for file in _find(path):
            found.setdefault((file.path.resolve(), file.member), file)
    return sorted(found.values(), key=_natural)


def _find(path: Path) -> list[ExportFile]:
    try:
        if path.is_dir():
            files = list(_in_folder(path))
        elif not path.exists():
            raise ExportError(f"there is no {path}")
        elif path.stat().st_size == 0:
            raise ExportError(f"{path} is empty")
        elif path.suffix.lower() == ".json":
            # Given by hand: whatever its name, its rows will tell.
            return [_file(path)]
        else:
            files = list(_in_zip(path))
    except OSError as error:
        raise _refused(path, error) from None
    if not files:
        raise ExportError(f"no listening history in {path}; {_EXPECTED}")
    return files


def _in_folder(folder: Path) -> Iterator[ExportFile]:
    # Not Path.rglob: it passes over folders without permission, and their plays with them.
    for parent, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            if _is_history(name):
                yield _file(Path(parent) / name)


def _in_zip(path: Path) -> Iterator[ExportFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile:
        raise ExportError(f"{path} is not a zip file, or was not downloaded to its end; {_EXPECTED}") from None
    for member in members:
        if _is_history(name := PurePosixPath(member.filename).name):
            yield ExportFile(path, member.file_size, member.filename, _left_out(name))


def _file(path: Path) -> ExportFile:
    return ExportFile(path, path.stat().st_size, None, _left_out(path.name))


def _is_history(name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in _NAMES)


def _left_out(name: str) -> LeftOut | None:
    fitting = (why for pattern, why in _NAMES.items() if fnmatchcase(name.lower(), pattern))
    return next(fitting, None)


def _natural(file: ExportFile) -> tuple[list[tuple[int, str]], str]:
    """_2 before _10. Of the same name, by where it lies: the order is total."""
    parts = re.findall(r"(\d+)|(\D+)", file.short_name.lower())
    return [(int(digits or 0), text) for digits, text in parts], file.name


def _refused(path: Path, error: OSError) -> ExportError:
    if isinstance(error, PermissionError):
        return ExportError(f"no permission to read {error.filename or path}")
    return ExportError(f"{error.filename or path} cannot be read: {error.strerror or error}")


def _raise(error: OSError) -> None:
    raise error
