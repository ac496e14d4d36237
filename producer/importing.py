"""Exports into the archive, in two passes over the files.

The first pass reads every file, finds whatever is wrong with one before anything is written, and decides the
identity of every play. The second reads the files again, one at a time, and writes the plays by month.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from pipelines.archive import Archive
from pipelines.domain.instants import MILLISECOND
from pipelines.domain.month import Calendar
from pipelines.domain.play import Play, UnreadableError
from pipelines.domain.spotify import LeftOut, LeftOutError
from producer import same_instant
from producer.errors import ExportError
from producer.exports import ExportFile, treatment

# Plays held in memory while their months fill up, and so the most that a file of the archive can get.
_HELD_PLAYS = 50_000

Progress = Callable[[str], None]


@dataclass
class Unreadable:
    """How many rows could not be read for one reason, and where the first of them is (rows count from 1)."""

    file: str
    row: int
    count: int = 0


@dataclass
class Report:
    """What an import found and wrote."""

    files: int = 0
    rows: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    months: Counter[date] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)

    @property
    def plays(self) -> int:
        """How many different plays the export holds."""
        return self.months.total()


@dataclass(frozen=True)
class Importer:
    """Imports exports for one user. ``ingested_at`` is the same for all of their plays."""

    user_id: str
    calendar: Calendar
    ingested_at: datetime
    progress: Progress = lambda _: None

    def run(self, files: list[ExportFile], archive: Archive | None) -> Report:
        """Read the files and write their plays; without an archive, only say what would be written.

        Raises ExportError before anything is written where a file is broken, and StorageError where the
        archive cannot be written. What was written by then are whole files with the right identities:
        importing again completes them.
        """
        report = Report(files=len(files))
        settled = self._survey(files, report)
        if archive is not None:
            for month, plays in self._by_month(self._told_apart(files, settled), report.months):
                report.written.append(archive.write(month, plays))
        return report

    def _survey(self, files: list[ExportFile], report: Report) -> same_instant.Settled:
        """The first pass: everything of the report but the files written."""
        counting = same_instant.Rows()
        for number, file in enumerate(files, start=1):
            self.progress(f"reading {number} of {len(files)}, {report.rows:,} rows so far")
            rows = file.rows()
            report.rows += len(rows)
            for play in self._plays(file, rows, report):
                counting.add(play)
        settled = counting.settle()
        if settled.duplicates:
            report.left_out[LeftOut.DUPLICATE] = settled.duplicates
        report.months.update(map(self.calendar.month_of, settled.instants()))
        return settled

    def _plays(self, file: ExportFile, rows: list[Any], report: Report) -> Iterator[Play]:
        """The rows that count, with the export's own instants; the others into the report."""
        read = treatment(file, rows)
        if isinstance(read, LeftOut):
            report.left_out[read] += len(rows)
            return
        for number, row in enumerate(rows, start=1):
            try:
                yield read(self.user_id, row, self.ingested_at)
            except LeftOutError as error:
                report.left_out[error.reason] += 1
            except UnreadableError as error:
                report.unreadable.setdefault(str(error), Unreadable(file.short_name, number)).count += 1

    def _told_apart(self, files: list[ExportFile], settled: same_instant.Settled) -> Iterator[Play]:
        """The second pass: each play once, with its identity."""
        verdicts = iter(settled)
        for number, file in enumerate(files, start=1):
            self.progress(f"writing {number} of {len(files)}")
            for play in self._plays(file, file.rows(), Report()):
                key, offset = next(verdicts, (None, 0))
                if key != same_instant.key(play):
                    raise ExportError(f"{file.name} changed while it was read; run the import again")
                if offset != same_instant.DUPLICATE:
                    yield replace(play, played_at=play.played_at + offset * MILLISECOND) if offset else play

    def _by_month(self, plays: Iterable[Play], expected: Counter[date]) -> Iterator[tuple[date, list[Play]]]:
        """Plays of one month at a time: a month when it is complete, the fullest when too many are held."""
        held: dict[date, list[Play]] = {}
        missing = expected.copy()
        holding = 0
        for play in plays:
            month = self.calendar.month_of(play.played_at)
            held.setdefault(month, []).append(play)
            holding += 1
            missing[month] -= 1
            if missing[month] and holding < _HELD_PLAYS:
                continue
            if missing[month]:
                month = max(held, key=lambda month: len(held[month]))
            holding -= len(held[month])
            yield month, held.pop(month)
