"""Which account is polled next: a queue of polls by the time at which they are due, shared by threads.

Times are seconds of a clock that never goes back (``SteadyClock``).
"""

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from producer.polling.account import Account

# How long a machine that was suspended goes unnoticed after it wakes.
_LONGEST_WAIT_SECONDS = 15.0


class SteadyClock:
    """Seconds that never go back when the clock is set, and go on while the machine is suspended."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Now. The wall clock may be set back; the monotonic one stops while the machine is suspended."""
        self._ahead = max(self._ahead, time.time() - time.monotonic())
        return time.monotonic() + self._ahead


@dataclass(frozen=True, slots=True)
class ScheduledPoll:
    """An account's next poll. ``failures`` counts those that failed since one last went well.

    A ``slow`` one took long the last time, as one does that runs into trouble.
    """

    account: Account
    due: float
    failures: int = 0
    slow: bool = False


class Schedule:
    """Polls, earliest first. Slow ones never occupy all threads, so that they don't delay the others."""

    def __init__(self, slow_at_once: int, now: Callable[[], float]) -> None:
        """At most ``slow_at_once`` slow polls are under way at a time."""
        self._slow_at_once = slow_at_once
        self._now = now
        self._changed = threading.Condition()
        self._waiting: dict[bool, list[tuple[float, int, ScheduledPoll]]] = {False: [], True: []}
        self._slow_under_way = 0
        self._number = 0
        self._is_closed = False

    def add(self, poll: ScheduledPoll) -> None:
        """Put a poll on the schedule."""
        with self._changed:
            self._number += 1
            heapq.heappush(self._waiting[poll.slow], (poll.due, self._number, poll))
            self._changed.notify()

    def take(self) -> ScheduledPoll | None:
        """Wait until a poll is due, and take it; None once no more will come. Say with ``done`` when it is over."""
        with self._changed:
            while not self._is_closed:
                queues = [queue for slow, queue in self._waiting.items() if queue and self._may_start(slow)]
                queue = min(queues, default=[], key=lambda queue: queue[0])
                seconds = queue[0][0] - self._now() if queue else _LONGEST_WAIT_SECONDS
                if seconds <= 0:
                    _, _, poll = heapq.heappop(queue)
                    self._slow_under_way += poll.slow
                    return poll
                self._changed.wait(min(seconds, _LONGEST_WAIT_SECONDS))
        return None

    def done(self, poll: ScheduledPoll) -> None:
        """Say that a poll that was taken is over."""
        if poll.slow:
            with self._changed:
                self._slow_under_way -= 1
                self._changed.notify()

    def close(self) -> None:
        """Hand out no more polls: ``take`` gives None from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _may_start(self, slow: bool) -> bool:
        return not slow or self._slow_under_way < self._slow_at_once
