"""What the commands have in common: how they speak to a person, and how they end."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.failure import Failure

INTERRUPTED = 130


def report(line: str) -> None:
    """Tell the person at the terminal how it goes. Standard output is for results."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


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


def run_command(name: str, command: Callable[[], None]) -> int:
    """Run a command; its exit code is 0, 1 for a failure that is explained, 130 after Ctrl-C."""
    handler = logging.StreamHandler()
    handler.addFilter(_without_stack_trace)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    try:
        command()
    except Failure as error:
        report(f"{name}: {_plain(error)}")
        return 1
    except BaseException as error:
        if not _is_interrupt(error):
            raise
        report(f"{name}: interrupted")
        return INTERRUPTED
    return 0


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """While the block runs, SIGTERM raises KeyboardInterrupt in the main thread, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
