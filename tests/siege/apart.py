"""Work in a process of its own, that may be killed at the worst moments: before a chosen touch of a file.

A fork begins in milliseconds with all modules loaded. Whoever forks must have no threads: this process only loads
modules and never works with them itself.
"""

import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TOUCHES = {
    "open",
    "os.rename",
    "os.remove",
    "os.link",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.scandir",
    "os.listdir",
}


class FailedError(AssertionError):
    """The work raised; the text has its traceback."""


@dataclass(slots=True)
class Work:
    """Work that has begun in a process of its own."""

    process: int
    answer: int
    name: str
    touches: int = 0  # of files under the folder, once it has ended

    def wait(self, seconds: float = 120) -> Any:
        """What it gave back; ``KILLED`` where it was. Raises FailedError where it raised, or takes longer."""
        ends, data = time.monotonic() + seconds, b""
        try:
            while True:
                left = ends - time.monotonic()
                if left <= 0 or not select.select([self.answer], [], [], left)[0]:
                    raise FailedError(f"{self.name}: not within {seconds} s")
                part = os.read(self.answer, 1 << 20)
                if not part:
                    break
                data += part
        finally:
            self.kill()
        if not data:
            return KILLED
        ended_well, value, self.touches = pickle.loads(data)  # noqa: S301  our own child's
        if not ended_well:
            raise FailedError(f"{self.name}: {value}")
        return value

    def kill(self) -> None:
        """End it, however far it is, and clear up after it."""
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.answer)


class _Killed:
    def __repr__(self) -> str:
        return "KILLED"


KILLED: Any = _Killed()


def begin(
    work: Callable[..., Any],
    *arguments: Any,
    kill_at: int | None = None,
    folder: Path | None = None,
    log: Path | None = None,
) -> Work:
    """Begin it; with ``kill_at`` it kills itself before the so-many-th touch of a file under ``folder``.

    What it prints goes to ``log``, or nowhere.
    """
    reading, writing = os.pipe()
    name = getattr(work, "__name__", str(work))
    process = os.fork()
    if process:
        os.close(writing)
        return Work(process, reading, name)
    bomb = _Bomb(kill_at, str(folder))
    try:
        os.close(reading)
        _redirect(log)
        if folder:
            sys.addaudithook(bomb)
        value = True, work(*arguments), bomb.touches
    except BaseException:  # SystemExit too
        value = False, traceback.format_exc(), bomb.touches
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(pickle.dumps(value))
    os._exit(0)


class _Bomb:
    """Counts touches of files under a folder, and kills this process before one of them."""

    def __init__(self, kill_at: int | None, folder: str) -> None:
        self.kill_at = kill_at
        self.folder = folder
        self.touches = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _TOUCHES and any(self._is_ours(one) for one in arguments[:2]):
            if self.touches == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.touches += 1

    def _is_ours(self, what: Any) -> bool:
        return isinstance(what, str | os.PathLike) and os.fspath(what).startswith(self.folder)


def _redirect(log: Path | None) -> None:
    to = os.open(log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(to, 1)
    os.dup2(to, 2)
    os.close(to)
