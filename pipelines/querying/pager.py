"""What is longer than a terminal goes through a pager, as git's answers do."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TextIO

# Colours as they are, nothing is cleared, and no pager for what fits; chop long lines where asked to.
_LESS, _CHOPPED = "FRX", "S"


def write(texts: Iterable[str], stream: TextIO, *, pages: bool, chops: bool = False) -> None:
    """Write texts, through $PAGER or ``less`` where they are longer than the terminal, and ``pages`` allows it.

    With ``chops`` lines are cut at the terminal's edge, and the arrow keys show what is right of it.
    """
    command = pager_of(os.environ) if pages and stream.isatty() else None
    if not command:
        stream.writelines(texts)
        stream.flush()
        return
    text = "".join(texts)
    size = shutil.get_terminal_size()
    if text.count("\n") < size.lines and not (chops and any(len(line) > size.columns for line in text.splitlines())):
        stream.write(text)
        stream.flush()
        return
    # A limit on a query's time is none on a reader's, and Ctrl-C is the pager's to understand.
    signal.setitimer(signal.ITIMER_REAL, 0)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    less = os.environ.get("LESS", _LESS + (_CHOPPED if chops else ""))
    try:
        # PAGER is a command of the person's own, options and pipes included.
        with subprocess.Popen(  # noqa: S602
            command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=stream,
            text=True,
            env={"LESSCHARSET": "utf-8"} | os.environ | {"LESS": less},
        ) as pager:
            assert pager.stdin
            with suppress(BrokenPipeError):  # who reads has read enough
                pager.stdin.write(text)
                pager.stdin.close()
    finally:
        signal.signal(signal.SIGINT, before)


def pager_of(environment: Mapping[str, str]) -> str | None:
    """The command of a pager, for a shell; None where there is none, or the terminal cannot."""
    command = environment.get("PAGER", "less").strip()
    with suppress(ValueError):
        program = next(iter(shlex.split(command)), "cat")
        if program != "cat" and environment.get("TERM") != "dumb" and shutil.which(program):
            return command
    return None
