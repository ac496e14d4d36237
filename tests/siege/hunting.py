"""Mutations, each hunted by the paths that should find it."""

import sys
import time

from tests.siege import product
from tests.siege.lives import live
from tests.siege.mutations import MUTATIONS


def hunt(name: str, seconds: float) -> str | None:
    """Seeds until one finds it; the message of that one, None where none did in the time."""
    ends, seed = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        seed += 1
        for path in MUTATIONS[name].paths:
            one = live(path, seed, mutation=name)
            if one.wrong:
                return f"{path}, seed {seed}: {one.wrong.strip().splitlines()[-1][:200]}"
    return None


def hunt_all(seconds: float) -> int:
    """0 where each was found, each within the time."""
    product.preload()
    missed = 0
    for name in MUTATIONS:
        began = time.monotonic()
        found = hunt(name, seconds)
        missed += found is None
        print(f"{name:42}{time.monotonic() - began:5.0f} s  {found or 'NOT FOUND'}", flush=True)
    if missed:
        print(f"{missed} mutations were not found", file=sys.stderr)
    return int(missed > 0)
