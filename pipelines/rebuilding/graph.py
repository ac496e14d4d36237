"""The steps of the rebuild: a plan, archive files in, finished files in a staging place, months replaced.

Work goes by columns: a file is read whole, split by month and by user, and each part is finished at once. What
crosses a shuffle is a part in Arrow's format, not a play. Files are listed by the first step, not by who makes the
graph.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import AsList, AsSingleton, PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.domain.month import Calendar, month_text
from pipelines.rebuilding import columns
from pipelines.rebuilding.planning import Plan, Work, make_plan
from pipelines.rebuilding.reading import GoneError, in_groups, read_bytes, side_by_side
from pipelines.rebuilding.replacing import FileRead, Month, Ready, finish, prepare, remove_staged, replace_months
from pipelines.rebuilding.target import Staged, Staging
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError

NAMESPACE = "heavy_rotation"
# A month of many users is too much for one worker's memory; all plays of one user have to meet in one part.
_PARTS = 16
# Plays that are finished at once, if not one part has more: some hundred megabytes.
_TOGETHER = 200_000

Part = tuple[str, int]
_FILES = "files"


def build(pipeline: beam.Pipeline, work: Work, staging: Staging, *, fails: bool) -> None:
    """The rebuild's steps, from a plan to replaced months; what came of it is written to ``staging.result``.

    Months replace their old rows only when everything was read and made. Files that cannot be read leave the months
    that they may belong to as they are. ``fails``: where something was left, the last step fails.
    """
    plan = (
        pipeline
        | "Begin" >> beam.Impulse()
        | "Plan" >> beam.Map(_plan, work).with_output_types(Plan)
        # Behind a shuffle the plan is the same for all steps, and for each of their tries.
        | "Keep the plan" >> beam.Reshuffle()
    )
    read = (
        plan
        | "List files" >> beam.FlatMap(_groups_of_files).with_output_types(list[str])
        | "Spread files" >> beam.Reshuffle()
        | "Read parts" >> ReadParts(work.archive, work.options.calendar, plan)
    )
    made = read.parts | "Finish parts" >> FinishParts(staging, work.options.calendar, plan)
    ready = plan | "Prepare" >> beam.Map(prepare, AsList(made), AsList(read[_FILES]), work).with_output_types(Ready)
    plan | "Replace" >> Replace(work, staging, ready, fails)


@dataclass
class ReadParts(beam.PTransform[Any, Any]):
    """Groups of paths to ``parts``, ``((month, part), plays)`` with plays as an Arrow stream, and to ``files``.

    Those are a ``FileRead`` of each file. What cannot be read is told there, and the others go on.
    """

    archive: Archive
    calendar: Calendar
    plan: PCollection[Plan]

    def expand(self, paths: PCollection[list[str]]) -> Any:
        """Plays of other months than the plan's are passed over."""
        reading = beam.ParDo(_ReadFiles(self.archive, self.calendar), AsSingleton(self.plan))
        return paths | "Read files" >> reading.with_outputs(_FILES, main="parts")


class _ReadFiles(beam.DoFn):
    def __init__(self, archive: Archive, calendar: Calendar) -> None:
        self.archive = archive
        self.calendar = calendar
        self.read = Metrics.counter(NAMESPACE, "plays_read")
        self.unreadable = Metrics.string_set(NAMESPACE, "unreadable")

    def process(self, paths: list[str], plan: Plan) -> Iterator[Any]:
        for file, plays in side_by_side(partial(self._read, now=plan.now), paths):
            if file.trouble:
                self.unreadable.add(file.trouble)
            if plan.months is not None:
                plays = plays.filter(pl.col("month").is_in(plan.months))
            self.read.inc(plays.height)
            yield TaggedOutput(_FILES, file.with_plays(plays.height))
            plays = plays.with_columns(part=pl.col("user_id").hash() % _PARTS)
            for (month, part), rows in plays.partition_by("month", "part", as_dict=True, include_key=True).items():
                yield (month_text(month), int(part)), _to_bytes(rows.drop("part"))

    def _read(self, path: str, now: datetime) -> tuple[FileRead, pl.DataFrame]:
        nothing = columns.with_local_time(columns.no_plays(), self.calendar)
        try:
            data = read_bytes(self.archive, path)
        except GoneError:
            return FileRead(path, is_gone=True), nothing
        try:
            plays, passed_over = columns.possible(columns.read_plays(path, data), now)
        except StorageError as error:
            return FileRead(path, trouble=str(error)), nothing
        # Read after the plan's instant: who was forgotten before it is known here.
        left = columns.remembered(plays, self.archive.marks.lately())
        forgotten, plays = plays.height - left.height, columns.with_local_time(left, self.calendar)
        return FileRead(path, columns.months_of(plays), passed_over=passed_over, forgotten=forgotten), plays


@dataclass
class FinishParts(beam.PTransform[Any, Any]):
    """Parts to files of ``play_events`` and ``top_ten_snapshots`` in the staging place."""

    staging: Staging
    calendar: Calendar
    plan: PCollection[Plan]

    def expand(self, parts: PCollection[tuple[Part, bytes]]) -> PCollection[Staged]:
        """In the global window of a bounded pipeline."""
        return (
            parts
            | "Collect parts" >> beam.GroupByKey()
            | "Finish parts"
            >> beam.ParDo(_FinishParts(self.staging, self.calendar), AsSingleton(self.plan)).with_output_types(Staged)
        )


class _FinishParts(beam.DoFn):
    """Takes parts together, since a hundred small ones would cost a hundred times what one costs."""

    def __init__(self, staging: Staging, calendar: Calendar) -> None:
        self.staging = staging
        self.calendar = calendar
        self.distinct = Metrics.counter(NAMESPACE, "plays_distinct")
        self.waiting: list[pl.DataFrame] = []
        self.plan: Plan | None = None

    def start_bundle(self) -> None:
        self.waiting = []

    def process(self, element: tuple[Part, Iterable[bytes]], plan: Plan) -> Iterator[Staged]:
        _, batches = element
        self.plan = plan
        self.waiting += map(_from_bytes, batches)
        if sum(plays.height for plays in self.waiting) >= _TOGETHER:
            yield from self._finish(plan)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self.waiting and self.plan:
            for staged in self._finish(self.plan):
                yield WindowedValue(staged, MIN_TIMESTAMP, (GlobalWindow(),))

    def _finish(self, plan: Plan) -> Iterator[Staged]:
        plays = columns.with_keys(columns.each_once(pl.concat(self.waiting)))
        self.waiting = []
        self.distinct.inc(plays.height)
        snapshots = columns.snapshots(plays, self.calendar, plan.now)
        for table, rows in (("play_events", plays), ("top_ten_snapshots", snapshots)):
            for (month,), of_month in rows.partition_by("month", as_dict=True).items():
                path = self.staging.write(table, month, of_month.to_arrow())
                yield Staged(table, month, str(path), of_month.height)


@dataclass
class Replace(beam.PTransform[Any, Any]):
    """What is ready takes the place of what was there, month by month, some of them side by side.

    A try that is repeated begins with the months it failed in, not with the first. At the end it is noted what was
    made.
    """

    work: Work
    staging: Staging
    ready: PCollection[Ready]
    fails: bool

    def expand(self, plan: PCollection[Plan]) -> PCollection[None]:
        """A plan, with what is ready beside it."""
        target = self.work.target
        replaced = (
            self.ready
            | "Months" >> beam.FlatMap(_groups_of_months, target.at_once)
            | "Spread months" >> beam.Reshuffle()
            | "Replace months" >> beam.FlatMap(replace_months, target)
        )
        return (
            plan
            | "When all are replaced"
            >> beam.Map(finish, AsSingleton(self.ready), AsList(replaced), self.work, self.staging)
            # Behind a shuffle: once the files are removed, nothing that needs them is tried again.
            | "Finish once" >> beam.Reshuffle()
            | "Remove staged files" >> beam.Map(remove_staged, self.staging, self.fails)
        )


def _plan(_: bytes, work: Work) -> Plan:
    return make_plan(work)


def _groups_of_files(plan: Plan) -> Iterator[list[str]]:
    return in_groups(plan.paths)


def _groups_of_months(ready: Ready, at_once: int) -> Iterator[list[Month]]:
    months = ready.months
    for n in range(0, len(months), at_once):
        yield list(months[n : n + at_once])


def _to_bytes(plays: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    plays.write_ipc_stream(stream, compression="lz4")
    return stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
