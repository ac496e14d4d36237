"""The command lines of ``watch``, ``snapshot`` and ``enrich``: reads the options and hands over."""

import argparse
import os
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pipelines.arguments import Parser
from pipelines.clock import utc_now
from pipelines.command import run_command, stopped_like_ctrl_c
from pipelines.domain.durations import duration_text
from pipelines.domain.instants import to_the_second
from pipelines.home import home_of
from pipelines.logs import set_up_logging
from producer import examples
from producer.commandline import add_destination, add_logins, add_state, duration, new_parser
from producer.commands import local_folder


def main(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` begins with. Exit codes are those of ``run_command``."""
    command, *arguments = argv
    options = _PARSERS[command]().read(arguments)
    options.state = options.state or home_of(options.home).state
    set_up_logging(os.environ, is_service=False)
    run: Callable[[argparse.Namespace], str | bool] = options.run
    return run_command(lambda: run(options), logger="producer")


def _watch() -> Parser:
    usage = "(add LINK ... [--every DURATION] | remove LINK ... | list) [OPTIONS]"
    parser = new_parser("watch", usage, "Says which playlists and artists are watched.", examples.WATCH)
    parser.add_argument("action", choices=("add", "remove", "list"), metavar="add|remove|list")
    parser.add_argument(
        "links", metavar="LINK", nargs="*", help="a link or URI of a playlist or an artist, or top:10 (top:1 to top:10)"
    )
    parser.add_argument(
        "--every",
        metavar="DURATION",
        type=_interval,
        help="how often it is asked about (default: 1d; the artists of top tens: 7d)",
    )
    add_state(parser)

    def run(options: argparse.Namespace) -> str:
        from producer.watching.items import Items

        items = Items(options.state)
        if options.action == "list":
            if options.links:
                parser.error("list takes no LINK")
            return _listed(items)
        if not options.links:
            parser.error(f"what is to be {options.action}ed? Give the link of a playlist or an artist, or top:10")
        if options.action == "remove":
            return "\n".join(_removed(items, options.links))
        home = home_of(options.home)
        places = [*home.words, *(["--state", options.state] if options.state != home.state else [])]
        following = shlex.join(["heavy-rotation", "snapshot", "--once", *places])
        return "\n".join([*_added(items, options.links, options.every), "", f"next: {following}"])

    parser.set_defaults(run=run)
    return parser


def _added(items: Any, links: list[str], every: timedelta | None) -> list[str]:
    from producer.watching.items import key_of

    keys = [key_of(link) for link in links]  # all of them, before one is added
    return [f"{'watched' if items.add(key, every, utc_now()) else 'watched before':<15}{key}" for key in keys]


def _removed(items: Any, links: list[str]) -> list[str]:
    from producer.watching.items import key_of

    lines = [f"{'removed' if items.remove(key) else 'not watched':<12}{key}" for key in map(key_of, links)]
    return [*lines, "", "What was taken of it so far stays in the archive and in the tables."]


def _listed(items: Any) -> str:
    watched = items.all()
    if not watched:
        return "nothing is watched; add something: heavy-rotation watch add LINK"
    lines = []
    for item in watched:
        last = f"last {to_the_second(item.done_at)}" if item.done_at else "not asked yet"
        lines.append(f"{item.key:<32}  every {duration_text(item.every):<9}  {last:<28}  {item.name or ''}".rstrip())
    return "\n".join(lines)


def _snapshot() -> Parser:
    usage = "--once [--archive A | --topic T] [OPTIONS]"
    parser = new_parser("snapshot", usage, "Asks Spotify about what is watched and due.", examples.SNAPSHOT)
    parser.add_argument("--once", action="store_true", required=True, help="ask, and end; for a scheduler, once a day")
    _add_rest(parser)

    def run(options: argparse.Namespace) -> bool:
        from producer.snapshots.opening import asker
        from producer.watching.items import Items
        from producer.watching.snapshot import Snapshots, check_any

        settings = _settings(options)
        items = Items(settings.state)
        check_any(items.all())
        outbox = settings.outbox()
        with stopped_like_ctrl_c(), asker(settings) as asking:
            return Snapshots(settings.state, items, asking, outbox, settings.top_artists).run()

    parser.set_defaults(run=run)
    return parser


def _enrich() -> Parser:
    usage = "[--archive A] [--topic T] [--minutes N] [OPTIONS]"
    purpose = "Asks Spotify and open sources what is not known of what was heard."
    parser = new_parser("enrich", usage, purpose, examples.ENRICH)
    parser.add_argument(
        "--minutes", type=_number, default=30, metavar="N", help="ask for no longer than that (default: %(default)s)"
    )
    _add_rest(parser)

    def run(options: argparse.Namespace) -> bool:
        from producer.enriching.command import enrich

        with stopped_like_ctrl_c():
            return enrich(_settings(options), options.minutes * 60)

    parser.set_defaults(run=run)
    return parser


def _add_rest(parser: Parser) -> None:
    from producer.snapshots.asker import REQUESTS_A_DAY

    add_destination(parser)
    parser.add_argument(
        "--budget",
        metavar="N",
        type=_number,
        default=REQUESTS_A_DAY,
        help="requests to Spotify's API a day (UTC), of snapshot and enrich together (default: %(default)s)",
    )
    add_logins(parser)
    add_state(parser)


def _settings(options: argparse.Namespace) -> Any:
    from producer.snapshots.opening import SnapshotSettings

    archive = options.archive or (None if options.topic else home_of(options.home).archive)
    return SnapshotSettings(
        options.topic, archive, options.state, options.logins, local_folder(options.state), options.budget
    )


def _interval(text: str) -> timedelta:
    """A duration, which may be of days."""
    if days := re.fullmatch(r"([1-9][0-9]{0,3})d", text):
        return timedelta(days=int(days[1]))
    return duration(text)


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number here; take one from 1 on")
    return int(text)


_PARSERS: dict[str, Callable[[], Parser]] = {"watch": _watch, "snapshot": _snapshot, "enrich": _enrich}
