"""Polling many accounts with a few threads: once, or each of them at its own times until told to stop.

An account holds a thread only while it is polled. Waiting for the next time, or for hours because Spotify
asked for it, holds none.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from pipelines.clock import utc_now
from producer.polling.account import Account, Asked, Outcome
from producer.polling.publishing import Destination
from producer.polling.schedule import Schedule, ScheduledPoll, SteadyClock

# Spotify answers in a fraction of a second: so many threads poll a hundred accounts a second.
THREADS = 32
# 50 plays of more than 30 seconds each take at least so long.
FIFTY_PLAYS = timedelta(minutes=25)
LONGEST_SAFE_INTERVAL = timedelta(minutes=20)
# After a start everybody is due: their polls begin so far apart, for the sake of Spotify's limit on requests.
_STARTS_APART_SECONDS = 0.05
_SLOW_SECONDS = 5.0
_RETRY_SECONDS = 60.0
_GRACE_SECONDS = 6.0
# Accounts whose plays go into the archive together.
_TOGETHER = 1_000
_log = logging.getLogger(__name__)

Report = Callable[[Account, Outcome], None]


def poll_once(accounts: Sequence[Account], report: Report) -> bool:
    """Poll each account once, all in parallel; whether all went well. ``report`` is called by one thread at a time."""
    reporter = _Reporter(report)
    _side_by_side(accounts, lambda account: reporter(account, account.poll()))
    return reporter.went_well == len(accounts)


def poll_together(accounts: Sequence[Account], report: Report, destination: Destination) -> bool:
    """As ``poll_once``, with everything published at once: an archive so gets one file a month, not one an account.

    Cursors move only then, and of more than a thousand accounts each thousand by itself: a run that is cut short has
    done something.
    """
    reporter = _Reporter(report)
    for begin in range(0, len(accounts), _TOGETHER):
        asked: dict[Account, Asked] = {}

        def ask(account: Account, asked: dict[Account, Asked] = asked) -> None:
            answer = account.ask()
            if isinstance(answer, Outcome):
                reporter(account, answer)
            else:
                asked[account] = answer

        _side_by_side(accounts[begin : begin + _TOGETHER], ask)
        trouble = _publish(list(asked.values()), destination)

        def finish(account: Account, asked: dict[Account, Asked] = asked, trouble: Exception | None = trouble) -> None:
            # Who had nothing new has nothing to do with what went wrong.
            is_concerned = asked[account].plays or asked[account].rejects
            reporter(account, account.finish(asked[account], trouble if is_concerned else None))

        _side_by_side(list(asked), finish)
    return reporter.went_well == len(accounts)


class _Reporter:
    """Reports outcomes one at a time, and counts those that went well."""

    def __init__(self, report: Report) -> None:
        self.went_well = 0
        self._report = report
        self._lock = threading.Lock()

    def __call__(self, account: Account, outcome: Outcome) -> None:
        with self._lock:
            self.went_well += outcome.trouble is None
            self._report(account, outcome)


def _publish(asked: Sequence[Asked], destination: Destination) -> Exception | None:
    """What went wrong, if something did."""
    plays = [play for each in asked for play in each.plays]
    rejects = [reject for each in asked for reject in each.rejects]
    try:
        if plays or rejects:
            destination.publish(plays, rejects)
    except Exception as error:
        return error
    return None


def _side_by_side(accounts: Sequence[Account], work: Callable[[Account], None]) -> None:
    waiting = deque(accounts)

    def work_on() -> None:
        while True:
            try:
                account = waiting.popleft()
            except IndexError:
                return
            work(account)

    for thread in _start(min(THREADS, len(accounts)), work_on):
        thread.join()


class Service:
    """Polls accounts again and again, in threads that end with the process if they have to."""

    def __init__(self, interval: timedelta, report: Report, now: Callable[[], float] | None = None) -> None:
        """``report`` is called by many threads at a time."""
        self._interval = interval.total_seconds()
        self._report = report
        self._now = now or SteadyClock()
        self._schedule = Schedule(THREADS // 2, self._now)
        self._threads: list[threading.Thread] = []
        self._is_stopping = False

    def add(self, accounts: Sequence[Account]) -> None:
        """Poll these accounts from now on."""
        now = self._now()
        for number, account in enumerate(accounts):
            # However many there are, all of them within half of the interval.
            self._schedule.add(ScheduledPoll(account, now + number * _STARTS_APART_SECONDS % (self._interval / 2)))
        self._threads += _start(min(len(accounts), THREADS - len(self._threads)), self._work)

    def stop(self) -> int:
        """Begin no poll any more, wait for those under way, and give back how many did not end in time.

        One that is cut short is as if it had not been: the cursor has not moved, and the next poll repeats it.
        """
        self._is_stopping = True
        self._schedule.close()
        patience_ends = time.monotonic() + _GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, patience_ends - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while poll := self._schedule.take():
            began = self._now()
            outcome = poll.account.poll()
            self._schedule.done(poll)
            if not outcome.is_over:
                self._schedule.add(self._next(poll, outcome, began))
            # What goes wrong because the service stops needs nobody's attention.
            if outcome.trouble is None or not self._is_stopping:
                self._report(poll.account, outcome)

    def _next(self, poll: ScheduledPoll, outcome: Outcome, began: float) -> ScheduledPoll:
        now = self._now()
        slow = now - began > _SLOW_SECONDS
        if outcome.trouble is None:
            # Counted from when it was due, so that polls don't drift.
            return ScheduledPoll(poll.account, max(now, poll.due + self._interval), slow=slow)
        seconds = self._interval
        if not outcome.needs_person:
            # Two polls that fail, ten minutes apart, come close to the time in which plays are lost.
            seconds = min(seconds, _RETRY_SECONDS * 2 ** min(poll.failures, 10) * random.uniform(0.75, 1.25))  # noqa: S311
        if outcome.retry_at:
            seconds = max(seconds, (outcome.retry_at - utc_now()).total_seconds())
        return replace(poll, due=now + seconds, failures=poll.failures + 1, slow=slow)


def _start(count: int, work: Callable[[], None]) -> list[threading.Thread]:
    # Daemons: one that waits for a slow answer must not keep the process from ending.
    threads = [threading.Thread(target=work, name=f"poll-{number}", daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads
