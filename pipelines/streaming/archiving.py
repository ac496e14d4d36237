"""The stream's way into the archive."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
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

# How many plays travel together to where a file is written: an element of each costs more than all else there.
_TOGETHER = 100


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
        together = min(_TOGETHER, self.batch_plays)
        return (
            plays
            | "Collect by month" >> beam.ParDo(_Collect(self.calendar, together)).with_output_types(tuple[str, Plays])
            | "Batch" >> GroupIntoBatches.WithShardedKey(self.batch_plays // together, self.batch_seconds)
            | "Write file" >> beam.FlatMap(_write, self.archive, self.calendar).with_output_types(UserPlays)
        )


class _Collect(beam.DoFn):
    """The plays of a bundle by month, some at a time."""

    def __init__(self, calendar: Calendar, together: int) -> None:
        self.calendar = calendar
        self.together = together
        self.months: dict[date, list[Play]] = {}
        self.latest = Timestamp(0)

    def start_bundle(self) -> None:
        self.months = {}

    def process(self, play: Play, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[tuple[str, Plays]]:
        month, self.latest = self.calendar.month_of(play.played_at), timestamp
        some = self.months.setdefault(month, [])
        some.append(play)
        if len(some) == self.together:
            del self.months[month]
            yield month_text(month), Plays(some)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for month, some in self.months.items():
            yield GlobalWindows.windowed_value((month_text(month), Plays(some)), self.latest)


def _write(batch: tuple[Any, Iterable[Plays]], archive: Archive, calendar: Calendar) -> Iterator[TimestampedValue]:
    sharded_key, batches = batch
    plays = [play for some in batches for play in some.plays]
    archive.write(parse_month(sharded_key.key), plays)
    return by_user_and_month(archive.marks.lately().without(plays), calendar)
