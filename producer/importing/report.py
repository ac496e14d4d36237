"""What a person reads after an import."""

import shlex
from datetime import date

from pipelines.domain.month import DEFAULT_TIME_ZONE, month_text
from pipelines.home import warehouse_beside
from producer.importing.importer import Report


def text_of(report: Report, *, time_zone: str, seconds: float, written_to: str | None, tables_follow: bool) -> str:
    """The report of an import, several lines; ``written_to`` is None for a dry run.

    Where the ``tables_follow`` at once, it does not say that they are next.
    """
    lines = [
        f"read        {report.rows:>9,} rows of {_count(report.files, 'file')}",
        f"plays       {report.plays:>9,} {_months(sorted(report.months), time_zone)}".rstrip(),
    ]
    known = {
        "imported before": report.archived,
        "already known from polling": report.polled,
        "already known from the other kind of export": report.exported,
    }
    lines += _lines("known", {what: count for what, count in known.items() if count})
    lines += _lines("left out", {reason.value: count for reason, count in report.left_out.most_common()})
    unreadable = {f"{why} (first: row {it.row} of {it.file})": it.count for why, it in report.unreadable.items()}
    lines += _lines("unreadable", unreadable)
    lines += [f"not read    {what}" for what in (*report.skipped, *report.not_read)]
    if written_to is None:
        lines.append(f"written             0 of {_count(report.new, 'new play')}: this was a dry run")
    else:
        copies = f" and {report.copies:,} further {'copy' if report.copies == 1 else 'copies'}" if report.copies else ""
        files = _count(len(report.written), "file")
        lines.append(f"written     {report.new:>9,} {_noun(report.new, 'play')}{copies} in {files} to {written_to}")
    lines.append(f"took        {seconds:>9.1f} s, {report.rows / max(seconds, 1e-3):,.0f} rows/s")
    if written_to is None:
        lines += ["", "next: the same command without --dry-run"]
    elif report.plays and not tables_follow:
        places = ["--archive", written_to, "--warehouse", warehouse_beside(written_to)]
        rebuild = f"heavy-rotation rebuild {shlex.join(places)}"
        zone = "" if time_zone == DEFAULT_TIME_ZONE else f" --time-zone {time_zone}"
        lines += ["", f"next: {rebuild}{zone}"]
    return "\n".join(lines)


def _lines(label: str, counts: dict[str, int]) -> list[str]:
    labels = iter([label])
    return [f"{next(labels, ''):<12}{count:>9,} {what}" for what, count in counts.items()]


def _months(months: list[date], time_zone: str) -> str:
    if not months:
        return ""
    return f"in {_count(len(months), 'month')}, {month_text(months[0])} to {month_text(months[-1])} ({time_zone})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {_noun(number, noun)}"


def _noun(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"
