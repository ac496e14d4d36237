"""Pages over the tables, in a browser: ``heavy-rotation web``.

Where it listens goes to standard error. Exit code 1 where it cannot start, 2 for a wrong command line, 130 after
Ctrl-C.
"""

import argparse
import ipaddress
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence

from pipelines.arguments import Parser, whole_number
from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.home import home_of
from pipelines.warehouse.identity import warehouse_argument

PORT = 8723


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, listen, answer until it is stopped. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["token"]:
        from web.access.command import main as token

        return token(words[1:])
    options = parse(words)
    return run_command(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Listen until it is stopped. Raises Failure where the port cannot be had."""
    # Loaded here: the help needs none of it.
    import uvicorn

    from web.access.settings import access_of
    from web.app import create_app
    from web.settings import Settings

    settings = Settings(
        options.warehouse,
        user=options.user,
        state=options.state,
        archive=options.archive,
        logins=options.logins,
        covers=options.covers,
        warms=True,
        access=access_of(options, home_of(options.home), options.host),
    )
    listener = _listen(options.host, options.port)
    with listener:
        address = address_of(options.host, listener.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings),
                log_level="warning",
                access_log=False,  # an address says what was looked for
                proxy_headers=False,
                server_header=False,
            )
        )
        report(f"{address}  Ctrl-C ends it")
        if options.browser:
            # The socket listens already: who comes before the first answer waits for it.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        server.run(sockets=[listener])


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options. Exits with 2 and a message."""
    parser = Parser(
        "heavy-rotation web",
        "[--warehouse W] [OPTIONS]",
        "Shows the tables as pages: months, years, songs, days, and what is behind each figure.",
        "It binds 127.0.0.1, so that only this machine reaches it, and reads the tables as they grow. For others:\n"
        "heavy-rotation web token add NAME makes a token, then --public-url or --host lets in who has one.",
    )
    parser.add_argument(
        "--warehouse",
        type=warehouse_argument,
        metavar="W",
        help="a folder, or bigquery://PROJECT.DATASET (default: the tables at home)",
    )
    parser.add_home()
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        help="what polling remembers: the last poll, gaps (default: that at home, where the tables at home are shown)",
    )
    parser.add_argument(
        "--archive",
        metavar="A",
        help="what the tables are made from, which imports go to (default: that at home, as with --state)",
    )
    parser.add_argument("--user", metavar="NAME", help="whose pages; others are not shown (default: all listeners)")
    parser.add_argument(
        "--port", type=whole_number(0), default=PORT, metavar="N", help=f"default: {PORT}; 0 takes a free one"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1, this machine only")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="open no browser")
    parser.add_argument(
        "--no-covers",
        dest="covers",
        action="store_false",
        help="no pictures from Spotify; nothing is asked of any network",
    )
    from web.access.settings import add_options

    add_options(parser)
    options = parser.read(argv)
    home = home_of(options.home)
    options.logins = None
    if options.warehouse is None:
        from producer.accounts.stores import default_store

        options.state = options.state or home.state
        options.archive = options.archive or home.archive
        options.logins = default_store()
    options.warehouse = options.warehouse or home.warehouse
    return options


def address_of(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}/"
    if address.is_unspecified:  # every address, so this machine's own too
        return f"http://127.0.0.1:{port}/"
    return f"http://[{host}]:{port}/" if address.version == 6 else f"http://{host}:{port}/"


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on."""
    try:
        [(family, kind, protocol, _, where), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, OverflowError) as error:
        raise Failure(f"{host}, port {port}, is no address to listen at: {error}") from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(128)
    except OSError as error:
        made.close()
        raise Failure(f"cannot listen at {host}, port {port}: {error.strerror}; --port 0 takes a free one") from None
    return made
