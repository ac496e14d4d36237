"""What a person sees of an import: a line of progress, then a report."""

import shlex
import time
from datetime import date
from typing import TextIO

from pipelines.domain.month import DEFAULT_TIME_ZONE, month_text
from producer.importing import Report

_LINE_EVERY_SECONDS = 0.1


class ProgressLine:
    """One line on a terminal that is written over and over; nothing where there is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._next = 0.0

    def __call__(self, text: str) -> None:
        """Show the text, unless another was shown a moment ago."""
        if self._stream and time.monotonic() >= self._next:
            self._write(text)
            self._next = time.monotonic() + _LINE_EVERY_SECONDS

    def clear(self) -> None:
        """Leave an empty line to whatever comes next."""
        if self._stream:
            self._write("")

    def _write(self, text: str) -> None:
        assert self._stream
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()


def text_of(report: Report, *, time_zone: str, seconds: float, archive: str | None) -> str:
    """The report of an import, several lines. Without an archive it was a dry run."""
    lines = [
        f"read        {report.rows:>9,} rows of {_count(report.files, 'file')}",
        f"plays       {report.plays:>9,} {_months(sorted(report.months), time_zone)}".rstrip(),
    ]
    labels = iter(["left out"])
    for reason, count in report.left_out.most_common():
        lines.append(f"{next(labels, ''):<12}{count:>9,} {reason.value}")
    labels = iter(["unreadable"])
    for why, unreadable in report.unreadable.items():
        where = f"first: row {unreadable.row} of {unreadable.file}"
        lines.append(f"{next(labels, ''):<12}{unreadable.count:>9,} {why} ({where})")
    if archive is None:
        lines.append("written             0 files: this was a dry run")
    else:
        lines.append(f"written     {len(report.written):>9,} {_noun(len(report.written), 'file')} to {archive}")
    lines.append(f"took        {seconds:>9.1f} s, {report.rows / max(seconds, 1e-3):,.0f} rows/s")
    if archive is None:
        lines += ["", "next: the same command without --dry-run"]
    elif report.plays:
        rebuild = f"python -m pipelines.rebuild --archive {shlex.quote(archive)} --warehouse WAREHOUSE"
        zone = "" if time_zone == DEFAULT_TIME_ZONE else f" --time_zone {time_zone}"
        lines += ["", f"next: {rebuild}{zone}"]
    return "\n".join(lines)


def _months(months: list[date], time_zone: str) -> str:
    if not months:
        return ""
    return f"in {_count(len(months), 'month')}, {month_text(months[0])} to {month_text(months[-1])} ({time_zone})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {_noun(number, noun)}"


def _noun(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"
