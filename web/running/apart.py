"""Queries of who asks over the web: each with an end to its time, its memory and its rows.

A folder's runs in a process of its own, which is killed when its time is over. One is kept ready, since loading what
it needs takes longer than most queries. BigQuery keeps its limits itself.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow as pa

from pipelines.failure import Failure
from pipelines.querying.limits import default_megabytes
from pipelines.warehouse.bigquery import SCHEME
from web.running.answers import Answer
from web.running.worker import ANSWER, NUMBER

MOST_ROWS = 100_000
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take: seconds, megabytes of memory of this machine, bytes that BigQuery bills."""

    seconds: int = 30
    megabytes: int = default_megabytes()
    bytes_billed: int = 2**30


class BusyError(Failure):
    """As many queries run as may; the text says to try again."""


class Runner:
    """Runs the queries of one warehouse. For any number of threads; some must wait for their turn and are told so."""

    def __init__(self, warehouse: str, limits: Limits | None = None) -> None:
        self._warehouse, self._limits = warehouse, limits or Limits()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._ready: subprocess.Popen[bytes] | None = None
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

    def run(self, sql: str, rows: int = MOST_ROWS) -> Answer:
        """The first ``rows`` of one SELECT in BigQuery's SQL. Raises BusyError, and Failure with the engine's words."""
        if not self._turns.acquire(timeout=self._limits.seconds / 3):
            raise BusyError("Other queries are running; ask again in a moment.")
        try:
            if self._warehouse.startswith(SCHEME):
                return self._of_bigquery(sql, rows)
            return self._of_folder(sql, rows)
        finally:
            self._turns.release()

    def close(self) -> None:
        """End what runs, and what is kept ready."""
        with self._lock:
            self._is_closed = True
            left = {*self._running, *([self._ready] if self._ready else [])}
            self._ready = None
        for process in left:
            _end(process)

    def _of_folder(self, sql: str, rows: int) -> Answer:
        seconds, megabytes = self._limits.seconds, self._limits.megabytes
        asked = {"warehouse": self._warehouse, "sql": sql, "rows": rows, "seconds": seconds, "megabytes": megabytes}
        with self._process() as process:
            try:
                said, _ = process.communicate(json.dumps(asked).encode() + b"\n", timeout=seconds)
            except subprocess.TimeoutExpired:
                raise Failure(f"The query took more than {seconds} seconds, which is as long as it may here.") from None
        if said[:1] == ANSWER and process.returncode == 0:
            [found] = NUMBER.unpack(said[1 : 1 + NUMBER.size])
            return Answer(pa.ipc.open_stream(pa.py_buffer(said)[1 + NUMBER.size :]).read_all(), found)
        if said[:1] and process.returncode == 0:
            raise Failure(said[1:].decode())
        # Where memory ends, libraries end the process.
        raise Failure(f"The query needs more than {megabytes:,} MB of memory, which is what it may have here.")

    def _of_bigquery(self, sql: str, rows: int) -> Answer:
        from web.running.bigquery import run

        return run(self._warehouse, sql, rows, seconds=self._limits.seconds, bytes_billed=self._limits.bytes_billed)

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        """One that is ready or will be in a moment; afterwards another takes its place."""
        with self._lock:
            if self._is_closed:
                raise BusyError("The server is ending.")
            process, self._ready = self._ready or _start(), None
            self._running.add(process)
        try:
            yield process
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)
                if not self._is_closed and self._ready is None:
                    self._ready = _start()


def _start() -> subprocess.Popen[bytes]:
    # In a session of its own, so that Ctrl-C reaches it once, through us.
    return subprocess.Popen(
        [sys.executable, "-m", "web.running.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()
    process.wait()
