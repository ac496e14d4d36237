"""Tables that follow an archive: after polls that found something, a rebuild of the months that have changed."""

import logging
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Self

from pipelines.domain.month import Calendar
from pipelines.failure import Failure

_GRACE_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of an archive, as ``heavy-rotation rebuild`` is told of them."""

    archive: str
    warehouse: str
    calendar: Calendar

    @property
    def command(self) -> list[str]:
        """A process of its own: whoever only polls does not need Beam."""
        places = [f"--archive={self.archive}", f"--warehouse={self.warehouse}"]
        zone = f"--time-zone={self.calendar.time_zone}"
        return [sys.executable, "-m", "heavy_rotation", "rebuild", *places, zone, "--months=changed"]

    def update(self) -> None:
        """Make them follow now. Raises Failure with the last line that the rebuild said."""
        with _start(self.command) as process:
            try:
                _, said = process.communicate()
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            [last] = said.strip().splitlines()[-1:] or ["it said nothing"]
            why = last.removeprefix("error: ")
            raise Failure(f"the plays are in the archive, but their tables were not made: {why}")


class TablesFollow:
    """Brings the tables up to date in the background: once at first, then whenever ``found`` was called meanwhile.

    A rebuild that fails, or is cut short, harms nothing: the next one does its work too.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._wanted = threading.Event()
        self._wanted.set()  # what the last process found may not be there yet
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, name="tables", daemon=True)

    def found(self) -> None:
        """A poll found something."""
        self._wanted.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, also a rebuild that is at work."""
        self._stopping.set()
        self._wanted.set()
        with self._lock:
            if self._process:
                self._process.send_signal(signal.SIGINT)
        self._thread.join(_GRACE_SECONDS)
        if self._process:
            self._process.kill()
        self._thread.join(_GRACE_SECONDS)

    def _follow(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = _start(self._tables.command)
            _, said = self._process.communicate()
            if self._stopping.is_set():
                return
            last = said.strip().splitlines()[-1:] or ["it said nothing"]
            if self._process.returncode:
                _log.error("the tables are not up to date: %s", last[0])
            else:
                _log.info("tables: %s", last[0])


def _start(command: list[str]) -> subprocess.Popen[str]:
    # In a session of its own, so that Ctrl-C reaches it once, through us.
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
