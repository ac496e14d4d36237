"""The most played of a month, a year or any months: ``heavy-rotation top``.

Rows go to standard output, everything else to standard error. Exit code 0, 1 where there is nothing to show or the
warehouse fails, 2 for a wrong command line.
"""

import argparse
import os
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import date

from pipelines.arguments import Parser, month, year
from pipelines.command import run_command
from pipelines.domain.holes import ASK, EXPORT_FILE, holes_text
from pipelines.home import Home, home_of
from pipelines.querying import FORMATS
from pipelines.terminal import typed

_KINDS = {"tracks": "track", "artists": "artist", "albums": "album"}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, ask, draw. Returns the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    try:
        return run_command(lambda: run(options))
    except BrokenPipeError:  # whoever read has read enough; nor is there anybody for what is left to write
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(options: argparse.Namespace) -> None:
    """Ask and print. Raises Failure."""
    # Loaded here: the help needs none of it.
    from pipelines.querying import pager
    from pipelines.querying.chart import draw, screen_of
    from pipelines.querying.show import show
    from pipelines.querying.tops import Listener

    kinds = tuple(_KINDS[name] for name in _KINDS if getattr(options, name)) or tuple(_KINDS.values())
    listener = Listener(options.warehouse, options.user)
    top = listener.newest() if options.is_newest else listener.top(options.first, options.last)
    if options.format != "table":
        sys.stdout.writelines(show(top.table(kinds), options.format))
        return
    command = f"{typed()} top{options.named}"
    earlier = listener.before(top.first)
    if top.first == top.last:
        others = [f"--year {top.first.year}", *([f"--month {earlier:%Y-%m}"] if earlier else [])]
    else:
        others = [f"--month {top.months[-1].first:%Y-%m}", *([f"--year {earlier.year}"] if earlier else [])]
    screen = screen_of(sys.stdout)
    lines = [*draw(top, kinds, screen), ""]
    # Of one month, whether the one before is there, which it would be compared with.
    shown = [month.first for month in top.months]
    lines += _about_holes([earlier, *shown] if earlier and len(shown) == 1 else shown, screen.width, options.for_import)
    lines += [f"{'' if number else 'next:':<6}{command} {other}" for number, other in enumerate(others)]
    pager.write((f"{line}\n" for line in lines), sys.stdout, pages=not options.no_pager)


def _about_holes(months: list[date], width: int, options: str | None) -> list[str]:
    """Lines, the last one empty, on what is missing between months, and how it comes in; none where nothing is.

    ``options`` are those of the import; None where they are not known.
    """
    if not (missing := holes_text(months)):
        return []
    then = ", then:" if options is not None else ", and import it"
    told = textwrap.wrap(f"{missing}. If you listened then, {ASK}{then}", width, break_on_hyphens=False)
    return [*told, *([f"  {typed()} import {EXPORT_FILE}{options}"] if options is not None else []), ""]


def first_look(home: Home, user: str) -> None:
    """Print what a person sees after an import: the newest month's tens, each year in a line, and what to type next.

    Raises Failure.
    """
    from pipelines.querying.chart import draw, draw_years, screen_of
    from pipelines.querying.tops import KINDS, Listener, years

    listener, screen = Listener(home.warehouse, user), screen_of(sys.stdout)
    top, at = listener.newest(), _options_text({"home": home.option})
    named = at + ("" if listener.is_alone else _options_text({"user": user}))
    lines = ["", *draw(top, KINDS, screen), "", *draw_years(list(years(listener)), screen), ""]
    lines += _about_holes([month.first for month in listener.months], screen.width, named)
    lines += [
        f"next: {typed()} top --year {top.first.year}{named}",
        f"      {typed()} web{at}",
        f"      {typed()} query{at}",
        f"      {typed()} login{at}",
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _options_text(named: Mapping[str, str | None]) -> str:
    """Options as they are typed, each with a space before it; without those that have no value."""
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in named.items() if value)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; ``first`` and ``last`` are the first days of months, None where the tables have to say."""
    parser = Parser(
        "heavy-rotation top",
        "[--month M | --year Y | --from M --to M] [OPTIONS]",
        "The songs, artists and albums played most: of the newest month, or of the one that is named.",
        "",
    )
    parser.add_warehouse()
    parser.add_argument("--month", type=month, metavar="YYYY-MM", help="a month (default: the newest)")
    parser.add_argument("--year", type=year, metavar="YYYY", help="a calendar year")
    parser.add_argument("--from", dest="first", type=month, metavar="YYYY-MM", help="from this month on")
    parser.add_argument("--to", dest="last", type=month, metavar="YYYY-MM", help="to this month, which counts too")
    for name in _KINDS:
        parser.add_argument(f"--{name}", action="store_true", help=f"the {name} (default: all three)")
    parser.add_argument("--user", metavar="NAME", help="whose, where there are several listeners")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_pager()
    options = parser.read(argv)
    named = {name: getattr(options, name) for name in ("warehouse", "home", "user")}
    # What an import has to be told; where the tables are not those at home, nobody knows their archive.
    options.for_import = None if options.warehouse else _options_text(named)
    options.warehouse = options.warehouse or home_of(options.home).warehouse
    spans = [options.month is not None, options.year is not None, bool(options.first or options.last)]
    if sum(spans) > 1:
        parser.error("one of --month, --year, and --from with --to says which months")
    if options.first and options.last and options.first > options.last:
        parser.error(f"--from {options.first:%Y-%m} is after --to {options.last:%Y-%m}")
    if options.month:
        options.first = options.last = options.month
    if options.year:
        options.first, options.last = date(options.year, 1, 1), date(options.year, 12, 1)
    options.is_newest = not any(spans)
    options.named = _options_text(named)
    return options


if __name__ == "__main__":
    sys.exit(main())
