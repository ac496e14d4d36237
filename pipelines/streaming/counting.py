"""From plays in month windows to each play once, and to snapshots of the ten most played."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
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
from pipelines.domain.play import Play
from pipelines.domain.ranking import Entry, Tally
from pipelines.streaming.windows import month_of_window

_log = logging.getLogger("heavy_rotation")
_TOO_LATE = "too_late"
# By user and month.
Digests = dict[tuple[str, date], bytes]


class SplitTooLate(beam.PTransform):
    """Plays whose month still takes plays, and plays whose month closed ``lateness`` ago, as a pair.

    A play that comes too late for its top ten is counted in the metric ``plays_too_late`` and told in the log;
    it is in the archive and it goes on to ``play_events``, and the next rebuild of its month counts it.
    """

    def __init__(self, calendar: Calendar, lateness: timedelta, clock: Clock) -> None:
        self.calendar = calendar
        self.lateness = lateness
        self.clock = clock

    def expand(self, plays: PCollection[Play]) -> Any:
        """Any window."""
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

    def process(self, play: Play) -> Iterator[Any]:
        month = self.calendar.month_of(play.played_at)
        if self.calendar.is_closed(month, self.lateness, self.clock()):
            self.too_late.inc()
            self.months[month] += 1
            yield TaggedOutput(_TOO_LATE, play)
        else:
            yield play

    def finish_bundle(self) -> None:
        for month, plays in self.months.items():
            _log.warning(
                "%d plays of %s came after their month closed: they are kept, and a rebuild of %s counts them",
                plays,
                month_text(month),
                month_text(month),
            )


class DeduplicatePlays(beam.PTransform):
    """Each play of a user once, in whatever order and however often its copies come.

    Plays are in month windows by played_at, so all copies of a play meet in one window, and Beam forgets what
    was seen when the window expires. A copy that is preferred to the one seen (``Play.preference``) passes too:
    what follows keeps the preferred copy of each instant, so the outcome does not depend on the order.
    """

    def expand(self, plays: PCollection[Play]) -> PCollection[Play]:
        """Plays in windows of CalendarMonths."""
        return (
            plays
            | "Key by user" >> beam.Map(_by_user).with_output_types(tuple[str, Play])
            | "Drop copies" >> beam.ParDo(_DropCopies()).with_output_types(Play)
        )


class _DropCopies(beam.DoFn):
    # One cell a user and month: runners pay for each cell, and a key for each play would cost thirty times more.
    SEEN = ReadModifyWriteStateSpec("seen", FastPrimitivesCoder())

    def __init__(self) -> None:
        self.repeated = Metrics.counter("heavy_rotation", "plays_repeated")

    def process(self, element: tuple[str, Play], seen: Any = beam.DoFn.StateParam(SEEN)) -> Iterator[Play]:
        _, play = element
        preferences = seen.read() or {}
        millis = to_millis(play.played_at)
        known = preferences.get(millis)
        if known is not None and known <= play.preference:
            self.repeated.inc()
            return
        preferences[millis] = play.preference
        seen.write(preferences)
        yield play


class CountTopTens(beam.PTransform):
    """Rows of ``top_ten_snapshots``: three for each user and month, again whenever they have changed.

    A snapshot counts every play of its pane, and panes accumulate, so a row is never half of one. A snapshot of
    the plays of the one before is not written again, nor one that an earlier job told (``digests``). ``is_final``
    is decided by the clock: a job that is drained closes its windows too, and their months are not over.
    """

    def __init__(self, calendar: Calendar, clock: Clock, told: Digests | None = None) -> None:
        self.calendar = calendar
        self.clock = clock
        self.told = told or {}

    def expand(self, plays: PCollection[Play]) -> PCollection[dict[str, Any]]:
        """Plays in windows of CalendarMonths. Copies of one play count once."""
        return (
            plays
            | "Take what counts" >> beam.Map(_entry).with_output_types(tuple[str, tuple[int, Entry]])
            | "Tally" >> beam.CombinePerKey(TallyFn())
            | "Snapshot"
            >> beam.ParDo(_Snapshot(self.calendar, self.clock, self.told)).with_output_types(dict[str, Any])
        )


@beam.typehints.with_input_types(tuple[int, Entry])
@beam.typehints.with_output_types(dict[int, Entry])
class TallyFn(beam.CombineFn):
    """The distinct plays of a user and month; ``domain.ranking`` has the rules."""

    def create_accumulator(self) -> Tally:
        """No plays."""
        return {}

    def add_input(self, tally: Tally, play: tuple[int, Entry]) -> Tally:
        """One more, unless it is there."""
        ranking.add(tally, *play)
        return tally

    def merge_accumulators(self, tallies: Iterable[Tally]) -> Tally:
        """The union."""
        return ranking.merge(tallies)

    def extract_output(self, tally: Tally) -> Tally:
        """The tally."""
        return tally


class _Snapshot(beam.DoFn):
    LAST = ReadModifyWriteStateSpec("last", BytesCoder())

    def __init__(self, calendar: Calendar, clock: Clock, told: Digests) -> None:
        self.calendar = calendar
        self.clock = clock
        self.told = told

    def process(
        self,
        element: tuple[str, Tally],
        window: Any = beam.DoFn.WindowParam,
        last: Any = beam.DoFn.StateParam(LAST),
    ) -> Iterator[dict[str, Any]]:
        user_id, tally = element
        month, now = month_of_window(self.calendar, window), self.clock()
        is_final = self.calendar.is_over(month, now)
        digest = _digest(tally, is_final=is_final)
        if digest != (last.read() or self.told.get((user_id, month))):
            last.write(digest)
            yield from ranking.snapshots(user_id, month, tally, is_final=is_final, computed_at=now)


def digests(plays: Iterable[Play], calendar: Calendar, counted_at: datetime) -> Digests:
    """Of the snapshots that a job told which had counted these plays by then, for ``CountTopTens``."""
    tallies: dict[tuple[str, date], Tally] = {}
    for play in plays:
        ranking.add(tallies.setdefault((play.user_id, calendar.month_of(play.played_at)), {}), *ranking.entry(play))
    return {key: _digest(tally, is_final=calendar.is_over(key[1], counted_at)) for key, tally in tallies.items()}


def _digest(tally: Tally, *, is_final: bool) -> bytes:
    return blake2b(orjson.dumps([is_final, *sorted(tally.items())]), digest_size=16).digest()


def _by_user(play: Play) -> tuple[str, Play]:
    return play.user_id, play


def _entry(play: Play) -> tuple[str, tuple[int, Entry]]:
    return play.user_id, ranking.entry(play)
