"""The stream's way into the archive."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.util import GroupIntoBatches
from apache_beam.transforms.window import TimestampedValue

from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.domain.play import Play, from_message
from pipelines.storage.archive import Archive
from pipelines.streaming.batches import UserPlays, by_user_and_month


@dataclass
class ArchivePlays(beam.PTransform):
    """Writes plays to the archive and hands them on, by user and month, once their file is there.

    So whatever a later step has seen is in the archive, and a table made again from it lacks nothing. Plays are
    collected by month, in the global window, where nothing is late: a file is written for ``batch_plays`` of
    them, or ``batch_seconds`` after the first. A retry writes a second file; nothing is overwritten. Plays that were
    forgotten go no further.
    """

    archive: Archive
    calendar: Calendar
    batch_plays: int
    batch_seconds: int

    def expand(self, plays: PCollection[Play]) -> PCollection[UserPlays]:
        """Plays in the global window, with any timestamps."""
        return (
            plays
            | "Key by month" >> beam.Map(_by_month, self.calendar).with_output_types(tuple[str, bytes])
            | "Batch" >> GroupIntoBatches.WithShardedKey(self.batch_plays, self.batch_seconds)
            | "Write file" >> beam.FlatMap(_write, self.archive, self.calendar).with_output_types(UserPlays)
        )


def _by_month(play: Play, calendar: Calendar) -> tuple[str, bytes]:
    # As a message's bytes: GroupIntoBatches would pickle a class of ours.
    return month_text(calendar.month_of(play.played_at)), play.to_message()[0]


def _write(batch: tuple[Any, Iterable[bytes]], archive: Archive, calendar: Calendar) -> Iterator[TimestampedValue]:
    sharded_key, messages = batch
    plays = [from_message(message) for message in messages]
    archive.write(parse_month(sharded_key.key), plays)
    return by_user_and_month(archive.marks.lately().without(plays), calendar)
