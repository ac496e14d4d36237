"""Ask the warehouse in BigQuery SQL: ``heavy-rotation query "SELECT …"``.

Rows go to standard output, everything else to standard error. A query of a folder runs in a process of its own, whose
time and memory are limited. Exit code 0, 1 where the query or the warehouse fails, 2 for a wrong command line.
"""

import argparse
import gc
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence

from pipelines.arguments import Parser, whole_number
from pipelines.command import run_command
from pipelines.home import home_of
from pipelines.lean import without_arrows_extras
from pipelines.querying import FORMATS
from pipelines.querying.limits import DEFAULT_SECONDS, LEAST_MEGABYTES, default_megabytes, run_apart
from pipelines.terminal import printable, typed
from pipelines.warehouse.bigquery import SCHEME


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, ask, print. Returns the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    if options.warehouse.startswith(SCHEME):
        return run(options)
    codes: list[int] = []

    def apart() -> None:
        limits = {"seconds": options.max_seconds, "megabytes": options.max_memory}
        codes.append(run_apart(lambda: run(options, is_apart=True), **limits))

    return run_command(apart) or codes[0]


def run(options: argparse.Namespace, *, is_apart: bool = False) -> int:
    """Ask and print in this process, which is for nothing else if it ``is_apart``. Returns the exit code."""

    if is_apart:
        without_arrows_extras()
        gc.disable()  # it ends before it has made garbage worth looking for

    def ask() -> None:
        # Loaded here, so that it is loaded once: by the process that asks.
        from pipelines.querying import pager
        from pipelines.querying.asking import answer

        to_terminal = sys.stdout.isatty()
        notes: list[str] = []
        texts = answer(
            options.warehouse,
            options.sql,
            form=options.format,
            native=options.dialect == "duckdb",
            max_megabytes=options.max_memory if is_apart else None,
            command=f"{typed()} query{options.named}",
            width=shutil.get_terminal_size().columns if to_terminal and not options.wide else None,
            tell=notes.append,
        )
        if not to_terminal:
            sys.stdout.writelines(texts)
            sys.stdout.flush()
            sys.stderr.writelines(f"{note}\n" for note in notes)
            return

        def shown() -> Iterator[str]:
            yield from map(printable, texts)
            yield from (f"{printable(note)}\n" for note in notes)  # known when the rows are

        pager.write(shown(), sys.stdout, pages=not options.no_pager, chops=options.wide)

    return run_command(ask)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; ``sql`` is empty where what there is to ask is asked for. Exits with 2 and a message."""
    parser = Parser(
        "heavy-rotation query",
        '[--warehouse W] [OPTIONS] ["SELECT …"]',
        "Asks the warehouse in BigQuery SQL. Without a query: what there is to ask.",
        "A query only reads. One of a folder is stopped after --max-seconds, or where it needs more than --max-memory.",
    )
    parser.add_warehouse()
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_pager()
    parser.add_argument("--wide", action="store_true", help="all of a table, also where a terminal has no room for it")
    parser.add_argument(
        "--dialect",
        choices=("bigquery", "duckdb"),
        default="bigquery",
        help="the SQL that is spoken (default: bigquery, as in the cloud)",
    )
    parser.add_argument(
        "--max-seconds",
        type=whole_number(1),
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help=f"how long a query of a folder may take (default: {DEFAULT_SECONDS})",
    )
    parser.add_argument(
        "--max-memory",
        type=whole_number(LEAST_MEGABYTES),
        default=default_megabytes(),
        metavar="MB",
        help="how much memory a query of a folder may take (default: a quarter of this machine's, 2048 at most)",
    )
    parser.add_argument(
        "sql", nargs="?", default="", metavar="SQL", help='"SELECT …", or - to read it from standard input'
    )
    options = parser.read(argv)
    options.named = "".join(
        f" --{name} {shlex.quote(value)}" for name in ("warehouse", "home") if (value := getattr(options, name))
    )
    options.warehouse = options.warehouse or home_of(options.home).warehouse
    if options.warehouse.startswith(SCHEME) and options.dialect == "duckdb":
        parser.error("BigQuery speaks BigQuery SQL: leave --dialect out")
    if options.sql == "-":
        options.sql = sys.stdin.read()
    options.sql = options.sql.strip()
    return options


if __name__ == "__main__":
    sys.exit(main())
