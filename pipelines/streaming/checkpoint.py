"""What one bounded run of the stream leaves to the next: the plays of the open months that the tables hold.

Each launch replays the archive of the open months. A run every ten minutes would read thousands of files each time,
and write all their plays and top tens again. The checkpoint is one Avro file beside the archive's plays. It holds
those plays, and names the files that they were in; a run counts on from them and replays only the other files.

It is written when a run has ended well, and is true then and later, since rows are only added. So a run that was
killed, a checkpoint that was lost, and one that was replaced by a run beside this one cost a longer replay, and
nothing else.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import attrgetter

from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive, decode, may_have_open_plays, metadata_of, month_of
from pipelines.storage.files import StorageError
from pipelines.warehouse.identity import key_of

_ABOUT = "heavy_rotation.checkpoint"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Each play once that the tables held at ``counted_at`` of the months that were open, and the paths of the
    files that have no others."""

    counted_at: datetime = _NEVER
    files: frozenset[str] = frozenset()
    plays: tuple[Play, ...] = ()

    def covers(self, files: Iterable[str], calendar: Calendar, now: datetime) -> bool:
        """Whether the tables lack nothing of the files, and no month has ended since, which would be final now."""
        months: set[date] = {calendar.month_of(play.played_at) for play in self.plays}
        return self.files.issuperset(files) and all(
            calendar.is_over(month, now) == calendar.is_over(month, self.counted_at) for month in months
        )


class Checkpoints:
    """Where the checkpoint of an archive and a warehouse is. Methods raise StorageError."""

    def __init__(self, archive: Archive, warehouse: str, calendar: Calendar, lateness: timedelta) -> None:
        self.archive = archive
        self.calendar = calendar
        self.lateness = lateness
        self.path = f"{archive.checkpoints}/{key_of(warehouse, calendar.time_zone)}.avro"

    def load(self, now: datetime, there: Collection[str]) -> Checkpoint:
        """The last one, as far as its months are open; an empty one where none can be read.

        It is empty too where a file of the open months is not among those that are ``there``: whoever took one out of
        the archive meant its plays not to count.
        """
        with suppress(StorageError, ValueError, KeyError):
            data = self.archive.read_bytes(self.path)
            about = json.loads(metadata_of(self.path, data)[_ABOUT])
            files = frozenset(f"{self.archive.root}/{name}" for name in about["files"])
            plays = self._open(decode(self.path, data), now)
            if any(self._may_be_open(path, now) for path in files.difference(there)):
                return Checkpoint()
            return Checkpoint(parse(about["counted_at"]), files, tuple(plays))
        return Checkpoint()

    def save(self, last: Checkpoint, counted_at: datetime, files: Iterable[str]) -> None:
        """What the last one had, and the plays of the other files.

        Nothing is written if one of the files is gone: whoever removed it meant its plays to be forgotten.
        """
        files = sorted(files)
        if not set(files) <= set(self.archive.files()):
            return
        plays = [*last.plays]
        for path in files:
            if path not in last.files:
                plays += self.archive.read(path)
        once: dict[tuple[str, datetime], Play] = {}
        for play in sorted(self._open(plays, counted_at), key=attrgetter("preference")):
            once.setdefault((play.user_id, play.played_at), play)
        about = {
            "counted_at": rfc3339(counted_at),
            "files": [path.removeprefix(f"{self.archive.root}/") for path in files],
        }
        self.archive.replace(self.path, list(once.values()), {_ABOUT: json.dumps(about)})

    def _may_be_open(self, path: str, now: datetime) -> bool:
        month = month_of(path)
        return month is not None and may_have_open_plays(month, self.calendar, self.lateness, now)

    def _open(self, plays: Iterable[Play], now: datetime) -> Iterator[Play]:
        closed = partial(self.calendar.is_closed, lateness=self.lateness, now=now)
        return (play for play in plays if not closed(self.calendar.month_of(play.played_at)))
