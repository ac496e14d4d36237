"""``python -m tests.siege.hostile``: as many cases as fit into the time, for each parser that reads what others wrote.

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
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.siege import product
from tests.siege.apart import FailedError, begin
from tests.siege.hostile import PARSERS

_SECONDS_A_CASE = 20
_MEMORY = 2 << 30
_AT_ONCE = 2
_LONGEST_SEED_SECONDS = 600
# Cases of one seed: the same whenever it is run, so that a find can be repeated. They are drawn many together: to
# Hypothesis each draw costs a millisecond, and most parsers take less.
_A_SEED, _TOGETHER = 1000, 20
# Those that take longer are drawn one by one, so many of one seed, and have so many times the share of time.
_SLOW = {
    "api": (30, 4),
    "queries": (60, 4),
    "sources": (60, 3),
    "zips": (60, 3),
    "exports": (100, 1),
    "archive_columns": (200, 1),
}


def attack(name: str, first_seed: int, ends: float) -> tuple[int, int]:
    """Feed cases, seed by seed, until the time is up (monotonic seconds), of one seed at least: how many there were,
    and how many seeds. Raises what Hypothesis found, shrunk."""
    strategy, feed = PARSERS[name]()
    fed = seed_number = 0

    def some(cases: list[Any]) -> None:
        nonlocal fed
        for case in cases:
            fed += 1
            try:
                with _within(_SECONDS_A_CASE):
                    feed(case)
            except Exception as error:
                error.add_note(f"the case: {case!r}"[:2000])
                raise

    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (loaded + _MEMORY, resource.RLIM_INFINITY))
    together = 1 if name in _SLOW else _TOGETHER
    how = settings(
        max_examples=_SLOW[name][0] if name in _SLOW else _A_SEED // _TOGETHER,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    for seed_number in count(first_seed):
        try:
            seed(seed_number)(how(given(st.lists(strategy, min_size=together, max_size=together))(some)))()
        except BaseException as error:
            error.add_note(f"again: python -m tests.siege.hostile --parser {name} --first-seed {seed_number}")
            raise
        if time.monotonic() >= ends:
            break
    return fed, seed_number - first_seed + 1


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


def _share(name: str) -> int:
    """Of time, beside the others."""
    return _SLOW[name][1] if name in _SLOW else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser("python -m tests.siege.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="for all parsers together (default: 120)")
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only these (default: all)")
    parser.add_argument("--first-seed", type=int, default=1, help="begin with this one (default: 1)")
    options = parser.parse_args(arguments)
    product.preload()
    names = sorted(options.parser or PARSERS, key=_share)  # those side by side have one share
    rounds = [names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE)]
    unit = options.seconds / sum(max(map(_share, some)) for some in rounds)
    failures = cases = 0
    for some in rounds:
        each = unit * max(map(_share, some))
        ends = time.monotonic() + each
        works = {name: begin(attack, name, options.first_seed, ends) for name in some}
        for name, work in works.items():
            try:
                fed, seeds = work.wait(each + _LONGEST_SEED_SECONDS)
                print(f"{name:18}{fed:>8,} cases of {seeds:>4,} seeds  nothing found", flush=True)
                cases += fed
            except FailedError as error:
                failures += 1
                print(f"{name:18} FOUND\n{str(error)[-3000:]}", flush=True)
    print(f"{cases:,} cases, {failures} parsers with something found")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
