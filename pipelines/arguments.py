"""Command lines: how all commands read theirs, and what they say of one that they do not understand."""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from difflib import get_close_matches
from typing import NoReturn

from pipelines.domain.month import Calendar, UnknownTimeZoneError, parse_month
from pipelines.home import VARIABLE, home_of
from pipelines.terminal import pasteable, printable

_LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*")


class Parser(argparse.ArgumentParser):
    """argparse's, in which ``--time_zone`` is ``--time-zone``, and an error says in two lines what would be right."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str = "") -> None:
        """``usage`` is what follows the command's name; options that may be left out need not be in it."""
        super().__init__(
            prog=prog,
            usage=f"%(prog)s {usage}",
            description=description,
            epilog=pasteable(epilog),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """The options. Exits with 2 and a message where there is no such option, or something makes no sense."""
        options, rest = self.read_known(argv, others=[])
        if rest:
            self.error(f"{rest[0]!r} is one argument too many")
        return options

    def read_known(self, argv: Sequence[str], others: Iterable[str]) -> tuple[argparse.Namespace, list[str]]:
        """The options, and what is left of the command line, options of the names ``others`` among it."""
        own, others = self.option_names(), set(others)
        words: list[str] = []
        is_option = True
        for word in argv:
            is_option = is_option and word != "--"
            name = word.partition("=")[0]
            if is_option and _LONG_OPTION.fullmatch(name):
                hyphened = name.replace("_", "-")
                if hyphened in own:
                    word = hyphened + word[len(name) :]
                elif name not in others:
                    self.error(_unknown(name, own, others))
            words.append(word)
        return self.parse_known_args(words)

    def add_home(self) -> None:
        """The option ``--home``; what is found is its text, for ``home_of``."""
        self.add_argument(
            "--home",
            metavar="FOLDER",
            help=f"the folder of archive, tables and state that are not named (default: ${VARIABLE}, or "
            f"{home_of(None).folder})",
        )

    def add_warehouse(self) -> None:
        """``--warehouse`` and ``--home`` of a command that reads tables; None is the tables at home."""
        # Loaded here: the producer's commands need none of it.
        from pipelines.warehouse.identity import warehouse_argument

        self.add_argument(
            "--warehouse",
            type=warehouse_argument,
            metavar="W",
            help="a folder, or bigquery://PROJECT.DATASET (default: the tables at home)",
        )
        self.add_home()

    def add_pager(self) -> None:
        """``--no-pager``."""
        self.add_argument(
            "--no-pager", action="store_true", help="write what is longer than the terminal at once, without $PAGER"
        )

    def option_names(self) -> list[str]:
        """The long options, as ``--help`` lists them."""
        return re.findall(r"^  (?:-\w, )?(--[\w-]+)", self.format_help(), re.MULTILINE)

    def error(self, message: str) -> NoReturn:
        """Exit with 2, after the usage in one line and what is wrong."""
        usage = " ".join(self.format_usage().split())
        self.exit(2, printable(f"{usage}\nerror: {pasteable(message)}\n"))


def _unknown(name: str, own: list[str], others: Iterable[str]) -> str:
    names = {option.removeprefix("--"): option for option in (*others, *own)}
    wanted = name.removeprefix("--")
    close = get_close_matches(wanted.replace("_", "-"), names, n=1) or get_close_matches(wanted, names, n=1)
    if close:
        return f"there is no option {name}; did you mean {names[close[0]]}? It takes {', '.join(own)}"
    return f"there is no option {name}; it takes {', '.join(own)}"


def calendar(name: str) -> Calendar:
    """The type of an option that names a time zone."""
    try:
        return Calendar(name)
    except UnknownTimeZoneError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def month(text: str) -> date:
    """The type of an option that is a month: its first day."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def year(text: str) -> int:
    """The type of an option that is a year."""
    with suppress(ValueError):
        return parse_month(f"{text}-01").year
    raise argparse.ArgumentTypeError(f"{text!r} is not a year; write it as 2026")


def whole_number(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from ``least`` on."""

    def number(text: str) -> int:
        with suppress(ValueError):
            if (found := int(text)) >= least:
                return found
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")

    return number
