"""The last step of a rebuild in BigQuery: what was made takes the place of what was there.

It is a step of the pipeline, not of the command that launches it: a template's launcher does not wait for the job.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.pvalue import AsList, PCollection

from pipelines import columnar
from pipelines.archive import Archive
from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.rebuilt import Fingerprints, Rebuilt
from pipelines.storage import StorageError, storage_of
from pipelines.tables import REBUILT
from pipelines.transforms.rebuilding import Made
from pipelines.warehouse.bigquery import BigQueryWarehouse
from pipelines.warehouse.json_rows import to_lines

_log = logging.getLogger("heavy_rotation")


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

    Nothing is replaced unless everything was read and made. ``months`` None is all there are: those that the
    archive has nothing of go. A retry repeats all of it, which changes nothing. ``asked`` says that a person named
    the months, and means some that are not there as a mistake.
    """

    def __init__(
        self,
        warehouse: BigQueryWarehouse,
        archive: Archive,
        calendar: Calendar,
        months: tuple[date, ...] | None,
        *,
        asked: bool,
        listed: Sequence[str],
        staging: LineStaging,
        rebuilt: Rebuilt,
        fingerprints: Fingerprints,
    ) -> None:
        self.warehouse = warehouse
        self.archive = archive
        self.calendar = calendar
        self.months = months
        self.asked = asked
        self.listed = frozenset(listed)
        self.staging = staging
        self.rebuilt = rebuilt
        self.fingerprints = fingerprints

    def expand(self, ways: Any) -> PCollection[None]:
        """What was made, and what could not be read."""
        made, unreadable = ways
        return (
            made.pipeline
            | "When all is made" >> beam.Impulse()
            | "Replace months" >> beam.Map(self._replace, AsList(made), AsList(unreadable))
        )

    def _replace(self, _: bytes, made: list[Made], unreadable: list[str]) -> None:
        if unreadable:
            raise StorageError("\n".join([*sorted(unreadable), "nothing was replaced"]))
        files: dict[date, dict[str, list[str]]] = {}
        for table, in_month, path in sorted(made):
            files.setdefault(parse_month(in_month), {}).setdefault(table, []).append(path)
        check_made(self.archive, files, self.months, asked=self.asked)
        for month in sorted(files.keys() | self._others()):
            for table in REBUILT:
                if paths := files.get(month, {}).get(table):
                    self.warehouse.load(table, paths, month)
                else:
                    self.warehouse.remove_month(table, month)
        self._add_what_came_meanwhile(files)
        self.rebuilt.note(self.fingerprints)
        self.staging.remove()

    def _others(self) -> set[date]:
        """Months that have no plays, and whose rows go if there are some."""
        if self.months is not None:
            return set(self.months)
        return {month for table in REBUILT for month in self.warehouse.months(table)}

    def _add_what_came_meanwhile(self, months: Iterable[date]) -> None:
        """Rows that the stream wrote after the archive was listed went with their partitions. Their plays are here."""
        came = [path for path in self.archive.files() if path not in self.listed]
        paths = []
        for path in came:
            plays = columnar.with_local_time(columnar.read_plays(path, self.archive.read_bytes(path)), self.calendar)
            for (month,), rows in (
                plays.filter(pl.col("month").is_in(list(months))).partition_by("month", as_dict=True).items()
            ):
                paths.append(self.staging.write("play_events", month, rows.to_arrow()))
        if paths:
            self.warehouse.load("play_events", paths)
            _log.warning(
                "%d files came to the archive during the rebuild: their plays are in play_events, and top tens "
                "count them with the next play of their listeners, or when the rebuild runs again",
                len(came),
            )


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
