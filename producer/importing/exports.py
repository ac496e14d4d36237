"""One file of an export: its rows, and what each of them is.

A file's name says that its rows are videos, which have the fields of music. All else is told by the rows, each by
itself, since account data mixes songs and podcasts.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from pipelines.domain.exports import ExportedPlay, LeftOut, LeftOutError, from_account_row, from_extended_row
from pipelines.domain.play import UnreadableError
from producer.importing.containers import ExportError, Opener, Place
from producer.importing.decoding import DecodingError, OtherContentError, decode

# The play of a row that is read at an instant (milliseconds). Raises LeftOutError and UnreadableError.
Reader = Callable[[object, int], ExportedPlay]

EXPECTED = (
    "expected are my_spotify_data.zip, or files such as Streaming_History_Audio_2025.json, endsong_0.json, "
    "StreamingHistory_music_0.json or StreamingHistory0.json"
)
_VIDEOS = ("streaming_history_video_*.json", "endvideo*.json")
# Rows of a file have both fields of a pair, if not each of them.
_FIELDS = (("ts", "ms_played"), ("endTime", "msPlayed"), ("podcastName", "msPlayed"), ("audiobookName", "msPlayed"))
# Some rows, and how many bytes they took.
Batch = tuple[list[Any], int]


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

    def batches(self) -> Iterator[Batch]:
        """The rows in their order, as parsed JSON, some at a time.

        Raises ExportError, naming the file and, for bad JSON, the place; what came before may have been given by then.
        """
        if self.problem:
            raise ExportError(self.problem)
        is_history = False
        try:
            for rows, taken in decode(lambda: self.opener.chunks(self.place)):
                is_history = is_history or not rows or any(map(_is_history, rows))
                if not is_history:
                    raise OtherContentError("is JSON, but not listening history")
                yield rows, taken
        except OtherContentError as error:
            raise ExportError(f"{self.name} {error}; {EXPECTED}") from None
        except DecodingError as error:
            raise ExportError(f"{self.name} {error}") from None

    @property
    def reader(self) -> Reader:
        """Reads each row as what it is."""
        name = self.short_name.lower()
        return _read_video if any(fnmatchcase(name, pattern) for pattern in _VIDEOS) else read_row


def read_row(row: object, read_at: int) -> ExportedPlay:
    """The play of a row of either kind of export. Raises LeftOutError and UnreadableError."""
    if isinstance(row, dict):
        if "ts" in row or "ms_played" in row:
            return from_extended_row(row, read_at)
        if "endTime" in row or "msPlayed" in row:
            return from_account_row(row, read_at)
        raise UnreadableError("neither ts nor endTime is there")
    raise UnreadableError("row is not an object")


def natural(file: ExportFile) -> tuple[list[tuple[int, str]], str]:
    """For sorting: _2 before _10. Of the same name, by where it lies: the order is total."""
    parts = re.findall(r"(\d+)|(\D+)", file.short_name.lower())
    return [(int(digits or 0), text) for digits, text in parts], file.name


def _is_history(row: object) -> bool:
    return isinstance(row, dict) and any(one in row and other in row for one, other in _FIELDS)


def _read_video(*_: object) -> ExportedPlay:
    raise LeftOutError(LeftOut.VIDEO)
