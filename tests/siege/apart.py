"""Work in a process of its own, killed or made to stand still at the worst moments: before a chosen touch of a file.

A fork begins in milliseconds with all modules loaded. Whoever forks must have no threads: this process only loads
modules and never works with them itself.
"""

import ctypes
import faulthandler
import itertools
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
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


_CLONE_NEWNS = 0x20000
# What only looks at files is a touch too, but no moment to lose anything.
_WRITES = _TOUCHES - {"open", "os.scandir", "os.listdir"}


class FailedError(AssertionError):
    """The work raised; the text has its traceback."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Before the ``touch``-th touch of a file under ``folder``, or, with ``writes``, of one that changes something."""

    touch: int
    folder: Path
    writes: bool = False
    sends: signal.Signals = signal.SIGKILL  # which the process sends to itself then


@dataclass(slots=True)
class Work:
    """Work that has begun in a process of its own."""

    process: int
    answer: int
    name: str
    touches: int = 0  # of files under the moment's folder, once it has ended
    is_cleared: bool = False

    def wait(self, seconds: float = 120) -> Any:
        """What it gave back; ``KILLED`` where it was. Raises FailedError where it raised, or takes longer."""
        ends, data = time.monotonic() + seconds, b""
        try:
            while True:
                left = ends - time.monotonic()
                if left <= 0 or not select.select([self.answer], [], [], left)[0]:
                    self.send(signal.SIGCONT)
                    self.send(signal.SIGABRT)  # what each of its threads does is in the log then
                    self.ends_within(5)
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

    @property
    def has_ended(self) -> bool:
        """Whether it has, by itself or killed."""
        return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def stands_still(self, seconds: float = 60) -> bool:
        """Wait until it does, at its moment. False where it ended before."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if state := os.waitid(os.P_PID, self.process, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return state.si_code == os.CLD_STOPPED
            time.sleep(0.002)
        self.kill()
        raise FailedError(f"{self.name}: neither stopped nor ended within {seconds} s")

    def ends_within(self, seconds: float) -> bool:
        """Wait until it has ended."""
        ends = time.monotonic() + seconds
        while not self.has_ended and time.monotonic() < ends:
            time.sleep(0.01)
        return self.has_ended

    def send(self, which: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if not self.has_ended:
            os.kill(self.process, which)

    def kill(self) -> None:
        """End it, however far it is, and clear up after it; once is enough."""
        if not self.is_cleared:
            self.is_cleared = True
            os.kill(self.process, signal.SIGKILL)  # it is there until it is waited for
            os.waitpid(self.process, 0)
            os.close(self.answer)


class _Killed:
    def __repr__(self) -> str:
        return "KILLED"


KILLED: Any = _Killed()


def begin(
    work: Callable[..., Any],
    *arguments: Any,
    moment: Moment | None = None,
    log: Path | None = None,
) -> Work:
    """Begin it; at ``moment`` it sends itself that signal. What it prints goes to ``log``, or nowhere."""
    reading, writing = os.pipe()
    name = getattr(work, "__name__", str(work))
    process = os.fork()
    if process:
        os.close(writing)
        return Work(process, reading, name)
    bomb = _Bomb(moment)
    try:
        os.close(reading)
        _redirect(log)
        faulthandler.enable()
        if moment:
            sys.addaudithook(bomb)
        value = True, work(*arguments), bomb.touches
    except BaseException:  # SystemExit too
        value = False, traceback.format_exc(), bomb.touches
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(pickle.dumps(value))
    os._exit(0)


class _Bomb:
    """Counts touches of files, and sends this process its signal before one of them."""

    def __init__(self, moment: Moment | None) -> None:
        self.moment = moment
        self.folder = str(moment.folder) if moment else ""
        self.touches = 0
        self._numbers = itertools.count()  # any number of threads may touch at once, and one of them is the one

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _TOUCHES or not self.moment or not any(self._is_ours(one) for one in arguments[:2]):
            return
        if self.moment.writes and event not in _WRITES and not _opens_to_write(event, arguments):
            return
        number = next(self._numbers)
        self.touches = number + 1
        if number == self.moment.touch:
            os.kill(os.getpid(), self.moment.sends)

    def _is_ours(self, what: Any) -> bool:
        return isinstance(what, str | os.PathLike) and os.fspath(what).startswith(self.folder)


def _opens_to_write(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))


def _redirect(log: Path | None) -> None:
    to = os.open(log or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(to, 1)
    os.dup2(to, 2)
    os.close(to)


def own_mounts() -> None:
    """What this process mounts from now on is seen by it and its children alone, and goes with them, however they end.

    Where that is not allowed, mounting is not either.
    """
    if ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0:
        subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True)
