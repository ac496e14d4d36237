"""The demonstration's child processes: started one by one, and all of them ended, however it ends."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# The stream finishes what it has read when asked to end; a blocked pull of Google's emulator holds it longest.
_PATIENCE_SECONDS = 60


class Process:
    """A command of the project running beside the demonstration, in a process group of its own.

    So Ctrl-C reaches the demonstration alone, which then ends its processes in order.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._arguments = arguments
        self._environment = environment

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number, which is also that of its group."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, wait until it has, and return its exit code; in the end it is killed."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_PATIENCE_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Self:
        with _held_back() as interrupts, self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if interrupts:
            self.stop()
            raise KeyboardInterrupt
        return self

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        if self.is_running():
            self.stop()


def stop_requested() -> threading.Event:
    """What Ctrl-C and SIGTERM set from now on; for servers that are run by themselves."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


@contextmanager
def _held_back() -> Iterator[list[int]]:
    """Collect what Ctrl-C sends: in the middle of a start, it would leave a process that nobody ends."""
    held: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, usual)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command of the project in the foreground, on this terminal, and return its exit code."""
    return subprocess.run([sys.executable, *arguments], env=dict(environment), check=False).returncode
