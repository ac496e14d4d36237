"""``python -m tests.siege.hostile --cases N``: so many cases for each parser that reads what others wrote.

Each parser runs in a process of its own with 2 GB of address space beyond what is loaded, and seconds for a case.
Hypothesis draws and shrinks cases; what it finds prints itself as a test to keep.
"""

import argparse
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.siege import product
from tests.siege.apart import FailedError, begin
from tests.siege.hostile import PARSERS

_SECONDS_A_CASE = 20
_MEMORY = 2 << 30
# Of what takes long, fewer.
_SHARE = {"zips": 4, "queries": 20, "api": 10, "sources": 4, "archive_columns": 2, "states": 2}


def attack(name: str, cases: int) -> int:
    """Feed so many cases; how many there were. Raises what Hypothesis found, shrunk."""
    strategy, feed = PARSERS[name]()
    fed = 0

    def one(case: Any) -> None:
        nonlocal fed
        fed += 1
        with _within(_SECONDS_A_CASE):
            feed(case)

    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (loaded + _MEMORY, resource.RLIM_INFINITY))
    # The same cases whenever it is run: a find can be repeated.
    settings(
        max_examples=max(1, cases // _SHARE.get(name, 1)),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(one))()
    return fed


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"a case takes longer than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser("python -m tests.siege.hostile", description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=3000, help="for each parser, of those that take long a part (default: 3000)"
    )
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only these (default: all)")
    options = parser.parse_args(arguments)
    product.preload()
    failures = 0
    for name in options.parser or PARSERS:
        began = time.monotonic()
        try:
            fed = begin(attack, name, options.cases).wait(3600)
            print(f"{name:16}{fed:>8,} cases  {time.monotonic() - began:5.0f} s  nothing found", flush=True)
        except FailedError as error:
            failures += 1
            print(f"{name:16} FOUND\n{str(error)[-3000:]}", flush=True)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
