"""An import by the pages: the commands themselves, in processes of their own, one after the other.

First ``import --dry-run``, whose report is shown; then, if wanted, ``import`` and ``rebuild --months=changed``. There
is one at a time: whoever uploads another export ends the one before, if it is not being written.
"""

import os
import pty
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from pipelines.failure import Failure

# What the commands show of how far they are, on what they take for a terminal.
_PROGRESS = re.compile(r"(\w+) +[█░]+ +(\d+)%")
_LINE_ENDS = re.compile(r"[\r\n]+")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NEW = re.compile(r"of ([\d,]+) new plays?: this was a dry run")
_STEPS = {"reading": "Reading the export", "importing": "Importing", "tables": "Making the tables"}


@dataclass(frozen=True)
class Places:
    """What the commands are told: where plays go, and where what is known of them is."""

    archive: str
    warehouse: str
    state: str
    logins: str | None = None
    time_zone: str | None = None

    def reading(self, export: Path, user: str) -> list[str]:
        """The import's arguments."""
        named = {"archive": self.archive, "state": self.state, "logins": self.logins, "time-zone": self.time_zone}
        named["user"] = user or None
        return ["producer", "import", str(export), *(f"--{name}={text}" for name, text in named.items() if text)]

    def tables(self) -> list[str]:
        """The rebuild's."""
        zone = [f"--time-zone={self.time_zone}"] if self.time_zone else []
        places = [f"--archive={self.archive}", f"--warehouse={self.warehouse}"]
        return ["heavy_rotation", "rebuild", *places, *zone, "--months=changed"]


@dataclass(frozen=True)
class Job:
    """How far an import is: ``step`` is reading, read, importing, tables, done or failed, ``percent`` how far in it.

    ``report`` is what the dry run said, and the import after it; ``new`` how many plays it would write.
    """

    key: str
    user: str
    step: str = "reading"
    percent: int | None = None
    report: str = ""
    new: int = 0
    error: str = ""
    began: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether a command is at work."""
        return self.step in _STEPS

    @property
    def doing(self) -> str:
        """The step, for a person."""
        return _STEPS.get(self.step, "")


class Importing:
    """The one import of a server. For any number of threads. ``close`` ends it and removes the export."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._export: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def job(self, key: str | None = None) -> Job | None:
        """The import there is, if it has this key."""
        with self._lock:
            return self._job if self._job and key in (None, self._job.key) else None

    def take(self, upload: IO[bytes], name: str, user: str, places: Places) -> Job:
        """Keep an export, and begin to read it. Raises Failure while another one is being written."""
        with self._lock:
            if self._job and self._job.step in ("importing", "tables"):
                raise Failure("Another import is at work; come back when it is done.")
        self.close()
        folder = Path(tempfile.mkdtemp(prefix="heavy-rotation-import-"))  # nobody else's to read
        export = folder / ("export.json" if name.lower().endswith(".json") else "export.zip")
        with export.open("xb") as file:
            shutil.copyfileobj(upload, file)
        job = Job(secrets.token_urlsafe(12), user, began=time.monotonic())
        with self._lock:
            self._job, self._export = job, export
        self._start(lambda: self._read(job, places))
        return job

    def write(self, key: str, places: Places) -> Job:
        """Import what was read. Raises Failure where there is nothing of the kind."""
        with self._lock:
            job = self._job
            if job is None or job.key != key or job.step != "read":
                raise Failure("There is no export that was read and waits; choose it again.")
            self._job = job = replace(job, step="importing", percent=None)
        self._start(lambda: self._write(job, places))
        return job

    def close(self) -> None:
        """End what runs, and remove the export. What an import has written by then is whole."""
        with self._lock:
            process, thread, export = self._process, self._thread, self._export
            self._job = self._export = self._process = None
        if process:
            process.terminate()
        if thread and thread is not threading.current_thread():
            thread.join(20)
        if export:
            shutil.rmtree(export.parent, ignore_errors=True)

    def _start(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name="import", daemon=True)
        self._thread.start()

    def _read(self, job: Job, places: Places) -> None:
        assert self._export
        code, said, error = self._run(job.key, [*places.reading(self._export, job.user), "--dry-run"])
        found = _NEW.search(said)
        new = int(found[1].replace(",", "")) if found else 0
        report = said.partition("\n\nnext: ")[0].rstrip()
        self._now(job.key, step="failed" if code else "read", report=report, new=new, error=error if code else "")

    def _write(self, job: Job, places: Places) -> None:
        export = self._export
        assert export
        code, said, error = self._run(job.key, places.reading(export, job.user))
        shutil.rmtree(export.parent, ignore_errors=True)  # a person's file, which nobody needs any more
        if code:
            self._now(job.key, step="failed", error=error)
            return
        self._now(job.key, step="tables", percent=None, report=said.partition("\n\nnext: ")[0].rstrip())
        code, _, error = self._run(job.key, places.tables())
        why = f"The plays are in the archive, but their tables were not made: {error}" if code else ""
        self._now(job.key, step="failed" if code else "done", error=why)

    def _now(self, key: str, **changed: object) -> None:
        with self._lock:
            if self._job and self._job.key == key:
                self._job = replace(self._job, **changed)  # type: ignore[arg-type]

    def _run(self, key: str, arguments: Sequence[str]) -> tuple[int, str, str]:
        """Exit code, standard output, and what was said of an error."""
        # On a terminal the commands show how far they are.
        ours, theirs = pty.openpty()
        with self._lock:
            if not (self._job and self._job.key == key):
                os.close(ours)
                os.close(theirs)
                return 130, "", "it was ended"
            environment = os.environ | {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=theirs,
                env=environment,
                encoding="utf-8",
                start_new_session=True,
            )
        os.close(theirs)
        told: list[str] = []
        listening = threading.Thread(target=self._listen, args=(key, ours, told), daemon=True)
        listening.start()
        said, _ = process.communicate()
        listening.join(5)
        lines = [line for line in told if line.strip()]
        begins = next((number for number, line in enumerate(lines) if line.startswith("error: ")), len(lines) - 1)
        return process.returncode, said, " ".join(lines[begins:]).removeprefix("error: ") or "it said nothing"

    def _listen(self, key: str, handle: int, told: list[str]) -> None:
        """Read what a command says on its terminal, until it has ended; lines, the last of them perhaps unfinished."""
        rest = ""
        with os.fdopen(handle, "rb", buffering=0) as terminal:
            while True:
                try:
                    data = terminal.read(4096)
                except OSError:  # how a terminal's end is told
                    data = b""
                text = _ESCAPES.sub("", rest + data.decode("utf-8", "replace"))
                *lines, rest = _LINE_ENDS.split(text)
                told += [line for line in lines if not _PROGRESS.search(line)]
                if found := _PROGRESS.findall(text):
                    self._now(key, percent=int(found[-1][1]))
                if not data:
                    if rest and not _PROGRESS.search(rest):
                        told.append(rest)
                    return
