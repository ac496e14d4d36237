"""The steps of the rebuild: a plan, archive files in, finished files in a staging place, months replaced.

Work goes by columns: a file is read whole, split by month and by user, and each part is finished at once. What
crosses a shuffle is a part in Arrow's format, not a play. Files are listed by the first step, not by who makes the
graph.

All goes through shuffles, and nothing through side inputs, tags or the ends of bundles: Beam's runner on Dask computes
the first anew for each element, and loses the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam
import polars as pl
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection

from pipelines.domain.instants import to_millis
from pipelines.domain.month import Calendar, month_text
from pipelines.rebuilding import columns
from pipelines.rebuilding.finishing import NAMESPACE, FinishParts, Packed, Part, packed
from pipelines.rebuilding.planning import Plan, Work, make_plan
from pipelines.rebuilding.reading import GoneError, in_groups, read_bytes, side_by_side
from pipelines.rebuilding.replacing import (
    FileRead,
    Month,
    Ready,
    Result,
    finish,
    prepare,
    remove_staged,
    replace_months,
)
from pipelines.rebuilding.target import Staging
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError

# A month of many users is too much for one worker's memory; all plays of one user have to meet in one part.
_PARTS = 16
# In so many groups, at most, and one for so many files.
_GROUPS = 16
_FILES_A_GROUP = 200
_READ = Metrics.counter(NAMESPACE, "plays_read")
_UNREADABLE = Metrics.string_set(NAMESPACE, "unreadable")


class Paths(NamedTuple):
    """Files to read, with what a reader needs of the plan."""

    paths: list[str]
    months: tuple[date, ...] | None
    now: datetime
    groups: int


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
    parts, files = (
        plan
        | "List files" >> beam.FlatMap(_files_to_read).with_output_types(Paths)
        | "Spread files" >> beam.Reshuffle()
        | "Read parts" >> ReadParts(work.archive, work.options.calendar)
    )
    made = parts | "Finish parts" >> FinishParts(staging, work.options.calendar)
    ready = (plan, files, made) | "Bring together" >> Together() | "Prepare" >> beam.Map(prepare, work)
    ready | "Replace" >> Replace(work, staging, fails)


@dataclass
class Together(beam.PTransform[Any, Any]):
    """Bounded collections to one element: the list of all of theirs, in no order."""

    def expand(self, collections: tuple[PCollection[Any], ...]) -> PCollection[list[Any]]:
        """One element even then when all but one of them are empty."""
        return (
            collections
            | "All" >> beam.Flatten()
            | "Under one key" >> beam.Map(_under_one_key).with_output_types(tuple[int, Any])
            | "Collect" >> beam.GroupByKey()
            | "List" >> beam.Map(_values).with_output_types(list[Any])
        )


@dataclass
class ReadParts(beam.PTransform[Any, Any]):
    """Paths to a pair: ``(Part, plays)``, plays as ``packed`` makes them, and a ``FileRead`` of each file.

    What cannot be read is told there, and the others go on.
    """

    archive: Archive
    calendar: Calendar

    def expand(self, paths: PCollection[Paths]) -> Any:
        """Plays of other months than those asked for are passed over."""
        both = paths | "Read files" >> beam.FlatMap(_read_files, self.archive, self.calendar)
        return (
            both | "Parts" >> beam.Filter(_is_part).with_output_types(tuple[Part, Packed]),
            both | "Files" >> beam.Filter(_is_file).with_output_types(FileRead),
        )


@dataclass
class Replace(beam.PTransform[Any, Any]):
    """What is ready takes the place of what was there, month by month, some of them side by side.

    A try that is repeated begins with the months it failed in, not with the first. At the end it is noted what was
    made.
    """

    work: Work
    staging: Staging
    fails: bool

    def expand(self, ready: PCollection[Ready]) -> PCollection[None]:
        """Ends when all is replaced, noted and cleared up."""
        target = self.work.target
        replaced = (
            ready
            | "Months" >> beam.FlatMap(_groups_of_months, target.at_once)
            | "Spread months" >> beam.Reshuffle()
            | "Replace months" >> beam.FlatMap(replace_months, target)
        )
        return (
            (ready, replaced)
            | "When all are replaced" >> Together()
            | "Finish" >> beam.Map(finish, self.work, self.staging).with_output_types(Result)
            # Behind a shuffle: once the files are removed, nothing that needs them is tried again.
            | "Finish once" >> beam.Reshuffle()
            | "Remove staged files" >> beam.Map(remove_staged, self.staging, self.fails)
        )


def _plan(_: bytes, work: Work) -> Plan:
    return make_plan(work)


def _files_to_read(plan: Plan) -> Iterator[Paths]:
    groups = min(_GROUPS, 1 + len(plan.paths) // _FILES_A_GROUP)
    return (Paths(paths, plan.months, plan.now, groups) for paths in in_groups(plan.paths))


def _read_files(some: Paths, archive: Archive, calendar: Calendar) -> Iterator[FileRead | tuple[Part, Packed]]:
    for file, plays in side_by_side(partial(_read, archive=archive, calendar=calendar, now=some.now), some.paths):
        if file.trouble:
            _UNREADABLE.add(file.trouble)
        wanted = plays if some.months is None else plays.filter(pl.col("month").is_in(some.months))
        _READ.inc(wanted.height)
        yield file.with_plays(wanted.height)
        numbered = wanted.with_columns(part=pl.col("user_id").hash() % _PARTS)
        for (month, number), rows in numbered.partition_by("month", "part", as_dict=True, include_key=True).items():
            group = (month.year * 12 + month.month + int(number)) % some.groups
            yield Part(month_text(month), int(number), group, to_millis(some.now)), packed(rows.drop("part"))


def _read(path: str, archive: Archive, calendar: Calendar, now: datetime) -> tuple[FileRead, pl.DataFrame]:
    nothing = columns.with_local_time(columns.no_plays(), calendar)
    try:
        data = read_bytes(archive, path)
    except GoneError:
        return FileRead(path, is_gone=True), nothing
    try:
        plays, passed_over = columns.possible(columns.read_plays(path, data), now)
    except StorageError as error:
        return FileRead(path, trouble=str(error)), nothing
    # Read after the plan's instant: who was forgotten before it is known here.
    left = columns.remembered(plays, archive.marks.lately())
    forgotten, plays = plays.height - left.height, columns.with_local_time(left, calendar)
    return FileRead(path, columns.months_of(plays), passed_over=passed_over, forgotten=forgotten), plays


def _groups_of_months(ready: Ready, at_once: int) -> Iterator[list[Month]]:
    months = ready.months
    for n in range(0, len(months), at_once):
        yield list(months[n : n + at_once])


def _is_part(read: FileRead | tuple[Part, Packed]) -> bool:
    return not isinstance(read, FileRead)


def _is_file(read: FileRead | tuple[Part, Packed]) -> bool:
    return isinstance(read, FileRead)


def _under_one_key(value: Any) -> tuple[int, Any]:
    return 0, value


def _values(keyed: tuple[int, Iterable[Any]]) -> list[Any]:
    return list(keyed[1])
