"""What a check found, and checks run side by side within a time."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipelines.failure import Failure

THREADS = 16


class Level(StrEnum):
    """How bad it is: a problem needs a person, a warning will or may."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what it is about, what was found, and the remedy."""

    level: Level
    subject: str
    text: str

    def __str__(self) -> str:
        """The line."""
        return f"{self.level:<8} {self.subject}: {self.text}"


Check = Callable[[], Sequence[Finding]]


def run_all(checks: Sequence[tuple[str, Check]], ends: float) -> list[Sequence[Finding]]:
    """What each check found, in their order; a problem where it raises, or has not ended by then.

    A check has a subject, for those two cases. ``ends`` is a time of ``time.monotonic``.
    """
    found: dict[int, Sequence[Finding]] = {}
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(checks)):
        todo.put(number)

    def work() -> None:
        while True:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            subject, check = checks[number]
            try:
                found[number] = check()
            except Failure as error:
                found[number] = [Finding(Level.PROBLEM, subject, str(error))]

    # Daemons, so that one that hangs does not keep the command from ending.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(checks)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    late = "no answer in time; check the network, and run the command again"
    return [found.get(number, [Finding(Level.PROBLEM, subject, late)]) for number, (subject, _) in enumerate(checks)]
