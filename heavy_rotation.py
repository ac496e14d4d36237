"""``heavy-rotation COMMAND``: finds the command, and loads what it needs and nothing else.

Exit codes, of every command: 0, 1 where it fails, 2 for a wrong command line, 130 after Ctrl-C.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NoReturn

# A command, the module that has its ``main``, and what it does.
COMMANDS = {
    "import": ("producer.commandline", "import exports of listening history"),
    "login": ("producer.commandline", "connect an account: log in to Spotify in the browser"),
    "poll": ("producer.commandline", "get the plays that Spotify lists"),
    "watch": ("producer.snapshots_commandline", "which playlists and artists are watched"),
    "snapshot": ("producer.snapshots_commandline", "ask Spotify about what is watched"),
    "enrich": ("producer.snapshots_commandline", "ask open sources about what was heard"),
    "doctor": ("producer.commandline", "say what is wrong, and what to do about it"),
    "logout": ("producer.commandline", "forget an account's login, and what polling remembers of it"),
    "rename": ("producer.commandline", "make the plays of one user another's"),
    "rebuild": ("pipelines.rebuild", "make the tables again from the archive"),
    "stream": ("pipelines.stream", "plays from Pub/Sub into archive and tables, until it is stopped"),
    "top": ("pipelines.top", "the songs, artists and albums played most"),
    "web": ("web.command", "show the tables as pages, in a browser"),
    "recap": ("web.recap.command", "a year, or any span, as a page and pictures to send"),
    "query": ("pipelines.query", "ask the tables, in BigQuery SQL"),
    "hide": ("web.hiding.command", "what tens, figures and cards leave out"),
    "forget": ("pipelines.forget", "remove a person's plays from archive and tables"),
}
_PRODUCER = ("producer.commandline", "producer.snapshots_commandline")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit for help and for a wrong command line."""
    with_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if with_ctrl_c:  # while modules load there is nothing to end but the process
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    command, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if not command:
        sys.stderr.write(_help())
        return 2
    if command in ("--help", "-h", "help"):
        sys.stdout.write(_help())
        return 0
    if command == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"heavy-rotation {version('heavy-rotation')}\n")
        return 0
    if command not in COMMANDS:
        _refuse(command)
    module = COMMANDS[command][0]
    try:
        with (
            _kept() if argv is None else nullcontext(),
            _lean(command, arguments) if argv is None else nullcontext(),
        ):
            run = __import__(module, fromlist=["main"]).main
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("pipelines", "producer", "web"):
            raise
        sys.stderr.write(f"error: {missing.name} is not installed here: pip install 'heavy-rotation[all]'\n")
        return 1
    finally:
        if with_ctrl_c:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code: int = run([command, *arguments] if module in _PRODUCER else arguments)
    except KeyboardInterrupt:  # before the command has begun
        return 130
    return code


@contextmanager
def _kept() -> Iterator[None]:
    """What is loaded meanwhile stays until the process ends, and nobody looks through it for garbage, then or before.

    Of Beam that takes two fifths of the time that it takes to load.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _lean(command: str, arguments: Sequence[str]) -> AbstractContextManager[None]:
    """What this process has no use for; it is there for one command."""
    if command not in ("rebuild", "top"):
        return nullcontext()
    from pipelines.lean import for_a_rebuild, without_arrows_extras

    if command == "rebuild":
        return for_a_rebuild(arguments)
    without_arrows_extras()
    return nullcontext()


def _help() -> str:
    lines = [f"  {name:<9} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: heavy-rotation COMMAND ...",
            "",
            "Your Spotify listening history, kept for good, and the ten most played of every month.",
            "",
            *lines,
            "",
            "heavy-rotation COMMAND --help says what a command takes; --version is this one's.",
            "",
        ]
    )


def _refuse(command: str) -> NoReturn:
    from difflib import get_close_matches

    close = get_close_matches(command, COMMANDS, n=1)
    meant = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(COMMANDS)}"
    sys.stderr.write(f"usage: heavy-rotation COMMAND ...\nerror: there is no command {command!r}{meant}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
