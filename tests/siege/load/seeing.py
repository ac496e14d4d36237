"""Who looks at the top tens while they are written, and says how soon after its publication each play is in them."""

import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.siege.load.listeners import Whose

_LOOK_SECONDS = 0.1


class Seeing:
    """``seen`` has, by user and month, when (monotonic seconds) how many plays were in the ten for the first time.

    Use it as a context manager: it looks in a thread of its own, at each file of ``top_ten_snapshots`` once.
    """

    def __init__(self, warehouse: Path) -> None:
        self.seen: dict[Whose, list[tuple[float, int]]] = defaultdict(list)
        self._table = warehouse / "top_ten_snapshots"
        self._files: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Seeing":
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def plays(self) -> int:
        """How many plays are in the tens of all users and months."""
        return sum(of[-1][1] for of in list(self.seen.values()))

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for path in self._table.glob("month=*/[!.]*.parquet"):
                if path.name not in self._files:
                    with suppress(OSError, pa.ArrowException):  # it went, and comes no more
                        self._read(path)
                    self._files.add(path.name)

    def _read(self, path: Path) -> None:
        rows = pq.read_table(path, columns=["user_id", "month", "kind", "plays_in_month"], partitioning=None)
        now = time.monotonic()
        for row in rows.to_pylist():
            of = self.seen[row["user_id"], f"{row['month']:%Y-%m}"]
            if row["kind"] == "track" and (not of or row["plays_in_month"] > of[-1][1]):
                of.append((now, row["plays_in_month"]))


def waits(published: dict[Whose, list[float]], seen: dict[Whose, list[tuple[float, int]]], since: float) -> list[float]:
    """Seconds from publishing to being seen, of each play that was published from ``since`` on and is seen by now."""
    found = []
    for whose, times in published.items():
        steps = iter(seen.get(whose, []))
        at, count = next(steps, (0.0, 0))
        for number, when in enumerate(times, start=1):
            while count < number and (step := next(steps, None)):
                at, count = step
            if count >= number and when >= since:
                found.append(at - when)
    return found
