"""Seeds, lived through one after another in some processes, and what came of them."""

import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult
from pathlib import Path

from tests.siege import product
from tests.siege.apart import own_mounts
from tests.siege.paths import PATHS


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of one seed on one path: ``wrong`` is None where all was right."""

    path: str
    seed: int
    figures: Counter[str] = field(default_factory=Counter)
    wrong: str | None = None

    @property
    def again(self) -> str:
        """The command that lives through it again."""
        return f"python -m tests.siege --path {self.path} --seed {self.seed}"


def live(path: str, seed: int) -> Lived:
    """One seed on one path, in a folder that goes, but where it failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"siege-{path}-{seed}-"))
    siege = PATHS[path](seed, folder)
    wrong = None
    try:
        siege.go()
    except Exception:  # whatever it is, it is told, and the next seed lives
        wrong = traceback.format_exc()
    finally:
        if wrong is None:
            product.remove(folder)
    return Lived(path, seed, siege.figures, wrong and f"{wrong.strip()} (see {folder})")


def prepare() -> None:
    """What a process needs that lives through seeds."""
    own_mounts()
    product.preload()


def _lived(task: tuple[str, int]) -> Lived:
    return live(*task)


def besiege(
    paths: Sequence[str], seconds: float, first_seed: int, processes: int, *, until_wrong: bool = False
) -> list[Lived]:
    """Seeds from ``first_seed`` on, each path in turn, until the time is up, or one of them is wrong."""
    ends, lived = time.monotonic() + seconds, []
    # Each process loads everything once, and forks for each step of each seed.
    with multiprocessing.get_context("spawn").Pool(processes, prepare) as pool:
        tasks = ((path, seed) for seed in range(first_seed, sys.maxsize) for path in paths)
        running: list[AsyncResult[Lived]] = []
        while running or time.monotonic() < ends:
            while len(running) < processes and time.monotonic() < ends:
                running.append(pool.apply_async(_lived, [next(tasks)]))
            ready = [one for one in running if one.ready()]
            running = [one for one in running if not one.ready()]
            for one in ready:
                lived.append(one.get())
                _tell(lived[-1], len(lived))
                if until_wrong and lived[-1].wrong:
                    ends = time.monotonic()
            if not ready:
                time.sleep(0.05)
    return lived


def _tell(one: Lived, number: int) -> None:
    if one.wrong:
        last = one.wrong.strip().splitlines()[-1][:600]
        print(f"\nWRONG {one.path} {one.seed}: {last}\n  again: {one.again}", file=sys.stderr)
    elif sys.stderr.isatty():
        print(f"\r{number:,} lived through", end="", file=sys.stderr)


def table(lived: Sequence[Lived]) -> str:
    """What was lived through, as Markdown."""
    lines = ["| path | seeds | wrong | what happened |", "|---|---|---|---|"]
    for path in PATHS:
        of_path = [one for one in lived if one.path == path]
        if of_path:
            figures = sum((one.figures for one in of_path), Counter[str]())
            told = ", ".join(f"{count:,} {what}" for what, count in sorted(figures.items()))
            lines.append(f"| {path} | {len(of_path):,} | {sum(1 for one in of_path if one.wrong)} | {told} |")
    return "\n".join(lines)
