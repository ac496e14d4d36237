"""What the commands have in common: how they speak to a person, and how they end."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.failure import Failure
from pipelines.logs import JsonLines, is_json_wanted, json_line
from pipelines.terminal import pasteable, printable

INTERRUPTED = 130


def report(line: str, level: int = logging.INFO, logger: str = "pipelines") -> None:
    """Tell the person at the terminal how it goes, or Cloud Logging. Standard output is for results."""
    if is_json_wanted(os.environ):
        text = json_line(level, line, logger)
    else:
        text = printable(pasteable(f"error: {line}" if level >= logging.ERROR else line))
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _without_stack_trace(record: logging.LogRecord) -> bool:
    """Beam logs what a step raises at each attempt, with all of the stack. What is explained needs none."""
    error = sys.exception()
    if isinstance(error, Failure):
        record.msg, record.args, record.exc_info, record.exc_text = _plain(error), (), None, None
    return not _is_interrupt(error)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: in a step, Beam makes another exception of it."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _plain(error: Exception) -> str:
    return str(error).partition(" [while running")[0]  # Beam says in which step


def run_command(command: Callable[[], str | bool | None], *, logger: str = "pipelines") -> int:
    """Run a command, and print the text that it gives back, with commands in it as they can be pasted.

    The exit code is 0, 1 for a Failure and where the command says False, having told why, and 130 after Ctrl-C; for a
    wrong command line, which raises SystemExit, it is 2.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_without_stack_trace)
    handler.setFormatter(JsonLines() if is_json_wanted(os.environ) else _Printable())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        result = command()
        if isinstance(result, str):
            print(printable(pasteable(result)))  # noqa: T201
    except Failure as error:
        report(_plain(error), logging.ERROR, logger)
        return 1
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("pipelines", "producer", "web"):
            raise
        report(f"{missing.name} is not installed here: pip install 'heavy-rotation[all]'", logging.ERROR, logger)
        return 1
    except BaseException as error:
        if not _is_interrupt(error):
            raise
        report("stopped; what was written is whole, and the same command can be run again", logging.WARNING, logger)
        return INTERRUPTED
    return 1 if result is False else 0


class _Printable(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return printable(pasteable(super().format(record)))


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """While the block runs, SIGTERM raises KeyboardInterrupt in the main thread, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
