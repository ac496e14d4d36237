"""The stream's way into the archive."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.util import GroupIntoBatches
from apache_beam.transforms.window import GlobalWindows, TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.streaming.batches import Plays, UserPlays, by_user_and_month

# How many travel together to where a file is written: an element of each costs more than all else there.
_TOGETHER = 100


def in_batches(
    items: PCollection[Any],
    folder_of: Callable[[Any], str],
    pack: Callable[[list[Any]], Any],
    packed: Any,
    most: int,
    seconds: int,
) -> PCollection[tuple[Any, Iterable[Any]]]:
    """Items, in the global window, where nothing is late, by the folder of the archive that they belong to.

    Pairs of a key, whose ``key`` is the folder, and packs: what one file is made of, ``most`` items, or what came
    within ``seconds`` of the first. ``pack`` makes of some items the element that they travel in, of type ``packed``.
    """
    together = min(_TOGETHER, most)
    collecting = beam.ParDo(_Collect(folder_of, pack, together)).with_output_types(tuple[str, packed])
    batches: PCollection[tuple[Any, Iterable[Any]]] = (
        items | "Collect by month" >> collecting | "Batch" >> GroupIntoBatches.WithShardedKey(most // together, seconds)
    )
    return batches


@dataclass
class ArchivePlays(beam.PTransform):
    """Writes plays to the archive and hands them on, by user and month, once their file is there.

    So whatever a later step has seen is in the archive, and a table made again from it lacks nothing. Plays are
    collected by month, in the global window, where nothing is late: a file is written for ``batch_plays`` of
    them at most, or ``batch_seconds`` after the first. A retry writes a second file; nothing is overwritten. Plays that
    were forgotten go no further.
    """

    archive: Archive
    calendar: Calendar
    batch_plays: int
    batch_seconds: int

    def expand(self, plays: PCollection[Play]) -> PCollection[UserPlays]:
        """Plays in the global window, with any timestamps."""
        folder_of = partial(_folder_of, calendar=self.calendar)
        batches = in_batches(plays, folder_of, Plays, Plays, self.batch_plays, self.batch_seconds)
        return batches | "Write file" >> beam.FlatMap(_write, self.archive, self.calendar).with_output_types(UserPlays)


class _Collect(beam.DoFn):
    """The items of a bundle by folder, some at a time."""

    def __init__(self, folder_of: Callable[[Any], str], pack: Callable[[list[Any]], Any], together: int) -> None:
        self.folder_of = folder_of
        self.pack = pack
        self.together = together
        self.folders: dict[str, list[Any]] = {}
        self.latest = Timestamp(0)

    def start_bundle(self) -> None:
        self.folders = {}

    def process(self, item: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[tuple[str, Any]]:
        folder, self.latest = self.folder_of(item), timestamp
        some = self.folders.setdefault(folder, [])
        some.append(item)
        if len(some) == self.together:
            del self.folders[folder]
            yield folder, self.pack(some)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for folder, some in self.folders.items():
            yield GlobalWindows.windowed_value((folder, self.pack(some)), self.latest)


def _folder_of(play: Play, calendar: Calendar) -> str:
    return month_text(calendar.month_of(play.played_at))


def _write(batch: tuple[Any, Iterable[Plays]], archive: Archive, calendar: Calendar) -> Iterator[TimestampedValue]:
    sharded_key, batches = batch
    plays = [play for some in batches for play in some.plays]
    archive.write(parse_month(sharded_key.key), plays)
    return by_user_and_month(archive.marks.lately().without(plays), calendar)
