"""Finding the files of an export, however they lie: folders, zips, zips in folders and in zips, single files.

A file is listening history if its name is one of those that Spotify gives, or if its rows say so, whatever it is
called. What only looks like it is named, so that nobody takes it for imported.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import orjson

from producer.importing.containers import MOST_DEPTH, MOST_MEMBERS, ExportError, Opener, Place, refused
from producer.importing.decoding import HEAD_BYTES, has_history, has_rows
from producer.importing.exports import EXPECTED, ExportFile, natural

# All that is unpacked and read for one import. The exports of a lifetime have less than one.
_MOST_BYTES = 4 * 2**30
# As Spotify names them, and as browsers name a second copy.
_NAMED = re.compile(
    r"(streaming_history_(audio|video|podcast|audiobook).*|end(song|video).*"
    r"|streaminghistory(_(music|podcast|audiobook).*|[\d\W].*)?)\.json",
    re.IGNORECASE,
)
# What somebody may take for listening history, and cannot be read here. Spotify's own guide to it is a PDF.
_ALMOST_NAMED = re.compile(
    r"(streaming[ _-]?history|endsong|endvideo).*(?<!\.pdf)|.*spotify.*\.(rar|7z|tar|gz|tgz|bz2|xz)", re.IGNORECASE
)
_ACCOUNT = "userdata.json"


def downloads_like(path: Path) -> Path | None:
    """What a person may have meant by a path that is not there: the same name, or an export, where browsers put it."""
    downloads = Path.home() / "Downloads"
    named = downloads / path.name
    if named.exists():
        return named
    exports = [found for found in downloads.glob("my_spotify_data*.zip") if found.is_file()]
    return max(exports, key=lambda found: found.stat().st_mtime, default=None)


class TooMuchError(ExportError):
    """More than one import can be about."""


@dataclass(frozen=True)
class FoundFiles:
    """The files to read, and in words what looks like listening history and is not read."""

    files: list[ExportFile]
    not_read: list[str]


def find(paths: Iterable[Path]) -> FoundFiles:
    """The files of listening history in all these places, each once, oldest first as far as names tell.

    Files of one zip stand together. What is listening history by its name and cannot be read is among them, with its
    problem. Raises ExportError for a path that is not there or holds no listening history, and for more than can be
    one listener's.
    """
    search = _Search()
    for path in paths:
        search.look_into(path)
    return search.found()


class _Search:
    def __init__(self) -> None:
        self._opener = Opener()
        self._files: list[ExportFile] = []
        self._not_read: list[str] = []
        # The user names of exports, by the folder that they lie in.
        self._accounts: dict[tuple[Place, PurePosixPath], str] = {}
        self._seen: set[Path] = set()
        self._hits = self._bytes = self._members_left = 0

    def found(self) -> FoundFiles:
        files = [replace(file, account=self._accounts.get(file.place.folder)) for file in self._files]
        # By zip, since each is opened once for all of its files.
        files.sort(key=lambda file: (file.place.container.name if file.place.members else "", natural(file)))
        return FoundFiles(files, self._not_read)

    def look_into(self, path: Path) -> None:
        """A place that a person named. Raises ExportError where there is nothing of use."""
        place, hits = Place(path), self._hits
        if not os.path.lexists(path):
            downloaded = downloads_like(path)
            there = f"; did you mean {downloaded}?" if downloaded else ""
            raise ExportError(f"there is no {path}{there}")
        if path.is_dir():
            # Not Path.rglob: it passes over folders without permission, and their plays with them.
            for parent, _, names in os.walk(path, onerror=self._add_folder):
                for name in names:
                    self._look_at(Place(Path(parent) / name))
        elif path.suffix.lower() == ".json":
            # Whatever its name, its rows will tell.
            self._add(place)
            self._note_account(Place(path.with_name("Userdata.json")))
        else:
            self._look_at_file(place)
        if hits == self._hits:
            almost = "".join(f"; {what}" for what in self._not_read)
            raise ExportError(f"no listening history in {path}; {EXPECTED}{almost}")

    def _look_at_file(self, place: Place) -> None:
        """A file that was named, and may be a zip."""
        try:
            head = self._opener.head(place, HEAD_BYTES)
        except ExportError as error:
            self._add(place, str(error))
            return
        if not head:
            self._add(place, f"{place.name} is empty")
        elif has_history(head) and not head.startswith(b"PK"):
            self._add(place)
        else:
            self._look_into_zip(place)

    def _look_at(self, place: Place) -> None:
        """A file in a folder or in a zip."""
        name = place.short_name.lower()
        if name.startswith("._"):
            return  # what macOS notes about the file of that name
        if name == _ACCOUNT:
            self._note_account(place)
        elif name.endswith(".zip"):
            self._look_into_zip(place)
        elif _NAMED.fullmatch(name):
            self._add(place)
        else:
            self._look_at_rows(place)

    def _look_at_rows(self, place: Place) -> None:
        """A file whose name says nothing, or nothing for certain."""
        almost = _ALMOST_NAMED.fullmatch(place.short_name)
        try:
            head = self._opener.head(place, HEAD_BYTES)
        except ExportError as error:
            if almost or place.short_name.lower().endswith(".json"):
                self._not_read.append(str(error))
            return
        if has_history(head):
            if has_rows(head):
                self._add(place)
            else:
                self._not_read.append(f"{place.name} looks like listening history, and is no list of rows in JSON")
        elif almost:
            self._not_read.append(f"{place.name} is called like listening history, and holds none in JSON")

    def _look_into_zip(self, place: Place) -> None:
        if not place.members:
            if self._is_known(place):
                return
            self._members_left = MOST_MEMBERS
        try:
            if len(place.members) >= MOST_DEPTH:
                raise ExportError(f"{place.name} is too deep to be looked into: unpack the outer zips")
            if place.members:
                self._count(self._opener.size(place))
            members = self._opener.members(place)
            self._members_left -= len(members)
            if self._members_left < 0:
                raise ExportError(
                    f"{place.path} has more than {MOST_MEMBERS:,} files with those of the zips in it: unpack it, and "
                    "name the folder"
                )
        except TooMuchError:
            raise
        except ExportError as error:
            self._add(place, str(error))
            return
        for member in members:
            self._look_at(member)

    def _add_folder(self, error: OSError) -> None:
        folder = Path(error.filename)
        self._add(Place(folder), str(refused(folder, error)))

    def _add(self, place: Place, problem: str | None = None) -> None:
        self._hits += 1
        if problem is None and not place.members and self._is_known(place):
            return
        size = 0
        if problem is None:
            try:
                size = self._opener.size_to_read(place)
            except ExportError as error:
                problem = str(error)
        self._count(size)
        self._files.append(ExportFile(place, size, self._opener, problem=problem))

    def _is_known(self, place: Place) -> bool:
        """Whether the file on the disk was looked at before, under whatever path; from now on it was."""
        path = place.path.resolve()
        is_known = path in self._seen
        self._seen.add(path)
        self._hits += is_known
        return is_known

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            raise TooMuchError(
                f"what was named holds more than {_MOST_BYTES // 2**30} GB, and the exports of a lifetime have less "
                "than one: name fewer files"
            )

    def _note_account(self, place: Place) -> None:
        """The user name in an export's own description of its account."""
        try:
            described = orjson.loads(self._opener.head(place, HEAD_BYTES))
        except (ExportError, ValueError):
            return
        if isinstance(described, dict) and isinstance(name := described.get("username"), str):
            self._accounts[place.folder] = name
