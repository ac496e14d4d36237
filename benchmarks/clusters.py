"""Engines of their own that a rebuild is given to: a Dask cluster of processes on this machine, and Beam's Prism."""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.process import BenchmarkError
from demo.processes import Process

ROOT = Path(__file__).parents[1]
_PATIENCE_SECONDS = 120
_HERE = ("--host", "127.0.0.1", "--no-dashboard")
# Workers would each use all cores otherwise, as if they had a machine of their own.
_ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


class DaskCluster:
    """A scheduler and workers of one thread each, as processes; a folder takes their logs and what they spill."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder = folder
        self._count = workers
        self._stack = ExitStack()
        self.workers: list[Process] = []
        self.scheduler: Process | None = None

    @property
    def options(self) -> list[str]:
        """What the command is given to run here."""
        return ["--runner=DaskRunner", f"--dask_client_address={self._address()}", "--dask_npartitions=8"]

    @property
    def pids(self) -> list[int]:
        """Of the scheduler and the workers that run."""
        return [each.pid for each in (self.scheduler, *self.workers) if each and each.is_running()]

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "scheduler.json"
        with self._stack:
            self.scheduler = self._start(
                "scheduler", "--port", "0", "--no-jupyter", "--scheduler-file", str(file), *_HERE
            )
            self._wait(self._address, "scheduler")
            for _ in range(self._count):
                self.add_worker()
            for number in range(self._count):
                log = self._folder / f"worker{number}.log"
                if not self.workers[number].wait_for("Registered to", _PATIENCE_SECONDS):
                    raise BenchmarkError(f"{log.stem} of Dask did not come up: {log.read_text()[-1000:]}")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._stack.close()

    def add_worker(self) -> None:
        """One more, which is there some seconds later."""
        options = [*self._worker(), *_HERE]
        self.workers.append(self._start("worker", *options, log=f"worker{len(self.workers)}"))

    def _address(self) -> str | None:
        """The scheduler's, once it has told it whole: its file is there, empty, before it is written."""
        try:
            about = json.loads((self._folder / "scheduler.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return str(about["address"])

    def _worker(self) -> list[str]:
        file = self._folder / "scheduler.json"
        return [
            *("--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"),
            *("--death-timeout", str(_PATIENCE_SECONDS), "--local-directory", str(self._folder)),
        ]

    def _start(self, what: str, *options: str, log: str | None = None) -> Process:
        environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": str(ROOT)}
        process = Process(["-m", "dask", what, *options], environment, self._folder / f"{log or what}.log")
        return self._stack.enter_context(process)

    def _wait(self, is_there: Callable[[], object], what: str) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while not is_there():
            if time.monotonic() > until:
                raise BenchmarkError(f"the {what} of Dask did not come up: see {self._folder}")
            time.sleep(0.05)


def prism() -> Path | None:
    """Beam's Prism: ``make prism`` puts it there; another may be named by BEAM_PRISM. None where there is none.

    Not whatever is called ``prism`` on the path: other programs are, too.
    """
    named = Path(os.environ.get("BEAM_PRISM", ROOT / ".tools" / "prism" / "prism"))
    return named if named.exists() else None


def prism_options() -> list[str] | None:
    """What the command is given to run on Prism, which it starts and ends; None where there is none."""
    found = prism()
    return [f"--prism_location={found}", "--runner=PrismRunner"] if found else None
