"""The stream's way into the archive, and out of it again at a launch."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.util import GroupIntoBatches
from apache_beam.transforms.window import TimestampedValue

from pipelines.clock import Clock
from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.domain.play import Play, from_message
from pipelines.storage.archive import Archive, may_have_open_plays
from pipelines.streaming.ledger import LEDGER
from pipelines.streaming.windows import all_at_played_at


class ArchivePlays(beam.PTransform):
    """Writes plays to the archive and hands them on, each at its played_at, once its file is there.

    So whatever a later step knows is in the archive, and a table made again from it lacks nothing. Plays are
    collected by month, in the global window, where nothing is late: a file is written for ``batch_plays`` of
    them, or ``batch_seconds`` after the first. A retry writes a second file; nothing is overwritten.
    """

    def __init__(self, archive: Archive, calendar: Calendar, batch_plays: int, batch_seconds: int) -> None:
        self.archive = archive
        self.calendar = calendar
        self.batch_plays = batch_plays
        self.batch_seconds = batch_seconds

    def expand(self, received: PCollection[tuple[str, Play]]) -> PCollection[Play]:
        """(Message id, play) in the global window, with any timestamps."""
        return (
            received
            | "Key by month" >> beam.Map(_by_month, self.calendar).with_output_types(tuple[str, tuple[str, bytes]])
            | "Batch" >> GroupIntoBatches.WithShardedKey(self.batch_plays, self.batch_seconds)
            | "Write file" >> beam.FlatMap(_write, self.archive).with_output_types(Play)
        )


class ReplayOpenMonths(beam.PTransform):
    """The archive's plays of the months that still take plays, each at its played_at.

    What a job that ended had counted, the next one counts again from here; deduplication takes away what comes
    from Pub/Sub as well. The archive is listed when the job starts, not when its graph is made. The ``known``
    files are left out.
    """

    def __init__(
        self,
        archive: Archive,
        calendar: Calendar,
        lateness: timedelta,
        clock: Clock,
        known: frozenset[str] = frozenset(),
    ) -> None:
        self.archive = archive
        self.calendar = calendar
        self.lateness = lateness
        self.clock = clock
        self.known = known

    def expand(self, begin: PBegin) -> PCollection[Play]:
        """At a pipeline's beginning."""
        return (
            begin
            | beam.Impulse()
            | "List files" >> beam.FlatMap(lambda _: self._open_files(self.clock())).with_output_types(str)
            | "Spread files" >> beam.Reshuffle()
            | "Read file" >> beam.FlatMap(self._read_open).with_output_types(Play)
        )

    def _open_files(self, now: datetime) -> list[str]:
        files = open_files(self.archive, self.calendar, self.lateness, now)
        return [path for path in files if path not in self.known]

    def _read_open(self, path: str) -> Iterator[TimestampedValue]:
        now = self.clock()
        months = ((play, self.calendar.month_of(play.played_at)) for play in self.archive.read(path))
        return iter(all_at_played_at(play for play, month in months if not self._is_closed(month, now)))

    def _is_closed(self, month: date, now: datetime) -> bool:
        return self.calendar.is_closed(month, self.lateness, now)


def open_files(archive: Archive, calendar: Calendar, lateness: timedelta, now: datetime) -> list[str]:
    """The files that may have plays of months that still take plays. Raises StorageError."""
    return archive.files(month for month in archive.months() if may_have_open_plays(month, calendar, lateness, now))


def _by_month(received: tuple[str, Play], calendar: Calendar) -> tuple[str, tuple[str, bytes]]:
    message_id, play = received
    return month_text(calendar.month_of(play.played_at)), (message_id, play.to_message()[0])


def _write(batch: tuple[object, Iterable[tuple[str, bytes]]], archive: Archive) -> Iterable[TimestampedValue]:
    sharded_key, received = batch
    message_ids, messages = zip(*received, strict=True)
    plays = [from_message(message) for message in messages]
    LEDGER.settle(message_ids, archive.write(parse_month(sharded_key.key), plays))  # type: ignore[attr-defined]
    return all_at_played_at(plays)
