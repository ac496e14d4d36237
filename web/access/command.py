"""``heavy-rotation web token add|list|revoke``: tokens for those who are not at this machine."""

import argparse
import sys
from collections.abc import Sequence

from pipelines.arguments import Parser
from pipelines.clock import utc_now
from pipelines.command import report, run_command
from pipelines.domain.instants import to_the_second
from pipelines.home import home_of
from web.access.settings import add_tokens, tokens_of
from web.access.tokens import SCOPES
from web.access.visitor import Scope

_PROG = "heavy-rotation web token"
_EPILOG = """\
A token is shown once, when it is made; what is kept of it, for its owner only, tells whether one is right and no more.
A browser gives it at /login, a program in the header  Authorization: Bearer TOKEN.

examples:
  heavy-rotation web token add phone
  heavy-rotation web token add notebook --scope sql
  heavy-rotation web token revoke phone
"""


def main(argv: Sequence[str]) -> int:
    """Run one of the three, and return the exit code."""
    options = parse(argv)
    return run_command(lambda: _RUNS[options.action](options))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options. Exits with 2 and a message."""
    usage = "(add NAME [--scope sql] | list | revoke NAME) [OPTIONS]"
    parser = Parser(_PROG, usage, "Tokens, by which the pages let in who is not at this machine.", _EPILOG)
    parser.add_argument("action", choices=sorted(_RUNS), metavar="ACTION", help="add, list or revoke")
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the token is called: whose it is, say")
    parser.add_argument(
        "--scope",
        action="append",
        type=Scope,
        choices=SCOPES,
        help="what it may: read pages and figures, as each may; sql: ask in SQL too",
    )
    add_tokens(parser)
    parser.add_home()
    options = parser.read(argv)
    if (options.name is None) != (options.action == "list"):
        parser.error("list takes no name" if options.action == "list" else f"{options.action} needs a name")
    if options.scope and options.action != "add":
        parser.error("--scope is for add")
    options.store = tokens_of(options, home_of(options.home))
    return options


def _add(options: argparse.Namespace) -> str:
    # Who may ask anything in SQL may read anything.
    scopes = tuple(scope for scope in SCOPES if scope in (Scope.READ, *(options.scope or ())))
    text: str = options.store.add(options.name, scopes, utc_now())
    report(f"the token {options.name}, for {' and '.join(scopes)}; it is not shown again:")
    return text


def _list(options: argparse.Namespace) -> str:
    there = options.store.all()
    if not there:
        report(f"there is no token; {_PROG} add NAME makes one")
    width = max((len(token.name) for token in there), default=0)
    return "\n".join(
        f"{token.name:<{width}}  {' '.join(token.scopes):<8}  since {to_the_second(token.created_at)}"
        for token in there
    )


def _revoke(options: argparse.Namespace) -> str:
    options.store.revoke(options.name)
    return f"the token {options.name} is no longer one, and who was logged in with it is out"


_RUNS = {"add": _add, "list": _list, "revoke": _revoke}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
