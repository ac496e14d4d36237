"""``heavy-rotation hide add|remove|list``: what tens, figures and cards leave out."""

import argparse
import sys
from collections.abc import Sequence

from pipelines.arguments import Parser
from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.home import home_of
from pipelines.storage.files import StorageError
from pipelines.warehouse.identity import warehouse_argument
from web.hiding.hidden import Hidden
from web.hiding.keys import keys_of
from web.hiding.links import key_of

_PROG = "heavy-rotation hide"
_EPILOG = """\
What is hidden leaves the tens, the figures, the recap and its cards; never the tables, the history, SQL or an export.
A page whose numbers change says so, with a link that shows them. A link is copied at Spotify, or is the address of a
page here.

examples:
  heavy-rotation hide add https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6
  heavy-rotation hide add http://localhost:8723/artist/names:kq3vX0dAq7yY
  heavy-rotation hide list
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three, and return the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _RUNS[options.action](options))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options. Exits with 2 and a message."""
    usage = "(add LINK | remove LINK | list) [--user NAME] [OPTIONS]"
    parser = Parser(_PROG, usage, "What tens, figures and cards leave out.", _EPILOG)
    parser.add_argument("action", choices=sorted(_RUNS), metavar="ACTION", help="add, remove or list")
    parser.add_argument("link", nargs="?", metavar="LINK", help="a song, an artist, an album or a playlist")
    parser.add_argument("--user", metavar="NAME", help="whose, where there are several listeners")
    parser.add_argument(
        "--warehouse",
        type=warehouse_argument,
        metavar="W",
        help="where the listeners are (default: the tables at home)",
    )
    parser.add_argument(
        "--state", metavar="FOLDER", help="where the list is, a folder or gs://bucket/folder (default: at home)"
    )
    parser.add_home()
    options = parser.read(argv)
    if (options.link is None) != (options.action == "list"):
        parser.error("list takes no link" if options.action == "list" else f"{options.action} needs a link")
    home = home_of(options.home)
    options.state, options.warehouse = options.state or home.state, options.warehouse or home.warehouse
    return options


def _listener(options: argparse.Namespace) -> str:
    """Whose list it is: who was named, or the only one there is. Raises Failure."""
    if options.user is not None:
        return str(options.user)
    from pipelines.querying.tops import Listener

    return Listener(options.warehouse, None).user_id


def _keys(options: argparse.Namespace, user: str) -> list[str]:
    """What the link means in these plays; the link's own key where there are none of it, or no tables yet."""
    key = key_of(options.link)
    kind, _, identity = key.partition(":")
    if kind == "context":
        return [key]
    from web.asking import Asker

    try:
        asker = Asker(options.warehouse)
    except StorageError:
        return [key]
    try:
        return keys_of(lambda question, **asked: asker.rows(question, user_id=user, **asked), kind, identity) or [key]
    finally:
        asker.close()


def _add(options: argparse.Namespace) -> str:
    user = _listener(options)
    key, *others = _keys(options, user)
    if not Hidden(options.state).add(user, key, options.link, *others):
        return f"{options.link} was hidden before"
    return f"{options.link} is hidden from {user}'s figures; {_PROG} remove brings it back"


def _remove(options: argparse.Namespace) -> str:
    user = _listener(options)
    key, *_ = _keys(options, user)
    if not Hidden(options.state).remove(user, key):
        raise Failure(f"{options.link} was not hidden; {_PROG} list says what is")
    return f"{options.link} is in {user}'s figures again"


def _list(options: argparse.Namespace) -> str:
    links = Hidden(options.state).links(_listener(options))
    if not links:
        report("nothing is hidden")
    return "\n".join(dict.fromkeys(links.values()))


_RUNS = {"add": _add, "remove": _remove, "list": _list}


if __name__ == "__main__":
    sys.exit(main())
