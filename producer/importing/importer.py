"""Exports into the archive, in two passes over the files.

The first pass reads every file and finds whatever is wrong with one before anything is written. Then the archive
and the account's state are asked what they know of the same months, and every play gets its identity. The newest are
kept in the state, for polls that list them later. The second pass reads the files again, one at a time, and writes by
month the plays that the archive does not have.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from pipelines.archive import Archive
from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import SOURCE_RANK, Play, UnreadableError
from pipelines.domain.spotify import LeftOut, LeftOutError
from producer.errors import ExportError
from producer.identity.reconciling import DUPLICATE, Identities, identities, newest
from producer.identity.rows import ACCOUNT, Copies, Rows, Tracks
from producer.importing.exports import ExportFile, treatment
from producer.importing.known_plays import read_copies, touched_months
from producer.importing.progress import Meter, Progress, silent
from producer.state.cursor import Cursor, Cursors

# Plays held in memory while their months fill up, and so the most that a file of the archive can get.
_HELD_PLAYS = 50_000

Span = tuple[datetime, datetime]


@dataclass
class Unreadable:
    """How many rows could not be read for one reason, and where the first of them is (rows count from 1)."""

    file: str
    row: int
    count: int = 0


@dataclass
class Report:
    """What an import found and wrote. A dry run finds the same, and writes nothing.

    ``months`` counts the plays of the export by month; of these, ``polled`` were known from polling, ``exported``
    only from the other kind of export, and ``archived`` were imported before. ``covered`` has the first and the
    last play (UTC) of each export: plays that the account made in between are known now.
    """

    files: int = 0
    rows: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    months: Counter[date] = field(default_factory=Counter)
    covered: list[Span] = field(default_factory=list)
    polled: int = 0
    exported: int = 0
    archived: int = 0
    written: list[str] = field(default_factory=list)

    @property
    def plays(self) -> int:
        """How many different plays the export holds."""
        return self.months.total()

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
    """Imports exports for one user. ``ingested_at`` is the same for all of their plays."""

    user_id: str
    calendar: Calendar
    ingested_at: datetime
    cursors: Cursors
    progress: Progress = silent

    def run(self, files: list[ExportFile], archive: Archive | None, *, dry_run: bool = False) -> Report:
        """Read the files and write their plays; in a dry run or without an archive, only say what would be written.

        Raises ExportError before anything is written where a file is broken, and StorageError and StateError where
        archive or state cannot be read or written. What was written by then are whole files with the right identities:
        importing again completes them.
        """
        dry_run = dry_run or archive is None
        report = Report(files=len(files))
        meter = Meter(self.progress, sum(file.size for file in files) * (1 if dry_run else 2))
        rows = self._survey(files, report, meter)
        decided = self._decide(rows, self._copies(rows, archive, meter), dry_run=dry_run)
        missing = self._count(decided, report)
        if archive is not None and not dry_run and missing:
            known_ids = rows.all_tracks.ids_by_names() if ACCOUNT in rows.sources else {}
            plays = self._identified(files, rows, decided, known_ids, meter)
            for month, of_month in self._by_month(plays, missing):
                report.written.append(archive.write(month, of_month))
        return report

    def _survey(self, files: list[ExportFile], report: Report, meter: Meter) -> Rows:
        """The first pass: the rows that count, and what the files say into the report."""
        found = Rows(Tracks())
        spans: dict[tuple[Path, int], list[int]] = {}
        for file in files:
            start = len(found)
            for play in self._plays(file, report, meter, "reading"):
                track = found.all_tracks.number(play.track_id, _artist(play), play.track_name)
                found.add(to_millis(play.played_at), SOURCE_RANK[play.source], track, play.ms_played)
            instants = found.instants[start:]
            if instants:
                span = spans.setdefault((file.place, found.sources[start]), [])
                span += [min(instants), max(instants)]
        report.covered = [(from_millis(min(span)), from_millis(max(span))) for span in spans.values()]
        return found

    def _plays(self, file: ExportFile, report: Report, meter: Meter, doing: str) -> Iterator[Play]:
        """A file's rows that count, with the export's own instants; the others into the report."""
        rows = file.rows()
        report.rows += len(rows)
        read = treatment(file, rows)
        for number, row in enumerate(meter.rows(doing, file.size, rows), start=1):
            if isinstance(read, LeftOut):
                report.left_out[read] += 1
                continue
            try:
                yield read(self.user_id, row, self.ingested_at)
            except LeftOutError as error:
                report.left_out[error.reason] += 1
            except UnreadableError as error:
                report.unreadable.setdefault(str(error), Unreadable(file.short_name, number)).count += 1

    def _copies(self, rows: Rows, archive: Archive | None, meter: Meter) -> Copies:
        if archive is None:
            return Copies(rows.all_tracks)
        months = touched_months(rows.instants, self.calendar)
        return read_copies(archive, months, self.user_id, rows.all_tracks, lambda: meter.tell("comparing"))

    def _decide(self, rows: Rows, copies: Copies, *, dry_run: bool) -> Identities:
        """Every row's instant. It is settled in the state before anything is written, as a poll's is."""
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

    def _count(self, decided: Identities, report: Report) -> Counter[date]:
        """What was decided into the report; the plays that the archive does not have, by month."""
        missing: Counter[date] = Counter()
        for instant, archived in zip(decided.instants, decided.archived, strict=True):
            if instant == DUPLICATE:
                report.left_out[LeftOut.DUPLICATE] += 1
                continue
            month = self.calendar.month_of(from_millis(instant))
            report.months[month] += 1
            if not archived:
                missing[month] += 1
        report.polled, report.exported = decided.polled, decided.exported
        report.archived = report.plays - missing.total()
        return missing

    def _identified(
        self,
        files: list[ExportFile],
        rows: Rows,
        decided: Identities,
        known_ids: dict[tuple[str, str], str],
        meter: Meter,
    ) -> Iterator[Play]:
        """The second pass: each play that the archive does not have once, with its identity."""
        verdicts = zip(rows.instants, rows.sources, decided.instants, decided.archived, strict=True)
        for file in files:
            for play in self._plays(file, Report(), meter, "writing"):
                own, source, instant, archived = next(verdicts, (None, None, DUPLICATE, 0))
                if (own, source) != (to_millis(play.played_at), SOURCE_RANK[play.source]):
                    raise ExportError(f"{file.name} changed while it was read; run the import again")
                if instant == DUPLICATE or archived:
                    continue
                track_id = play.track_id
                if source == ACCOUNT:
                    track_id = known_ids.get((_artist(play), play.track_name), track_id)
                if instant != own or track_id != play.track_id:
                    play = replace(play, played_at=from_millis(instant), track_id=track_id)
                yield play

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


def _artist(play: Play) -> str:
    return play.artists[0].name if play.artists else ""
