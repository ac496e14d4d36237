"""From plays in month windows to each play once, and to snapshots of the ten most played."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any

import apache_beam as beam
import orjson
from apache_beam.coders import BytesCoder, FastPrimitivesCoder
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from pipelines.clock import Clock
from pipelines.domain import ranking
from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar, month_text
from pipelines.domain.ranking import Entry, Tally
from pipelines.storage.forgotten import Marks
from pipelines.streaming.batches import UserPlays
from pipelines.streaming.windows import month_of_window

_log = logging.getLogger("heavy_rotation")
_TOO_LATE = "too_late"
TOO_LATE_LINE = "%d plays of %s came after their month closed: they are kept, and a rebuild of %s counts them"


@dataclass
class SplitTooLate(beam.PTransform):
    """Plays whose month still takes plays, and plays whose month closed ``lateness`` ago, as a pair.

    A play that comes too late for its top ten is counted in the metric ``plays_too_late`` and told in the log;
    it is in the archive and it goes on to ``play_events``, and the next rebuild of its month counts it.
    """

    calendar: Calendar
    lateness: timedelta
    clock: Clock

    def expand(self, plays: PCollection[UserPlays]) -> Any:
        """In the global window: the clock decides, not the watermark."""
        split = plays | "Split" >> beam.ParDo(_SplitTooLate(self.calendar, self.lateness, self.clock)).with_outputs(
            _TOO_LATE, main="in_time"
        )
        return split.in_time, split[_TOO_LATE]


class _SplitTooLate(beam.DoFn):
    def __init__(self, calendar: Calendar, lateness: timedelta, clock: Clock) -> None:
        self.calendar = calendar
        self.lateness = lateness
        self.clock = clock
        self.too_late = Metrics.counter("heavy_rotation", "plays_too_late")
        self.months: Counter[date] = Counter()

    def start_bundle(self) -> None:
        self.months = Counter()

    def process(self, batch: UserPlays) -> Iterator[Any]:
        _, plays = batch
        month = self.calendar.month_of(plays[0].played_at)
        if self.calendar.is_closed(month, self.lateness, self.clock()):
            self.too_late.inc(len(plays))
            self.months[month] += len(plays)
            yield TaggedOutput(_TOO_LATE, batch)
        else:
            yield batch

    def finish_bundle(self) -> None:
        for month, plays in self.months.items():
            _log.warning(TOO_LATE_LINE, plays, month_text(month), month_text(month))


@dataclass
class DeduplicatePlays(beam.PTransform):
    """Each play of a user once, in whatever order and however often its copies come.

    Plays are in month windows by played_at, so all copies of a play meet in one window, and Beam forgets what
    was seen when the window expires. A copy that is preferred to the one seen (``Play.preference``) passes too:
    what follows keeps the preferred copy of each instant, so the outcome does not depend on the order. A copy that was
    forgotten neither passes nor hides a later one.
    """

    marks: Marks

    def expand(self, plays: PCollection[UserPlays]) -> PCollection[UserPlays]:
        """Plays in windows of CalendarMonths."""
        return plays | "Drop copies" >> beam.ParDo(_DropCopies(self.marks)).with_output_types(UserPlays)


class _DropCopies(beam.DoFn):
    # For each instant that a play of this user and month was seen at, the preference of its best copy. One cell a
    # user and month: runners pay for each cell, and a key for each play would cost thirty times more.
    SEEN = ReadModifyWriteStateSpec("seen", FastPrimitivesCoder())

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.repeated = Metrics.counter("heavy_rotation", "plays_repeated")

    def process(self, batch: UserPlays, seen: Any = beam.DoFn.StateParam(SEEN)) -> Iterator[UserPlays]:
        user_id, plays = batch
        forgotten = self.marks.lately()
        best, until = seen.read() or {}, forgotten.until(user_id)
        if until is not None:
            best = {millis: known for millis, known in best.items() if known[1] > to_millis(until)}
        new = []
        for play in plays:
            if forgotten.has(user_id, play.ingested_at):
                continue
            millis, preference = to_millis(play.played_at), play.preference
            if millis not in best or preference < best[millis]:
                best[millis] = preference
                new.append(play)
        self.repeated.inc(len(plays) - len(new))
        if new:
            seen.write(best)
            yield user_id, new


@dataclass
class CountTopTens(beam.PTransform):
    """Rows of ``top_ten_snapshots``: three for each user and month, again whenever they have changed.

    A snapshot counts every play of its pane, and panes accumulate, so a row is never half of one. A snapshot of
    the same plays as the one before is not written again. ``is_final`` is decided by the clock: a job that is
    drained closes its windows too, and their months are not over. What was forgotten since it was counted is left out.
    """

    calendar: Calendar
    clock: Clock
    marks: Marks

    def expand(self, plays: PCollection[UserPlays]) -> PCollection[dict[str, Any]]:
        """Plays in windows of CalendarMonths. Copies of one play count once."""
        return (
            plays
            | "Take what counts"
            >> beam.Map(_entries, self.marks).with_output_types(tuple[str, list[tuple[int, Entry]]])
            | "Tally" >> beam.CombinePerKey(TallyFn())
            | "Snapshot"
            >> beam.ParDo(_Snapshot(self.calendar, self.clock, self.marks)).with_output_types(dict[str, Any])
        )


@beam.typehints.with_input_types(list[tuple[int, Entry]])
@beam.typehints.with_output_types(dict[int, Entry])
class TallyFn(beam.CombineFn):
    """The distinct plays of a user and month; ``domain.ranking`` has the rules."""

    def create_accumulator(self) -> Tally:
        """A tally without plays."""
        return {}

    def add_input(self, tally: Tally, entries: list[tuple[int, Entry]]) -> Tally:
        """The same tally with these plays; of copies it keeps the preferred one."""
        for millis, entry in entries:
            ranking.add(tally, millis, entry)
        return tally

    def merge_accumulators(self, tallies: Iterable[Tally]) -> Tally:
        """The union of the tallies, in a new one."""
        return ranking.merge(tallies)

    def extract_output(self, tally: Tally) -> Tally:
        """The tally itself: it is ranked only where it is known to have changed."""
        return tally


class _Snapshot(beam.DoFn):
    # The digest of the snapshot that was written last.
    LAST = ReadModifyWriteStateSpec("last", BytesCoder())

    def __init__(self, calendar: Calendar, clock: Clock, marks: Marks) -> None:
        self.calendar = calendar
        self.clock = clock
        self.marks = marks

    def process(
        self,
        element: tuple[str, Tally],
        window: Any = beam.DoFn.WindowParam,
        last: Any = beam.DoFn.StateParam(LAST),
    ) -> Iterator[dict[str, Any]]:
        user_id, tally = element
        # First the clock: what forgets a person later than this moment takes the row away.
        month, now = month_of_window(self.calendar, window), self.clock()
        until = self.marks.lately().until(user_id)
        if until is not None and not (tally := ranking.ingested_after(to_millis(until), tally)):
            return
        is_final = self.calendar.is_over(month, now)
        digest = _digest(tally, is_final=is_final)
        if digest != last.read():
            last.write(digest)
            yield from ranking.snapshots(user_id, month, tally, is_final=is_final, computed_at=now)


def _digest(tally: Tally, *, is_final: bool) -> bytes:
    """Sixteen bytes that stand for all that a snapshot is made of: equal for equal snapshots, whenever computed."""
    return blake2b(orjson.dumps([is_final, *sorted(tally.items())]), digest_size=16).digest()


def _entries(batch: UserPlays, marks: Marks) -> tuple[str, list[tuple[int, Entry]]]:
    user_id, plays = batch
    until = marks.lately().until(user_id)
    # What was forgotten may stand in tallies still, where it must not be preferred to what came later.
    return user_id, [ranking.entry(play, until) for play in plays]
