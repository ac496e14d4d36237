"""What may go to a terminal: text that does not steer it, and commands as they can be pasted there."""

import re
import shlex
import shutil
import sys
from pathlib import Path

# Control characters but line ends and tabs, other line separators, and those that turn the direction of writing.
# What is left of the kind, such as joiners inside a pictogram, belongs to the text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COMMAND = re.compile(r"(?<![\w/.-])heavy-rotation(?= [a-z])")


def printable(text: str) -> str:
    """The text with what would steer a terminal spelled out: a name in an archive may hold anything."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def typed() -> str:
    """How this command was called, so that what is said to type next can be pasted where the person is."""
    called = Path(sys.argv[0])
    if called.name != "heavy-rotation":
        return f"{shlex.quote(sys.executable)} -m heavy_rotation"
    found = shutil.which("heavy-rotation")
    if found and called.exists() and Path(found).samefile(called):
        return "heavy-rotation"
    here = Path.cwd()
    return shlex.quote(str(called.relative_to(here) if called.is_relative_to(here) else called))


def pasteable(text: str) -> str:
    """The text with each ``heavy-rotation COMMAND`` in it as it was called here. For texts of ours, not for data."""
    return _COMMAND.sub(lambda _: typed(), text)
