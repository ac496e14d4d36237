"""Exports into the archive.

Every file is read, and whatever is wrong with one is found, before anything is written. Then the archive and the
account's state are asked what they know of the same months, and every play gets its identity. The newest are kept in
the state, for polls that list them later. The plays that the archive does not have are written, by month.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from pipelines.domain.exports import LeftOut, LeftOutError
from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import UnreadableError
from pipelines.storage.archive import Archive
from producer.identity.newest import newest
from producer.identity.reconciling import DUPLICATE, Identities, identities
from producer.identity.rows import Copies, Rows
from producer.importing.containers import ExportError
from producer.importing.coverage import Coverage
from producer.importing.exports import ExportFile
from producer.importing.found import Found
from producer.importing.known_plays import read_copies, touched_months
from producer.importing.left_out import LeftOutByMonth
from producer.importing.owners import Owners
from producer.importing.progress import Meter, Progress, silent
from producer.importing.writing import Writer
from producer.state.cursor import Cursor, Cursors

Span = tuple[datetime, datetime]
# Of many files so many are named.
_TOLD = 20


@dataclass
class Unreadable:
    """How many rows could not be read for one reason, and where the first of them is (rows count from 1)."""

    file: str
    row: int
    count: int = 0


@dataclass
class Report:
    """What an import found and wrote. A dry run finds the same, and writes nothing.

    Every row is a play or left out for a reason: one that both kinds of export have is a play once. ``months`` counts
    the plays by month; of these, ``archived`` were imported before, ``polled`` of the others were known from polling,
    ``exported`` only from the other kind of export. What was ``written`` are the files' paths, with ``copies`` of plays
    that were known, which say more of them. ``covered`` has the first and the last instant (UTC) of files
    that follow on each other: plays that the account made in between are known now. ``other_archive`` is the one that
    the state is of, where it is not the one written to: then no state is changed. ``skipped`` says of each file that
    could not be read why, ``not_read`` what only looked like listening history. ``by_month`` has what was left out by
    month and reason, plays that are there twice apart.
    """

    files: int = 0
    rows: int = 0
    skipped: list[str] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    by_month: LeftOutByMonth = field(default_factory=LeftOutByMonth)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    months: Counter[date] = field(default_factory=Counter)
    covered: list[Span] = field(default_factory=list)
    other_archive: str | None = None
    polled: int = 0
    exported: int = 0
    archived: int = 0
    copies: int = 0
    written: list[str] = field(default_factory=list)

    @property
    def plays(self) -> int:
        """How many different plays the export holds."""
        return self.months.total()

    @property
    def counts(self) -> dict[str, Any]:
        """What is kept of it, as JSON: so that what was left out can be told later."""
        return {
            "files": self.files,
            "rows": self.rows,
            "plays": self.plays,
            "new": self.new,
            "left_out": {reason.value: count for reason, count in self.left_out.most_common()},
            "left_out_by_month": self.by_month.as_json(),
            "unreadable": sum(found.count for found in self.unreadable.values()),
        }

    @property
    def new(self) -> int:
        """How many plays were not known before, neither from polling nor from an import."""
        return self.plays - self.archived - self.polled - self.exported

    @property
    def first(self) -> datetime | None:
        """The first play (UTC), None if there is none."""
        return min((first for first, _ in self.covered), default=None)

    @property
    def last(self) -> datetime | None:
        """The last play (UTC), None if there is none."""
        return max((last for _, last in self.covered), default=None)


@dataclass(frozen=True)
class Importer:
    """Imports exports for one user. ``ingested_at`` is the same for all of their plays.

    With ``skip_unreadable`` files that cannot be read are passed over, as long as one can be.
    """

    user_id: str
    calendar: Calendar
    ingested_at: datetime
    cursors: Cursors
    progress: Progress = silent
    skip_unreadable: bool = False

    def run(self, files: list[ExportFile], archive: Archive | None, *, dry_run: bool = False) -> Report:
        """Read the files and write their plays; in a dry run or without an archive, only say what would be written.

        Raises ExportError before anything is written where a file is broken, or the files are of two accounts, and
        StorageError and StateError where archive or state cannot be read or written. What was written by then are whole
        files with the right identities: importing again completes them.
        """
        dry_run = dry_run or archive is None
        report, meter = Report(), self._meter(files, dry_run=dry_run)
        found, readable = self._read(files, report, meter)
        if report.skipped:
            if not (readable and self.skip_unreadable):
                raise ExportError(_refusal(report.skipped, readable))
            # Of a file that is broken somewhere nothing counts, so the others are gone through alone.
            files, report, meter = readable, Report(skipped=report.skipped), self._meter(readable, dry_run=dry_run)
            found, again = self._read(files, report, meter)
            if len(again) < len(files):
                raise ExportError("a file changed while it was read; run the import again")
        if archive is not None and not self.cursors.are_of(archive.root, claims=not dry_run):
            report.other_archive = self.cursors.archive()
        decided = self._decide(found.rows, self._copies(found.rows, archive, meter), report, dry_run=dry_run)
        missing = self._count(decided, report)
        report.copies = missing - report.new
        if archive is not None and not dry_run and missing:
            writer = Writer(archive, self.calendar, self.user_id, self.ingested_at, meter)
            report.written += writer.write(found, decided)
        return report

    def _meter(self, files: list[ExportFile], *, dry_run: bool) -> Meter:
        return Meter(self.progress, sum(file.size for file in files), writes=not dry_run)

    def _read(self, files: list[ExportFile], report: Report, meter: Meter) -> tuple[Found, list[ExportFile]]:
        """The rows that count, and the files that can be read; what they say goes into the report."""
        found, owners = Found(), Owners()
        readable: list[ExportFile] = []
        coverage = Coverage()
        for file in files:
            first = len(found.rows)
            try:
                self._read_file(file, meter.batches(file.size, owners.watching(file, file.batches())), found, report)
            except ExportError as error:
                report.skipped.append(str(error))
                continue
            readable.append(file)
            # An export has what was reported while it covers the account, whenever it was heard.
            coverage.add(file, found.rows.reported[first:], found.rows.sources[first:])
        if len(readable) == len(files):
            owners.check()
        report.files = len(readable)
        for source, first, last in coverage.spans():
            found.rows.spans.setdefault(source, []).append((first, last))
            report.covered.append((from_millis(first), from_millis(last)))
        return found, readable

    def _read_file(self, file: ExportFile, batches: Iterator[list[Any]], found: Found, report: Report) -> None:
        """A file's rows: those that count into ``found``, the others, by reason, into the report."""
        read, add, read_at = file.reader, found.add, to_millis(self.ingested_at)
        before = 0
        for rows in batches:
            for place, row in enumerate(rows, start=before + 1):
                try:
                    add(read(row, read_at))
                except LeftOutError as error:
                    report.left_out[error.reason] += 1
                    report.by_month.add(row, error.reason, self.calendar)
                except UnreadableError as error:
                    report.unreadable.setdefault(str(error), Unreadable(file.short_name, place)).count += 1
            before += len(rows)
        report.rows += before

    def _copies(self, rows: Rows, archive: Archive | None, meter: Meter) -> Copies:
        if archive is None:
            return Copies(rows.all_tracks)
        months = touched_months(rows.instants, self.calendar)
        return read_copies(archive, months, self.user_id, rows.all_tracks, meter.comparing)

    def _decide(self, rows: Rows, copies: Copies, report: Report, *, dry_run: bool) -> Identities:
        """Every row's instant. It is settled in the state before anything is written, as a poll's is.

        A state of another archive knows nothing of this one's plays, and is left as it is.
        """
        if report.other_archive is not None:
            return identities(rows, copies)
        found: list[Identities] = []

        def settled(cursor: Cursor) -> Cursor:
            # What was polled a moment ago may not be in the archive yet.
            known = copies.with_polled(cursor.polled)
            found.append(identities(rows, known))
            return replace(cursor, imported=newest(rows, known, found[-1], cursor.imported))

        known = self.cursors.read(self.user_id)
        if dry_run:
            settled(known.cursor)
        else:
            self.cursors.change(known, settled)
        return found[-1]

    def _count(self, decided: Identities, report: Report) -> int:
        """What was decided into the report; how many rows the archive does not have."""
        plays: Counter[int] = Counter()
        missing = 0
        for instant, is_archived, in_both in zip(decided.instants, decided.archived, decided.in_both, strict=True):
            # Counted by the number of the month: a date for each play would take longer than all the rest.
            month = DUPLICATE if instant == DUPLICATE else bisect_right(self.calendar.starts, instant)
            if in_both:
                report.left_out[LeftOut.DUPLICATE] += 1
            else:
                plays[month] += 1
                report.archived += is_archived
            missing += not is_archived and month != DUPLICATE
        report.left_out[LeftOut.DUPLICATE] += plays.pop(DUPLICATE, 0)
        report.left_out = +report.left_out
        starts = self.calendar.starts
        for month, count in plays.items():
            report.months[self.calendar.month_of(from_millis(starts[month - 1]))] = count
        report.polled, report.exported = decided.polled, decided.exported
        return missing


def _refusal(problems: list[str], readable: list[ExportFile]) -> str:
    """What cannot be read, and what could be done about it."""
    told = problems[:_TOLD] + [f"and {len(problems) - _TOLD:,} more"] * (len(problems) > _TOLD)
    if readable:
        names = [file.name for file in readable[:_TOLD]]
        names += [f"{len(readable) - _TOLD:,} more"] * (len(readable) > _TOLD)
        told.append(f"nothing was written; --skip-unreadable imports the files that can be read: {', '.join(names)}")
    return "\n".join(told)
