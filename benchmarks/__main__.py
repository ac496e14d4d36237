"""What it can carry, in figures, beside what others take for the same: ``python -m benchmarks``, or ``make bench``.

Everything runs on this machine alone, as processes of its own, on two cores at most, with invented listeners; it leaves
nothing behind. Comparisons run by turns on the same plays, and answers are compared before their time is told.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import asking, engines, importing, rebuilds, starts, streams
from benchmarks.process import BenchmarkError
from benchmarks.results import Measured, machine, write_into
from benchmarks.settings import Settings
from pipelines.command import stopped_like_ctrl_c

_ALL: dict[str, Callable[[Settings], Iterator[Measured]]] = {
    "start": starts.measure,
    "import": importing.measure,
    "stream": streams.measure,
    "rebuild": rebuilds.measure,
    "engines": engines.measure,
    "asking": asking.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for, and print it. Exit code 1 where a figure cannot be had, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these, of {', '.join(_ALL)} (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="of each that takes seconds (default: %(default)s)")
    parser.add_argument("--share", type=float, default=1, help="of the plays, for a quick look (default: all)")
    parser.add_argument("--long", action="store_true", help="with 50 million plays too, which takes an hour")
    parser.add_argument("--most", type=int, default=100_000_000, metavar="PLAYS", help="leave out archives of more")
    parser.add_argument("--seed", type=int, default=1, help="of what was played (default: %(default)s)")
    parser.add_argument(
        "--into", type=Path, metavar="FILE.md", help="write the tables into this document, between its marks"
    )
    options = parser.parse_args(argv)
    for name in options.names:
        if name not in _ALL:
            parser.error(f"there is no benchmark {name}; there are {', '.join(_ALL)}")
    if options.into and not options.into.is_file():
        parser.error(f"there is no document {options.into}, which would have marks to write between")
    settings = Settings(options.runs, options.share, options.long, options.most, options.seed)
    measured: dict[str, Measured] = {}
    try:
        with stopped_like_ctrl_c():
            for name in options.names or _ALL:
                for one in _ALL[name](settings):
                    measured[one.name] = replace(one, machine=machine())
                    if options.into:
                        write_into(options.into, list(measured.values()))
            print("\n".join(one.markdown() for one in measured.values()))
    except (BenchmarkError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
