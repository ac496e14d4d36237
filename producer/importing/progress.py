"""How far an import is: a bar on a terminal, nothing elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

# What is done now; which part of all is done, 0 to 1; how many rows were read.
Progress = Callable[[str, float, int], None]

_EVERY_SECONDS = 0.1
_CELLS = 24
# Which part of an import is reading and comparing, about; the rest is writing.
_READING = 0.75


def silent(doing: str, part: float, rows: int) -> None:
    """Show nothing."""


class ProgressBar:
    """One line that is written over and over: a bar, percent of bytes, rows a second, the time that is left."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Writes only if the stream is a terminal. ``clock`` counts seconds from whenever it likes."""
        self._stream = stream if stream.isatty() else None
        self._clock = clock
        self._started = clock()
        self._next = self._started

    def __call__(self, doing: str, part: float, rows: int) -> None:
        """Show this, unless something was shown a moment ago."""
        if self._stream and self._clock() >= self._next:
            self._write(_line(doing, part, rows, self._clock() - self._started))
            self._next = self._clock() + _EVERY_SECONDS

    def clear(self) -> None:
        """Leave an empty line to whatever comes next."""
        if self._stream:
            self._write("")

    def _write(self, text: str) -> None:
        assert self._stream
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()


def _line(doing: str, part: float, rows: int, seconds: float) -> str:
    cells = int(_CELLS * part)
    line = f"{doing:<9} {'█' * cells}{'░' * (_CELLS - cells)} {part:>4.0%}"
    if not rows or not part or not seconds:
        return line
    minutes, rest = divmod(round(seconds * (1 - part) / part), 60)
    return f"{line}  {rows / seconds:>7,.0f} rows/s  {minutes}:{rest:02} left"


class Meter:
    """Counts bytes and rows over the files, and tells ``show``."""

    def __init__(self, show: Progress, total_bytes: int, *, writes: bool) -> None:
        """``total_bytes`` is what will be read in all; with ``writes`` that is not the end of it."""
        self._show = show
        self._reading = (_READING if writes else 1) / max(total_bytes, 1)
        self._bytes = 0
        self._rows = 0

    def batches(self, size: int, batches: Iterable[tuple[list[Any], int]]) -> Iterator[list[Any]]:
        """The rows of a file of so many bytes, some at a time; a batch has them, and how many bytes they took."""
        read = 0
        for rows, taken in batches:
            self._show("reading", (self._bytes + min(size, read)) * self._reading, self._rows)
            yield rows
            read += taken
            self._rows += len(rows)
        self._bytes += size

    def comparing(self) -> None:
        """Show that the archive is asked, while no rows are read."""
        self._show("comparing", self._bytes * self._reading, self._rows)

    def writing(self, part: float) -> None:
        """Show that plays are written, and which part of them is, 0 to 1."""
        self._show("writing", _READING + (1 - _READING) * part, self._rows)
