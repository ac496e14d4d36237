"""``heavy-rotation recap``: a year, or any span, as a page and pictures to send.

Which files were written, or where they are published, goes to standard output. Exit code 0, 1 where there is nothing to
show or something cannot be written, 2 for a wrong command line.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pipelines.arguments import Parser, month, year
from pipelines.command import report, run_command
from pipelines.domain.month import following
from pipelines.failure import Failure
from pipelines.home import home_of

if TYPE_CHECKING:
    from web.visit import Visit

_EPILOG = """\
It writes one HTML page, which loads nothing and needs no script, and two cards, 1200x630 and 1080x1920, as PNG and SVG.
Times of day, days and single plays are not in it (--with-times puts them into the page, never into a card), nor is
whose plays they are, nor anything that is hidden.

--publish puts them under a name that nobody can guess into a bucket that everybody may read and nobody may list, which
infra/ makes where recap_bucket is set. --unpublish takes them back.

examples:
  heavy-rotation recap --year 2025
  heavy-rotation recap --from 2025-06-01 --to 2025-08-31 --of artists --out summer
  heavy-rotation recap --year 2025 --publish gs://my-project-recaps
  heavy-rotation recap --published gs://my-project-recaps
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, write or publish or take back. Returns the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: run(options))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; ``first`` and ``last`` are days, None where the tables have to say. Exits with 2 and a message."""
    usage = "[--year Y | --month M | --from DAY --to DAY] [OPTIONS]"
    parser = Parser("heavy-rotation recap", usage, "A year, or any span, as a page and pictures to send.", _EPILOG)
    parser.add_argument("--year", type=year, metavar="YYYY", help="a calendar year (default: the newest)")
    parser.add_argument("--month", type=month, metavar="YYYY-MM", help="a month")
    parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="from this day on, as 2025-06-01")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="to this day, which counts too")
    parser.add_argument(
        "--of", choices=("songs", "artists", "albums"), default="songs", help="what the cards list (default: songs)"
    )
    parser.add_argument("--by", choices=("plays", "time"), default="plays", help="default: plays")
    parser.add_argument(
        "--with-times",
        action="store_true",
        help="also what tells when: days, weekdays by hour, the longest session and streak, the first and last play",
    )
    parser.add_argument("--user", metavar="NAME", help="whose, where there are several listeners")
    parser.add_warehouse()
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        help="where what is hidden is listed, and what imports left out (default: that at home)",
    )
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (default: recap-2025, named by the span)")
    parser.add_argument("--publish", metavar="gs://BUCKET", help="publish them there, and write files only with --out")
    parser.add_argument("--published", metavar="gs://BUCKET", help="list what is published there")
    parser.add_argument("--unpublish", metavar="ADDRESS", help="take back what is published at this address")
    options = parser.read(argv)
    if sum(bool(given) for given in (options.year, options.month, options.first or options.last)) > 1:
        parser.error("--year, --month and --from with --to are three ways to name a span; take one")
    if (options.first is None) != (options.last is None):
        parser.error("--from and --to belong together")
    if options.first and options.first > options.last:
        parser.error(f"--from {options.first} is after --to {options.last}")
    if sum(bool(given) for given in (options.publish, options.published, options.unpublish)) > 1:
        parser.error("--publish, --published and --unpublish are three things; do one at a time")
    if options.year:
        options.first, options.last = date(options.year, 1, 1), date(options.year, 12, 31)
    if options.month:
        options.first, options.last = options.month, following(options.month) - timedelta(days=1)
    return options


def run(options: argparse.Namespace) -> str:
    """Write or publish or take back. Returns what to print. Raises Failure."""
    from web.recap.publishing import published, unpublish

    if options.published:
        return "\n".join(published(options.published)) or "nothing is published there"
    if options.unpublish:
        return f"{unpublish(options.unpublish)} files are taken back"
    from web.errors import SentenceError

    try:
        return _make(options)
    except SentenceError as error:
        raise Failure(str(error).rstrip(".")) from None


def _make(options: argparse.Namespace) -> str:
    # Loaded here: the help needs none of it.
    from web.hiding.hidden import Hidden
    from web.opening import Warehouse
    from web.recap.publishing import address_of, new_folder, publish
    from web.settings import Settings
    from web.visit import WhoseError, visit_of

    home = home_of(options.home)
    at_home = home.state if options.warehouse is None else None
    settings = Settings(options.warehouse or home.warehouse, state=options.state or at_home)
    warehouse = Warehouse(settings)
    try:
        visit = visit_of(settings, warehouse.asker(), options.user)
        if not settings.state:  # what is hidden is in the list at home, whatever the tables
            visit = replace(visit, hidden=Hidden(home.state).keys(visit.user_id))
        first, last = options.first, options.last
        if first is None:
            first, last = date(visit.last_month.year, 1, 1), date(visit.last_month.year, 12, 31)
        name = f"recap-{span_name(first, last)}"
        folder = new_folder(options.publish) if options.publish else None
        picture = address_of(f"{folder}/{name}-wide.png") if folder else None
        files = _files(visit, first, last, name, options, picture, settings.state)
    except WhoseError as error:
        raise Failure(f"there are several listeners; name one by --user: {', '.join(error.names)}") from None
    finally:
        warehouse.close()
    said = []
    if options.out or not folder:
        said += _written(Path(options.out or name), files)
    if folder:
        publish(folder, files)
        said.append(address_of(f"{folder}/{name}.html"))
    return "\n".join(said)


def _files(
    visit: "Visit",
    first: date,
    last: date,
    name: str,
    options: argparse.Namespace,
    picture: str | None,
    state: str | None,
) -> dict[str, bytes]:
    """The files by name, the page last: what it points to is there before it."""
    from web.cards.card import card_of
    from web.cards.drawing import Shape, card_svg
    from web.cards.raster import png_of
    from web.recap.sheet import recap_html

    card = card_of(visit, first, last, options.of, options.by)
    files: dict[str, bytes] = {}
    missing: set[str] = set()
    for shape in get_args(Shape):
        svg = card_svg(card, shape)
        drawn = png_of(svg)
        files |= {f"{name}-{shape}.svg": svg.encode(), f"{name}-{shape}.png": drawn.png}
        missing.update(drawn.missing)
    if missing:
        codes = ", ".join(f"U+{ord(character):04X} {character}" for character in sorted(missing))
        report(f"no font here has {codes}: the PNG has … instead, the SVG has them")
    page = recap_html(visit, first, last, options.by, with_times=options.with_times, picture=picture, state=state)
    return files | {f"{name}.html": page.encode()}


def _written(folder: Path, files: dict[str, bytes]) -> list[str]:
    from pipelines.storage.files import storage_explained
    from pipelines.storage.folder import make_folder, write_whole

    with storage_explained(folder):
        make_folder(folder)
        for name, data in files.items():
            write_whole(folder / name, data)
    return [str(folder / name) for name in reversed(files)]


def span_name(first: date, last: date) -> str:
    """``2025``, ``2025-11``, ``2025-06-03_2025-06-09``."""
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year:
        return str(first.year)
    if first.day == 1 and last == following(first) - timedelta(days=1):
        return f"{first:%Y-%m}"
    return f"{first}_{last}"


def _day(text: str) -> date:
    """The type of an option that is a day."""
    from web.routing import day_of

    try:
        return day_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
