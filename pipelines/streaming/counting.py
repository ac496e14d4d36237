"""From plays in month windows to each play once, and to snapshots of the ten most played of its month."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zlib import crc32

import apache_beam as beam
import objsize
from apache_beam.coders import BytesCoder
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from pipelines.clock import Clock
from pipelines.domain import ranking
from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar, month_text
from pipelines.storage.forgotten import Marks
from pipelines.streaming.batches import Plays, UserPlays
from pipelines.streaming.garbage import search_seldom
from pipelines.streaming.tally import Tally
from pipelines.streaming.windows import month_of_window

_log = logging.getLogger("heavy_rotation")
_TOO_LATE, _SNAPSHOTS = "too_late", "snapshots"
TOO_LATE_LINE = "%d plays of %s came after their month closed: they are kept, and a rebuild of %s counts them"

# A bundle keeps tallies at hand up to so many bytes of state, of which they take two to three times as much memory.
_MOST_STATE = 32 << 20

# A user, and the first instant of a month in milliseconds since 1970: a window, as a number, is known by one look.
Key = tuple[str, int]


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
        splitting = beam.ParDo(_SplitTooLate(self.calendar, self.lateness, self.clock))
        types = splitting.with_output_types(UserPlays, **{_TOO_LATE: UserPlays})
        split = plays | "Split" >> types.with_outputs(_TOO_LATE, main="in_time")
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
        plays = batch[1].plays
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
class CountPlays(beam.PTransform):
    """Each play of a user once, and the snapshots of the month it is in, as a pair.

    *Each play once*: in whatever order and however often its copies come. A copy that is preferred to the one that was
    seen (``Play.preference``) passes too: what reads them keeps the preferred copy of each instant. A copy that was
    forgotten neither passes nor hides a later one, and none passes that is there already.

    *Snapshots*: three rows of ``top_ten_snapshots`` for each user and month, within ``refresh_seconds`` of a new play,
    and when the month ends. One counts all plays of its month so far, so a row is never half of one. ``is_final`` is
    decided by the clock: a job that is drained ends its windows too, and their months are not over. What was forgotten
    since it was counted is left out.
    """

    calendar: Calendar
    refresh_seconds: int
    clock: Clock
    marks: Marks

    def expand(self, plays: PCollection[UserPlays]) -> Any:
        """Plays in windows of CalendarMonths: all copies of a play meet in one, and Beam forgets them with it."""
        counting = beam.ParDo(_Count(self.calendar, self.refresh_seconds, self.clock, self.marks))
        types = counting.with_output_types(UserPlays, **{_SNAPSHOTS: dict[str, Any]})
        counted = plays | "Count" >> types.with_outputs(_SNAPSHOTS, main="once")
        return counted.once, counted[_SNAPSHOTS]


class _Count(beam.DoFn):
    # The pieces of a ``Tally``. Of a user and month: runners pay for each key, and one for each play would cost thirty
    # times more. What is due is said by timers alone, which cost less than a cell that would say it.
    PLAYS = BagStateSpec("plays", BytesCoder())
    # Two take turns: plays that come when one is due, and is not fired yet, set the other, and do not put it off.
    REFRESH = TimerSpec("refresh", TimeDomain.REAL_TIME)
    REFRESH_IN_TURN = TimerSpec("refresh_in_turn", TimeDomain.REAL_TIME)
    # At the end of the month, by the watermark: for its last snapshot, and for one that is due when a job is drained.
    FINAL = TimerSpec("final", TimeDomain.WATERMARK)
    DRAINED = TimerSpec("drained", TimeDomain.WATERMARK)

    def __init__(self, calendar: Calendar, refresh_seconds: int, clock: Clock, marks: Marks) -> None:
        self.calendar = calendar
        self.refresh_seconds = refresh_seconds
        self.clock = clock
        self.marks = marks
        self.repeated = Metrics.counter("heavy_rotation", "plays_repeated")
        self.shown: set[Key] = set()
        self.due: dict[Key, int] = {}
        self.tallies: dict[Key, Tally] = {}
        self.kept = 0  # bytes of the tallies' state

    def setup(self) -> None:
        search_seldom()
        # Beam weighs each cell of state that it caches, and first looks through all modules for what they share with
        # it: a millisecond or two, more than all else that a listener's batch takes. Bytes share nothing.
        objsize.default_settings.update(exclude_modules_globals=False)

    def start_bundle(self) -> None:
        self.shown, self.due, self.tallies, self.kept = set(), {}, {}, 0

    def process(
        self,
        batch: UserPlays,
        window: Any = beam.DoFn.WindowParam,
        pieces: Any = beam.DoFn.StateParam(PLAYS),
        refresh: Any = beam.DoFn.TimerParam(REFRESH),
        refresh_in_turn: Any = beam.DoFn.TimerParam(REFRESH_IN_TURN),
        final: Any = beam.DoFn.TimerParam(FINAL),
        drained: Any = beam.DoFn.TimerParam(DRAINED),
    ) -> Iterator[UserPlays]:
        user_id, plays = batch[0], batch[1].plays
        key = _key(user_id, window)
        tally = self._tally(key, pieces)
        is_first = not tally
        if (until := self._forgotten_until(user_id)) is not None:
            plays = [play for play in plays if to_millis(play.ingested_at) > until]
            tally.forget(until)
        passed, piece = tally.add([ranking.entry(play) for play in plays])
        if not all(passed):
            self.repeated.inc(passed.count(False))
        if piece is None:
            return
        if is_first:
            final.set(window.end)
        if (at := self._next_refresh(user_id)) != self.due.get(key):
            self.due[key] = at
            drained.set(window.end)
            (refresh, refresh_in_turn)[at // self.refresh_seconds % 2].set(Timestamp(at))
        self.shown.discard(key)
        self.kept += len(piece)
        if whole := tally.compacted():
            pieces.clear()
            self.kept -= self.tallies.pop(key).size
        pieces.add(whole or piece)
        if not batch[1].are_there:
            yield user_id, Plays([play for play, is_new in zip(plays, passed, strict=True) if is_new])

    @on_timer(REFRESH)
    @on_timer(REFRESH_IN_TURN)
    def show(
        self,
        user_id: Any = beam.DoFn.KeyParam,
        window: Any = beam.DoFn.WindowParam,
        pieces: Any = beam.DoFn.StateParam(PLAYS),
        final: Any = beam.DoFn.TimerParam(FINAL),
        drained: Any = beam.DoFn.TimerParam(DRAINED),
    ) -> Iterator[TaggedOutput]:
        # The other one, should it be set, shows the same again: Prism fires at once what is taken back and was not set.
        self.due.pop(_key(user_id, window), None)
        drained.clear()
        if self._is_over(window):
            final.clear()
        return self._snapshots(user_id, window, pieces)

    @on_timer(FINAL)
    def show_final(
        self,
        user_id: Any = beam.DoFn.KeyParam,
        window: Any = beam.DoFn.WindowParam,
        pieces: Any = beam.DoFn.StateParam(PLAYS),
        refresh: Any = beam.DoFn.TimerParam(REFRESH),
        refresh_in_turn: Any = beam.DoFn.TimerParam(REFRESH_IN_TURN),
        drained: Any = beam.DoFn.TimerParam(DRAINED),
    ) -> Iterator[TaggedOutput]:
        self.due.pop(_key(user_id, window), None)
        if not self._is_over(window):
            return
        refresh.clear()
        refresh_in_turn.clear()
        drained.clear()
        yield from self._snapshots(user_id, window, pieces)

    @on_timer(DRAINED)
    def show_drained(
        self,
        user_id: Any = beam.DoFn.KeyParam,
        window: Any = beam.DoFn.WindowParam,
        pieces: Any = beam.DoFn.StateParam(PLAYS),
        refresh: Any = beam.DoFn.TimerParam(REFRESH),
        refresh_in_turn: Any = beam.DoFn.TimerParam(REFRESH_IN_TURN),
    ) -> Iterator[TaggedOutput]:
        self.due.pop(_key(user_id, window), None)
        if self._is_over(window):
            return
        refresh.clear()
        refresh_in_turn.clear()
        yield from self._snapshots(user_id, window, pieces)

    def _snapshots(self, user_id: str, window: Any, pieces: Any) -> Iterator[TaggedOutput]:
        key = _key(user_id, window)
        if key in self.shown:  # several timers came at once
            return
        self.shown.add(key)
        # First the clock: what forgets a person later than this moment takes the rows away.
        now, tally = self.clock(), self._tally(key, pieces)
        if (until := self._forgotten_until(user_id)) is not None:
            tally.forget(until)
        if tally:
            month, is_final = month_of_window(self.calendar, window), self._is_over(window, now)
            plays, tens = len(tally), tally.tens()
            for row in ranking.snapshots_of(user_id, month, plays, tens, is_final=is_final, computed_at=now):
                yield TaggedOutput(_SNAPSHOTS, row)

    def _tally(self, key: Key, pieces: Any) -> Tally:
        """What the state has, which a bundle reads once; where that is too much at hand, it reads again."""
        if (tally := self.tallies.get(key)) is None:
            if self.kept > _MOST_STATE:
                self.tallies, self.kept = {}, 0
            tally = self.tallies[key] = Tally(key[1], pieces.read())
            self.kept += tally.size
        return tally

    def _next_refresh(self, user_id: str) -> int:
        """The user's next instant of many, ``refresh_seconds`` apart, in seconds since 1970: the same for all plays
        until then, whatever else is due. Users have theirs at different times."""
        now, apart = int(self.clock().timestamp()), self.refresh_seconds
        phase = crc32(user_id.encode()) % apart
        return (now - phase) // apart * apart + apart + phase

    def _is_over(self, window: Any, now: datetime | None = None) -> bool:
        return self.calendar.is_over(month_of_window(self.calendar, window), now or self.clock())

    def _forgotten_until(self, user_id: str) -> int | None:
        until = self.marks.lately().until(user_id)
        return None if until is None else to_millis(until)


def _key(user_id: str, window: Any) -> Key:
    return user_id, window.start.micros // 1000
