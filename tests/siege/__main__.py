"""``python -m tests.siege``: as many seeds as fit into the time, over every path, and a table of what came of them.

A seed that fails prints the command that lives through it again, ``--path P --seed N``; its folder stays then.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.siege.lives import besiege, live, prepare, table
from tests.siege.mutations import MUTATIONS, hunt_all
from tests.siege.paths import PATHS


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every seed was right, and, asked for mutations, where each was found."""
    parser = argparse.ArgumentParser("python -m tests.siege", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240, help="begin no new seed after that (default: 240)")
    parser.add_argument("--path", choices=PATHS, action="append", help="only these paths (default: all)")
    parser.add_argument("--seed", type=int, help="live through this one alone")
    parser.add_argument("--first-seed", type=int, default=1, help="begin with this one (default: 1)")
    parser.add_argument("--processes", type=int, default=2, help="so many seeds at once (default: 2)")
    parser.add_argument("--until-wrong", action="store_true", help="end with the first seed that is wrong")
    parser.add_argument("--mutations", action="store_true", help="hunt each mutation, for --seconds each")
    parser.add_argument("--mutation", choices=MUTATIONS, action="append", help="hunt these alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        prepare()
        for path in options.path or PATHS:
            one = live(path, options.seed)
            print(f"{path} {options.seed}: {one.wrong or 'right'}\n{dict(one.figures)}")
        return 0 if not one.wrong else 1
    if options.mutations or options.mutation:
        return hunt_all(options.mutation or list(MUTATIONS), options.seconds)
    lived = besiege(
        options.path or list(PATHS),
        options.seconds,
        options.first_seed,
        options.processes,
        until_wrong=options.until_wrong,
    )
    wrong = [one for one in lived if one.wrong]
    print(f"\n{len(lived):,} seeds lived through, {len(wrong)} of them wrong\n\n{table(lived)}")
    if options.json:
        figures = [{"path": o.path, "seed": o.seed, "wrong": o.wrong, **o.figures} for o in lived]
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
