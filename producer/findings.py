"""What a check found, and checks run side by side within a time."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipelines.storage import StorageError
from producer.errors import ProducerError

_THREADS = 16


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


def run_all(checks: Sequence[tuple[str, Check]], seconds: float) -> list[Finding]:
    """The findings of all checks in their order; a problem for each that raises or does not end in time.

    A check has a subject, for those two cases.
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
            except (ProducerError, StorageError) as error:
                found[number] = [Finding(Level.PROBLEM, subject, str(error))]

    # Daemons, so that one that hangs does not keep the command from ending.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_THREADS, len(checks)))]
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    late = f"no answer within {seconds:.0f} seconds; check the network, and run the command again"
    return [
        finding
        for number, (subject, _) in enumerate(checks)
        for finding in found.get(number, [Finding(Level.PROBLEM, subject, late)])
    ]
