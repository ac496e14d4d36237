"""PNG of an SVG by resvg, with the fonts that this machine has.

What has no glyph in any of them is left out, and told: a box says nothing. Only resvg knows what that is, and says so
to whoever reads the process's output: so it has a process of its own.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

from pipelines.failure import Failure

_MISSING = re.compile(r"No fonts with a .*?/U\+([0-9A-F]+) character were found")
_PATIENCE_SECONDS = 60
# One that is drawn holds the fonts of the machine in memory.
_TRIES = 4


@dataclass(frozen=True)
class Picture:
    """``missing`` are the characters that this machine has no glyph for, in the order of their numbers."""

    png: bytes
    missing: tuple[str, ...]


def png_of(svg: str) -> Picture:
    """The picture in the SVG's own size. Raises Failure."""
    missing: set[str] = set()
    for _ in range(_TRIES):
        png, found = _drawn(svg)
        if not found:
            break
        missing |= found
        svg = re.sub(f"[{''.join(map(re.escape, sorted(found)))}]+", "…", svg)
    return Picture(png, tuple(sorted(missing)))


def _drawn(svg: str) -> tuple[bytes, set[str]]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=svg.encode(),
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"the picture took more than {_PATIENCE_SECONDS} seconds to draw, and is given up") from None
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        raise Failure(f"the picture cannot be drawn: {(said.strip().splitlines() or ['resvg says nothing'])[-1]}")
    return done.stdout, {chr(int(code, 16)) for code in _MISSING.findall(said)}


def main() -> None:
    """An SVG from standard input, its PNG to standard output."""
    import resvg_py

    # What resvg has to say goes to file descriptor 1, where the picture goes too.
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        svg = sys.stdin.buffer.read().decode()
        out.write(bytes(resvg_py.svg_to_bytes(svg_string=svg, log_information=True)))


if __name__ == "__main__":
    main()
