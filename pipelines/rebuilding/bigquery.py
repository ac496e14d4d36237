"""The last step of a rebuild in BigQuery: what was made takes the place of what was there.

It is a step of the pipeline, not of the command that launches it: a template's launcher does not wait for the job.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.pvalue import AsList, PCollection

from pipelines.domain.month import month_text, parse_month
from pipelines.rebuilding import columns
from pipelines.rebuilding.graph import Made, Work
from pipelines.storage.archive import Archive, around
from pipelines.storage.files import StorageError, storage_of
from pipelines.tables import REBUILT
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.json_rows import to_lines


class LineStaging:
    """Files of JSON lines under a folder, of this machine or ``gs://``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def write(self, table: str, month: date, arrow_table: pa.Table) -> str:
        """A new file with rows of one month; its path. Raises StorageError."""
        path = f"{self.folder}/{table}/month={month_text(month)}/{uuid4().hex}.json"
        storage_of(self.folder).write_new(path, to_lines(table, arrow_table))
        return path

    def remove(self) -> None:
        """All files, with those of tries that failed. Raises StorageError."""
        storage = storage_of(self.folder)
        for path in storage.files(self.folder, ".json"):
            storage.remove(path)


class ReplaceMonths(beam.PTransform):
    """Loads staged files into BigQuery month by month, each in the place of its partition, in one job a table.

    Nothing is replaced unless everything was read and made. Where all months are rebuilt, those go that the archive has
    nothing of. A retry repeats all of it, which changes nothing.
    """

    def __init__(self, warehouse: BigQueryWarehouse, work: Work, staging: LineStaging) -> None:
        self.warehouse = warehouse
        self.work = work
        self.staging = staging

    def expand(self, ways: Any) -> PCollection[None]:
        """What was made, and what could not be read."""
        made, unreadable = ways
        return (
            made.pipeline
            | "When all is made" >> beam.Impulse()
            | "Replace months" >> beam.Map(self._replace, AsList(made), AsList(unreadable))
            # Behind a shuffle: once the files are removed, nothing that needs them is tried again.
            | "When all is replaced" >> beam.Reshuffle()
            | "Remove staged files" >> beam.Map(lambda _, staging: staging.remove(), self.staging)
        )

    def _replace(self, _: bytes, made: list[Made], unreadable: list[str]) -> None:
        if unreadable:
            raise StorageError("\n".join([*sorted(unreadable), "nothing was replaced"]))
        files: dict[date, dict[str, list[str]]] = {}
        for table, in_month, path in sorted(made):
            files.setdefault(parse_month(in_month), {}).setdefault(table, []).append(path)
        check_made(self.work.archive, files, self.work.months, asked=self.work.asked)
        added_since(self.work.archive, self.work.listed)
        months = sorted(files.keys() | self._others())
        for month in months:
            for table in REBUILT:
                if paths := files.get(month, {}).get(table):
                    self.warehouse.load(table, paths, month)
                else:
                    self.warehouse.remove_month(table, month)
        added = added_since(self.work.archive, self.work.listed)
        self._add(added, months)
        added_since(self.work.archive, [*self.work.listed, *added])
        self.work.rebuilt.note(self.work.fingerprints)

    def _others(self) -> set[date]:
        """Months that have no plays, and whose rows go if there are some."""
        if self.work.months is not None:
            return set(self.work.months)
        return {month for table in REBUILT for month in self.warehouse.months(table)}

    def _add(self, paths: list[str], months: Sequence[date]) -> None:
        """The plays of these files, and top tens that count them.

        Files came while the others were read. What the stream wrote of their plays may have gone with the months,
        and it believes that it is there.
        """
        plays = self._plays(paths, months)
        if plays.is_empty():
            return
        listeners = plays.select("user_id", "month").unique()
        touched = listeners["month"].unique().to_list()
        known = columns.each_once(
            pl.concat(
                self._plays([path], touched).join(listeners, on=["user_id", "month"], how="semi")
                for path in around(touched, [*self.work.listed, *paths])
            )
        )
        snapshots = columns.snapshots(columns.with_keys(known), self.work.calendar, self.work.clock())
        for table, rows in (("play_events", columns.with_keys(plays)), ("top_ten_snapshots", snapshots)):
            by_month = rows.partition_by("month", as_dict=True).items()
            self.warehouse.load(table, [self.staging.write(table, m, some.to_arrow()) for (m,), some in by_month])

    def _plays(self, paths: list[str], months: Sequence[date]) -> pl.DataFrame:
        """The months' plays in these files."""
        read = [columns.read_plays(path, self.work.archive.read_bytes(path)) for path in paths]
        plays = columns.with_local_time(pl.concat([columns.no_plays(), *read]), self.work.calendar)
        return plays.filter(pl.col("month").is_in(list(months)))


def added_since(archive: Archive, listed: Collection[str]) -> list[str]:
    """The files that came to the archive since it was listed.

    Raises StorageError if some went: whoever removed them meant their plays to go from the tables too.
    """
    there = archive.files()
    if gone := set(listed).difference(there):
        raise StorageError(
            f"{len(gone):,} files were removed from {archive.root} during the rebuild, as when a person is forgotten; "
            "run it again, or the tables may keep plays of theirs"
        )
    return sorted(set(there).difference(listed))


def check_made(archive: Archive, made: Iterable[date], months: tuple[date, ...] | None, *, asked: bool) -> None:
    """Raises StorageError where the archive has none of the plays that were asked for."""
    made = set(made)
    if not made and months is None:
        raise nothing_in(archive)
    if asked and (missing := [month_text(month) for month in months or () if month not in made]):
        raise StorageError(f"the archive has no plays of {', '.join(missing)}; nothing was replaced")


def nothing_in(archive: Archive) -> StorageError:
    """For the user who asks for tables of an empty archive."""
    return StorageError(f"there are no plays in {archive.root}; `python -m producer import` puts some there")
