"""Whose turn it is: accounts by the time at which they are due, for threads that take what is due.

Times are seconds of a clock that only goes forward (``Steady``).
"""

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from producer.polling.account import Account

# A machine that slept is noticed within so long.
_LONGEST_WAIT_SECONDS = 15.0


class Steady:
    """Seconds that never go back when the clock is set, and go on while the machine sleeps."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Now. Of the clocks, one stands still in a sleeping machine, and one may be set."""
        self._ahead = max(self._ahead, time.time() - time.monotonic())
        return time.monotonic() + self._ahead


@dataclass(frozen=True, slots=True)
class Turn:
    """An account's next turn. ``failures`` is how often it went wrong since it last went well.

    A ``slow`` one took long the last time, as trouble does.
    """

    account: Account
    due: float
    failures: int = 0
    slow: bool = False


class Schedule:
    """Turns, earliest first. Slow ones never take all threads, so that the others are not delayed by them."""

    def __init__(self, slow_at_once: int, now: Callable[[], float]) -> None:
        """At most ``slow_at_once`` slow turns are under way at a time."""
        self._slow_at_once = slow_at_once
        self._now = now
        self._changed = threading.Condition()
        self._waiting: dict[bool, list[tuple[float, int, Turn]]] = {False: [], True: []}
        self._slow_under_way = 0
        self._number = 0
        self._is_closed = False

    def add(self, turn: Turn) -> None:
        """Put a turn on the schedule."""
        with self._changed:
            self._number += 1
            heapq.heappush(self._waiting[turn.slow], (turn.due, self._number, turn))
            self._changed.notify()

    def take(self) -> Turn | None:
        """Wait for the next turn that is due; None once there is none to come. Give it back with ``done``."""
        with self._changed:
            while not self._is_closed:
                queues = [queue for slow, queue in self._waiting.items() if queue and self._may_start(slow)]
                queue = min(queues, default=[], key=lambda queue: queue[0])
                seconds = queue[0][0] - self._now() if queue else _LONGEST_WAIT_SECONDS
                if seconds <= 0:
                    _, _, turn = heapq.heappop(queue)
                    self._slow_under_way += turn.slow
                    return turn
                self._changed.wait(min(seconds, _LONGEST_WAIT_SECONDS))
        return None

    def done(self, turn: Turn) -> None:
        """Say that a turn taken is over."""
        if turn.slow:
            with self._changed:
                self._slow_under_way -= 1
                self._changed.notify()

    def close(self) -> None:
        """No more turns: ``take`` gives None from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _may_start(self, slow: bool) -> bool:
        return not slow or self._slow_under_way < self._slow_at_once
