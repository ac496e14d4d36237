"""The producer's command lines: reads the options and hands over to ``commands``."""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from pipelines.arguments import Parser, calendar
from pipelines.command import run_command
from pipelines.domain.durations import parse_duration
from pipelines.domain.month import DEFAULT_TIME_ZONE, Calendar
from pipelines.home import home_of
from pipelines.logs import set_up_logging
from producer import commands, examples
from producer.accounts.stores import default_store


def main(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` begins with. Exit codes are those of ``run_command``."""
    options = parse(argv)
    set_up_logging(os.environ, is_service=getattr(options, "every", None) is not None)
    # It gives back the text for stdout, or whether all is well where everything has been told.
    run: Callable[[argparse.Namespace], str | bool | None] = options.run
    return run_command(lambda: run(options), logger="producer")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of the command that ``argv`` begins with, and with them ``run``. Raises SystemExit."""
    command, *arguments = argv
    options = _PARSERS[command]().read(arguments)
    if "state" in options:
        options.state = options.state or home_of(options.home).state
    return options


def new_parser(command: str, usage: str, purpose: str, epilog: str) -> Parser:
    return Parser(f"heavy-rotation {command}", usage, purpose, epilog)


def _login() -> Parser:
    from producer.accounts.redirect import DEFAULT_PORT

    parser = new_parser(
        "login", "[OPTIONS]", "Connects an account: log in to Spotify in the browser.", examples.login()
    )
    add_logins(parser)
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="the redirect URI's, on this machine (default: %(default)s)",
    )
    add_state(parser)
    parser.add_argument("--no-browser", action="store_true", help="print the address only; open no browser")
    parser.add_argument(
        "--playlists", action="store_true", help="ask for the right to read private playlists too, to watch them"
    )

    def run(options: argparse.Namespace) -> str:
        return commands.login(
            port=options.port,
            with_browser=not options.no_browser,
            with_playlists=options.playlists,
            home=home_of(options.home),
            state=options.state,
            logins=options.logins,
        )

    parser.set_defaults(run=run)
    return parser


def _import() -> Parser:
    parser = new_parser(
        "import", "PATH ... [--archive A] [OPTIONS]", "Imports exports of listening history.", examples.IMPORT
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="a zip, a folder or a JSON file of an export"
    )
    parser.add_argument(
        "--user", help="whose plays they are (default: the account that has logged in, if it is one, or me)"
    )
    parser.add_argument(
        "--archive",
        metavar="A",
        help="a folder or gs://bucket/folder to write to, and to compare with (default: at home, and tables follow)",
    )
    parser.add_argument("--dry-run", action="store_true", help="report what an import would do, write nothing")
    parser.add_argument("--skip-unreadable", action="store_true", help="go on without the files that cannot be read")
    _add_time_zone(parser)
    add_logins(parser)
    add_state(parser)

    def run(options: argparse.Namespace) -> str | None:
        home = None if options.archive else home_of(options.home)
        return commands.import_exports(
            options.paths,
            user=options.user,
            archive=options.archive,
            home=home,
            dry_run=options.dry_run,
            calendar=options.time_zone or Calendar(),
            state=options.state,
            logins=options.logins,
            skip_unreadable=options.skip_unreadable,
        )

    parser.set_defaults(run=run)
    return parser


def _rename() -> Parser:
    usage = "[--user NAME] [--to ID] [--archive A --warehouse W] [OPTIONS]"
    parser = new_parser("rename", usage, "Makes the plays of one user another's.", examples.RENAME)
    parser.add_argument(
        "--user", metavar="NAME", default=commands.NOBODY, help="whose plays they are now (default: %(default)s)"
    )
    parser.add_argument("--to", metavar="ID", help="whose they become (default: the account that has logged in)")
    parser.add_argument("--archive", metavar="A", help="a folder or gs://bucket/folder (default: at home)")
    parser.add_argument("--warehouse", metavar="W", help="with --archive: the tables to bring up to date")
    parser.add_argument("--dry-run", action="store_true", help="say what would be renamed, change nothing")
    _add_time_zone(parser)
    add_logins(parser)
    add_state(parser)

    def run(options: argparse.Namespace) -> str:
        if options.warehouse and not options.archive:
            parser.error("--warehouse is for --archive; without both it is those at home")
        return commands.rename(
            options.user,
            options.to,
            archive=options.archive,
            warehouse=options.warehouse,
            home=home_of(options.home),
            dry_run=options.dry_run,
            calendar=options.time_zone or Calendar(),
            state=options.state,
            logins=options.logins,
        )

    parser.set_defaults(run=run)
    return parser


def _poll() -> Parser:
    usage = "(--once | --every DURATION) [--archive A | --topic T] [OPTIONS]"
    parser = new_parser("poll", usage, "Gets the plays that Spotify lists.", examples.POLL)
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--once", action="store_true", help="poll once, and end; for a scheduler")
    when.add_argument(
        "--every", metavar="DURATION", type=duration, help="go on polling, for example every 10m; 20m at most"
    )
    add_destination(parser)
    parser.add_argument(
        "--warehouse",
        metavar="W",
        help="with --every and --archive: bring these tables up to date after polls that found something",
    )
    add_logins(parser)
    _add_time_zone(parser)
    add_state(parser)

    def run(options: argparse.Namespace) -> bool:
        if not options.topic and not options.archive:
            if options.warehouse:
                parser.error("say where plays go: --archive A or --topic T; without --warehouse they go home")
            options.archive = home_of(options.home).archive
            options.warehouse = home_of(options.home).warehouse if options.every else None
        if options.topic and options.time_zone:
            parser.error("--time-zone is for --archive; with --topic the pipeline decides on months")
        if options.warehouse and (options.topic or not (options.every and options.archive)):
            parser.error("--warehouse is for --every with --archive; after --once, run heavy-rotation rebuild")
        return commands.poll(
            topic=options.topic,
            archive=options.archive,
            calendar=options.time_zone or Calendar(),
            state=options.state,
            logins=options.logins,
            interval=options.every,
            warehouse=options.warehouse,
        )

    parser.set_defaults(run=run)
    return parser


def _doctor() -> Parser:
    parser = new_parser(
        "doctor", "[--archive A | --topic T] [OPTIONS]", "Says what is wrong, and what to do about it.", examples.DOCTOR
    )
    add_destination(parser)
    add_logins(parser)
    add_state(parser)

    def run(options: argparse.Namespace) -> bool:
        home = home_of(options.home)
        archive = options.archive or (home.archive if not options.topic and Path(home.archive).is_dir() else None)
        return commands.doctor(
            topic=options.topic, archive=archive, home=home, state=options.state, logins=options.logins
        )

    parser.set_defaults(run=run)
    return parser


def _logout() -> Parser:
    purpose = "Forgets an account's login, and what polling remembers of it."
    parser = new_parser("logout", "--account ID [OPTIONS]", purpose, examples.LOGOUT)
    parser.add_argument("--account", metavar="ID", required=True, type=_account, help="whose: its id, as polls show it")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, remove nothing")
    add_logins(parser)
    add_state(parser)

    def run(options: argparse.Namespace) -> str:
        return commands.logout(
            options.account,
            home=home_of(options.home),
            state=options.state,
            logins=options.logins,
            dry_run=options.dry_run,
        )

    parser.set_defaults(run=run)
    return parser


def add_destination(parser: Parser) -> None:
    parser.add_argument("--topic", metavar="T", type=_topic, help="projects/PROJECT/topics/TOPIC")
    parser.add_argument(
        "--archive",
        metavar="A",
        help="a folder or gs://bucket/folder; with --topic, named once, the one that the topic's stream writes",
    )


def _add_time_zone(parser: Parser) -> None:
    parser.add_argument(
        "--time-zone", metavar="ZONE", type=calendar, help=f"whose months count (default: {DEFAULT_TIME_ZONE})"
    )


def add_state(parser: Parser) -> None:
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        help=f"what polling remembers: a folder or gs://bucket/folder (default: at home, or {home_of(None).state})",
    )
    parser.add_home()


def add_logins(parser: Parser) -> None:
    parser.add_argument(
        "--logins",
        metavar="STORE",
        default=default_store(),
        help="where logins are kept: a folder, or secretmanager://PROJECT[/PREFIX] (default: %(default)s)",
    )


def _account(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("name whose login is to be forgotten")
    return text


def duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; take one from 1024 to 65535")
    return int(text)


def _topic(name: str) -> str:
    if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", name):
        raise argparse.ArgumentTypeError(f"{name!r} is not a topic; write it as projects/PROJECT/topics/TOPIC")
    return name


_PARSERS = {"import": _import, "rename": _rename, "login": _login, "poll": _poll, "doctor": _doctor, "logout": _logout}
