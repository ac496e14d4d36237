"""The rebuild: the tables made again from the raw Avro archive, month by month.

``heavy-rotation rebuild --help`` lists its options. Everything is made in a staging place first; only when all of
it is there does it take the place of the old rows. An interrupted rebuild changes nothing, or some months.
"""

import sys
import time
from collections.abc import Sequence
from datetime import date

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PipelineOptions

from pipelines.clock import Clock, utc_now
from pipelines.command import report, run_command
from pipelines.domain.snapshots import KINDS
from pipelines.failure import Failure
from pipelines.options import parse_rebuild
from pipelines.rebuilding.bigquery import BigQueryTables
from pipelines.rebuilding.folder import FolderTables
from pipelines.rebuilding.graph import build
from pipelines.rebuilding.planning import Work
from pipelines.rebuilding.replacing import nothing_in
from pipelines.rebuilding.result import Result
from pipelines.rebuilding.settings import RebuildOptions
from pipelines.rebuilding.target import Target
from pipelines.runners import LOCAL_BATCH_RUNNER, check_workers, is_on_dataflow, runner_of
from pipelines.storage.archive import Archive, around
from pipelines.storage.snapshots import SnapshotArchive
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.folder import FolderWarehouse

# How often it begins again because files went from the archive meanwhile.
_ATTEMPTS = 3
_NOTHING = {
    "late": "No month is late: those that take no more plays were rebuilt from all the files they have",
    "changed": "No month has changed since its tables were made",
}


def rebuild(options: RebuildOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Make the tables of the months asked for again. Raises Failure, StorageError, WarehouseError."""
    archive, began = Archive(options.archive), time.monotonic()
    asked = options.months if isinstance(options.months, tuple) else None
    if not _has_files(archive, asked):  # A mistyped archive must not make a warehouse.
        if options.months != "changed":
            raise Failure(nothing_in(archive, is_asked=asked is not None))
        report(f"There are no plays in {options.archive} yet")  # as before the first poll that finds one
        return
    check_workers(beam_options, options.archive, options.warehouse)
    work = Work(options, _target(options, clock), clock)
    result, attempts = _run(work, beam_options), 1
    while result and result.gone and attempts < _ATTEMPTS:
        report(f"{result.gone:,} files were removed from {options.archive} during the rebuild; it begins again")
        result, attempts = _run(work, beam_options), attempts + 1
    if result is None:
        report("The job was made; it replaces the months when it runs")
        return
    _tell(result, options, time.monotonic() - began)
    if result.failure:
        raise Failure(result.failure)


def _has_files(archive: Archive, months: tuple[date, ...] | None) -> bool:
    """Whether there may be plays or snapshots of the months."""
    if around(months, archive.files()):
        return True
    snapshots = SnapshotArchive(archive.root)
    return any(snapshots.files(kind, months) for kind in KINDS)


def _run(work: Work, beam_options: PipelineOptions) -> Result | None:
    """What came of it; None where a template was made, and nobody waits."""
    temporary = str(beam_options.view_as(GoogleCloudOptions).temp_location or "")
    with work.target.staging(temporary) as staging:
        pipeline = beam.Pipeline(options=beam_options)
        build(pipeline, work, staging, fails=is_on_dataflow(beam_options), spread=not _is_alone(beam_options))
        ran = pipeline.run()
        ran.wait_until_finish()
        return Result.take(staging.result) if getattr(ran, "has_job", True) else None


def _is_alone(beam_options: PipelineOptions) -> bool:
    """Whether all steps run in this process, whose threads use all cores."""
    local = runner_of(beam_options) == LOCAL_BATCH_RUNNER
    return local and beam_options.view_as(DirectOptions).direct_num_workers == 1


def _target(options: RebuildOptions, clock: Clock) -> Target:
    if not options.warehouse.startswith(SCHEME):
        return FolderTables(FolderWarehouse(options.warehouse, options.calendar.time_zone))
    warehouse = BigQueryWarehouse(options.warehouse)
    warehouse.check(options.calendar.time_zone)
    return BigQueryTables(warehouse, Archive(options.archive), options.calendar, clock)


def _tell(result: Result, options: RebuildOptions, seconds: float) -> None:
    if result.made:
        report(
            f"Rebuilt {len(result.made)} months, {result.made[0]} to {result.made[-1]}: {result.plays:,} plays, each "
            f"once, from {result.plays_read:,} in the archive; {seconds:.1f} s, "
            f"{result.plays_read / seconds:,.0f} plays a second"
        )
    if result.snapshots:
        report(f"With them {result.snapshots:,} rows of snapshots of playlists, artists and tracks, each once")
    if result.removed:
        report(f"Removed {', '.join(result.removed)}: the archive has nothing of them any more")
    for reason, count in sorted(result.passed_over.items()):
        report(f"Passed over {count:,} plays of a time that cannot be: {reason}")
    if result.snapshots_passed_over:
        report(f"Passed over {result.snapshots_passed_over:,} snapshots of a time that cannot be")
    if result.forgotten:
        report(f"Passed over {result.forgotten:,} plays of people who were forgotten since")
    if result.rejected:
        report(f"{result.rejected:,} items that could not be read when polling went to the table rejected")
    if not (result.made or result.removed or result.failure) and isinstance(options.months, str):
        report(_NOTHING[options.months])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(lambda: rebuild(*parse_rebuild(argv)))


if __name__ == "__main__":
    sys.exit(main())
