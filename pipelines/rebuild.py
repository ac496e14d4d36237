"""The rebuild: the tables made again from the raw Avro archive, month by month.

``python -m pipelines.rebuild --help`` lists its options. Everything is made in a staging folder first; only
when all of it is there does it take the place of the old rows. An interrupted rebuild changes nothing, or some months.
"""

import fcntl
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipelines.clock import Clock, utc_now
from pipelines.command import report, run_command
from pipelines.domain.month import month_text
from pipelines.failure import Failure
from pipelines.options import RebuildOptions, parse_rebuild
from pipelines.rebuilding.bigquery import LineStaging, ReplaceMonths, added_since, check_made, nothing_in
from pipelines.rebuilding.graph import NAMESPACE, Work
from pipelines.rebuilding.manifests import Rebuilt
from pipelines.storage.archive import Archive, around, months_of
from pipelines.storage.files import explained
from pipelines.tables import REBUILT
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.folder import MARKER, FolderWarehouse

_STAGING = ".rebuild-"


def rebuild(options: RebuildOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Make the tables of the months asked for again. Raises Failure."""
    archive = Archive(options.archive)
    if not around(options.months, archive.files()):  # A mistyped archive must not make a warehouse.
        raise nothing_in(archive)
    # First what is to be replaced, then what replaces it: the stream archives a play before it writes rows of
    # it, so every row in a file listed here comes from a play in a file listed below.
    tables = _tables(options)
    listed, now, began = archive.files(), clock(), time.monotonic()
    rebuilt = Rebuilt(archive, options.warehouse, options.calendar, options.lateness)
    months = rebuilt.late(listed, now) if options.late else options.months
    if options.late and not months:
        report("No month is late: those that take no more plays were rebuilt from all the files they have")
        return
    work = Work(
        archive=archive,
        calendar=options.calendar,
        months=months,
        asked=not options.late,
        listed=listed,
        clock=clock,
        rebuilt=rebuilt,
        fingerprints=rebuilt.fingerprints(listed, months or months_of(listed), now),
    )
    report(f"Reading {len(work.paths):,} files of {options.archive}")
    made, counters = tables.rebuild(work, beam_options)
    if not counters:
        report("The job was made; it replaces the months when it runs")
        return
    seconds = time.monotonic() - began
    read, distinct = counters.get("plays_read", 0), counters.get("plays_distinct", 0)
    report(
        f"Rebuilt {len(made)} months, {month_text(made[0])} to {month_text(made[-1])}: {distinct:,} plays, each "
        f"once, from {read:,} in the archive; {seconds:.1f} s, {read / seconds:,.0f} plays a second"
    )


def _tables(options: RebuildOptions) -> "_Folder | _BigQuery":
    if options.warehouse.startswith(SCHEME):
        return _BigQuery(BigQueryWarehouse(options.warehouse), options.calendar.time_zone)
    return _Folder(FolderWarehouse(options.warehouse, options.calendar.time_zone), options.months)


class _Folder:
    """Tables in a folder: files are moved in, then those are removed that were there when it was made."""

    def __init__(self, warehouse: FolderWarehouse, months: Iterable[date] | None) -> None:
        self.warehouse = warehouse
        self.old = {
            table: {month: warehouse.files(table, month) for month in months or warehouse.months(table)}
            for table in REBUILT
        }

    def rebuild(self, work: Work, beam_options: PipelineOptions) -> tuple[list[date], dict[str, int]]:
        """The months made, and the counters."""
        with _staging(self.warehouse) as staging:
            pipeline = beam.Pipeline(options=beam_options)
            work.stage(pipeline, staging)
            result = pipeline.run()
            result.wait_until_finish()
            counters, unreadable = _metrics(result)
            if unreadable:
                raise Failure("\n".join([*sorted(unreadable), "nothing was replaced"]))
            made = staging.months("play_events")
            check_made(work.archive, made, work.months, asked=work.asked)
            added_since(work.archive, work.listed)
            for table in REBUILT:
                old = {m: files for m, files in self.old[table].items() if work.months is None or m in work.months}
                self.warehouse.replace(table, old, staging)
        added_since(work.archive, work.listed)
        work.rebuilt.note(work.fingerprints)
        return made, counters


class _BigQuery:
    """Tables in BigQuery: the pipeline's last step loads what was staged."""

    def __init__(self, warehouse: BigQueryWarehouse, time_zone: str) -> None:
        self.warehouse = warehouse
        warehouse.check(time_zone)

    def rebuild(self, work: Work, beam_options: PipelineOptions) -> tuple[list[date], dict[str, int]]:
        """The months read, and the counters; none where a template was made."""
        temporary = str(beam_options.view_as(GoogleCloudOptions).temp_location or "")
        in_bucket = temporary.startswith("gs://")
        with nullcontext(temporary.rstrip("/")) if in_bucket else tempfile.TemporaryDirectory() as root:
            staging = LineStaging(f"{root}/rebuild-{uuid4().hex}")
            pipeline = beam.Pipeline(options=beam_options)
            work.stage(pipeline, staging) | "Replace" >> ReplaceMonths(self.warehouse, work, staging)
            result = pipeline.run()
            result.wait_until_finish()
        if not getattr(result, "has_job", True):
            return [], {}
        return sorted(work.months or months_of(work.paths)), _metrics(result)[0]


@contextmanager
def _staging(warehouse: FolderWarehouse) -> Iterator[FolderWarehouse]:
    """A warehouse inside the warehouse, out of readers' sight, gone at the end.

    What rebuilds that were killed left behind goes too, once no other one is at work in the warehouse.
    """
    with explained(warehouse.folder), (warehouse.folder / MARKER).open("rb") as marker:
        if _lock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for abandoned in warehouse.folder.glob(f"{_STAGING}*"):
                shutil.rmtree(abandoned, ignore_errors=True)
        # Shared, and held until the process ends, however it ends: nobody takes this one's folder for abandoned.
        _lock(marker, fcntl.LOCK_SH)
        folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=warehouse.folder))
        try:
            yield FolderWarehouse(folder, warehouse.time_zone)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _lock(file: IO[bytes], kind: int) -> bool:
    """Whether the lock was given. A file system without locks gives none, and keeps what is abandoned."""
    with suppress(OSError):
        fcntl.flock(file, kind)
        return True
    return False


def _metrics(result: Any) -> tuple[dict[str, int], set[str]]:
    """Counters by name, summed over steps, and the unreadable files."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    counters: dict[str, int] = {}
    for counter in found["counters"]:
        name = counter.key.metric.name
        counters[name] = counters.get(name, 0) + counter.result
    return counters, {text for metric in found["string_sets"] for text in metric.result}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command("pipelines.rebuild", lambda: rebuild(*parse_rebuild(argv)))


if __name__ == "__main__":
    sys.exit(main())
