"""The demonstration's child processes: started one by one, and all of them ended, however it ends."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

# The stream finishes what it has read when asked to end; a blocked pull of Google's emulator holds it longest.
_PATIENCE_SECONDS = 60
Server = TypeVar("Server")


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

    def wait_for(self, sign: str, seconds: float) -> bool:
        """Wait until it has said this, in its log; False where it has not in so many seconds, or has ended."""
        ends = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < ends:
            if sign in self.log.read_text(encoding="utf-8", errors="replace"):
                return True
            time.sleep(0.1)
        return False

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


def serve(server: Callable[[], AbstractContextManager[Server]], told: Callable[[Server], Iterable[str]]) -> int:
    """Run a server by itself until it is asked to end, and return the exit code; ``told`` is printed when it is up.

    What keeps it from starting is one line on stderr.
    """
    stopped = stop_requested()
    try:
        with server() as running:
            print("\n".join(told(running)), flush=True)
            stopped.wait()
    except OSError as error:
        print(f"error: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


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
