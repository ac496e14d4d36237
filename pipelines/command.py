"""What the commands have in common: how they speak to a person, and how they end."""

import logging
import sys
from collections.abc import Callable

from pipelines.storage import StorageError

INTERRUPTED = 130


class Failure(Exception):  # noqa: N818  it is what the user is told, not a programming error
    """The command can't do what it was asked. The text says why and what to do."""


def report(line: str) -> None:
    """Tell the person at the terminal how it goes. Standard output is for results."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def run_command(name: str, command: Callable[[], None]) -> int:
    """Run a command; its exit code is 0, 1 for a failure that is explained, 130 after Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        command()
    except (Failure, StorageError) as error:
        # Beam adds the step that it happened in, for its developers.
        report(f"{name}: {str(error).partition(' [while running')[0]}")
        return 1
    except KeyboardInterrupt:
        report(f"{name}: interrupted")
        return INTERRUPTED
    return 0
