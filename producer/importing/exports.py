"""One file of an export: its rows, and what each of them is.

A file's name says that its rows are videos, which have the fields of music. All else is told by the rows, each by
itself, since account data mixes songs and podcasts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from pipelines.domain.play import Play
from pipelines.domain.spotify import LeftOut, LeftOutError, from_account_row, from_extended_row
from producer.importing.containers import ExportError, Opener, Place
from producer.importing.decoding import DecodingError, decode

# The play of a row for a user, ingested at an instant. Raises LeftOutError and UnreadableError.
Reader = Callable[[str, object, datetime], Play]

EXPECTED = (
    "expected are my_spotify_data.zip, or files such as Streaming_History_Audio_2025.json, endsong_0.json, "
    "StreamingHistory_music_0.json or StreamingHistory0.json"
)
_VIDEOS = ("streaming_history_video_*.json", "endvideo*.json")
# By the fields that tell, in this order; a row needs both of a pair only where no other row of its file has them.
_READERS: tuple[tuple[tuple[str, str], Reader], ...] = (
    (("ts", "ms_played"), from_extended_row),
    (("endTime", "msPlayed"), from_account_row),
    (("podcastName", "msPlayed"), from_account_row),
    (("audiobookName", "msPlayed"), from_account_row),
)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of listening history; ``size`` is in bytes, unpacked.

    ``account`` is the user name that lies beside it in an export, for comparing alone. ``problem`` says why it cannot
    be read, where that was seen when it was found.
    """

    place: Place
    size: int
    opener: Opener = field(repr=False, compare=False)
    account: str | None = field(default=None, repr=False)
    problem: str | None = None

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.place.name

    @property
    def short_name(self) -> str:
        """The file's own name, without where it lies."""
        return self.place.short_name

    def rows(self) -> list[Any]:
        """The rows, as parsed JSON. Raises ExportError, naming the file and, for bad JSON, the place."""
        if self.problem:
            raise ExportError(self.problem)
        data = self.opener.read(self.place)
        try:
            return decode(data)
        except DecodingError as error:
            raise ExportError(f"{self.name} {error}") from None

    def reader(self, rows: list[Any]) -> Reader:
        """Reads each of the rows as what it is. Raises ExportError where none of them is of listening history."""
        if any(fnmatchcase(self.short_name.lower(), pattern) for pattern in _VIDEOS):
            return _read_video
        for row in rows:
            for fields, reader in _READERS:
                if isinstance(row, dict) and all(field in row for field in fields):
                    return _each_by_itself(reader)
        if rows:
            raise ExportError(f"{self.name} is JSON, but not listening history; {EXPECTED}")
        return from_extended_row


def natural(file: ExportFile) -> tuple[list[tuple[int, str]], str]:
    """For sorting: _2 before _10. Of the same name, by where it lies: the order is total."""
    parts = re.findall(r"(\d+)|(\D+)", file.short_name.lower())
    return [(int(digits or 0), text) for digits, text in parts], file.name


def _each_by_itself(otherwise: Reader) -> Reader:
    """A row that no field tells is read as most of its file's are, and the reason is in their words."""

    def read(user_id: str, row: object, ingested_at: datetime) -> Play:
        if isinstance(row, dict):
            if "ts" in row or "ms_played" in row:
                return from_extended_row(user_id, row, ingested_at)
            if "endTime" in row or "msPlayed" in row:
                return from_account_row(user_id, row, ingested_at)
        return otherwise(user_id, row, ingested_at)

    return read


def _read_video(*_: object) -> Play:
    raise LeftOutError(LeftOut.VIDEO)
