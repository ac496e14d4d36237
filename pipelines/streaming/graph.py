"""The stream's graph, on one screen: from Pub/Sub messages to rows in the tables."""

from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.clock import Clock, utc_now
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from pipelines.streaming.archiving import ArchivePlays, ReplayOpenMonths
from pipelines.streaming.checkpoint import Checkpoint
from pipelines.streaming.counting import CountTopTens, DeduplicatePlays, SplitTooLate, digests
from pipelines.streaming.parsing import ParseMessages
from pipelines.streaming.settings import StreamOptions
from pipelines.streaming.sinks import Sink
from pipelines.streaming.windows import WindowIntoMonths, at_played_at


def build(
    messages: PCollection[Any],
    options: StreamOptions,
    sink: Sink,
    clock: Clock = utc_now,
    known: Checkpoint | None = None,
) -> None:
    """The graph, from Pub/Sub messages with attributes to rows in the tables, which hold the ``known`` plays."""
    known = known or Checkpoint()
    archive, calendar = Archive(options.archive), options.calendar
    received, rejected = messages | "Parse messages" >> ParseMessages(clock)
    rejected | "Write rejected" >> sink("rejected")

    archived = received | "Archive plays" >> ArchivePlays(
        archive, calendar, options.archive_batch_plays, options.archive_batch_seconds
    )
    replayed = messages.pipeline | "Replay open months" >> ReplayOpenMonths(
        archive, calendar, options.lateness, clock, known.files
    )
    in_time, too_late = (
        (archived, replayed)
        | "Archived and replayed" >> beam.Flatten()
        | "Split too late" >> SplitTooLate(calendar, options.lateness, clock)
    )
    months = WindowIntoMonths(calendar, options.refresh_seconds, options.lateness)
    once = in_time | "Window into months" >> months | "Deduplicate plays" >> DeduplicatePlays()
    once | "Plays once" >> _WritePlayEvents(calendar, sink)
    too_late | "Plays too late" >> _WritePlayEvents(calendar, sink)
    counted = _with_known(once, known, months) if known.plays else once
    told = digests(known.plays, calendar, known.counted_at)
    counted | "Count top tens" >> CountTopTens(calendar, clock, told) | "Write top tens" >> sink("top_ten_snapshots")


def _with_known(once: PCollection[Play], known: Checkpoint, months: WindowIntoMonths) -> PCollection[Play]:
    plays = (
        once.pipeline
        | "Known plays" >> beam.Create(known.plays)
        | "At played_at" >> beam.Map(at_played_at)
        | "Window known plays" >> months
    )
    return (once, plays) | "Once and known" >> beam.Flatten()


class _WritePlayEvents(beam.PTransform):
    def __init__(self, calendar: Calendar, sink: Sink) -> None:
        self.calendar = calendar
        self.sink = sink

    def expand(self, plays: PCollection[Play]) -> Any:
        return (
            plays
            | "To rows" >> beam.Map(Play.to_row, self.calendar).with_output_types(dict[str, Any])
            | "Write play_events" >> self.sink("play_events")
        )
