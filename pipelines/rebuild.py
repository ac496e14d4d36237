"""The rebuild: the tables made again from the raw Avro archive, month by month.

``python -m pipelines.rebuild --help`` lists its options. Everything is made in a staging folder first; only
when all of it is there do its files take the places of the old ones. An interrupted rebuild changes nothing.
"""

import fcntl
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import IO, Any

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.archive import Archive
from pipelines.clock import Clock, utc_now
from pipelines.command import Failure, report, run_command
from pipelines.domain.month import following, month_text, preceding
from pipelines.options import RebuildOptions, parse_rebuild
from pipelines.storage import explained
from pipelines.transforms.rebuilding import NAMESPACE, FinishParts, ReadParts
from pipelines.warehouse.local import MARKER, LocalWarehouse

_STAGING = ".rebuild-"
_TABLES = ("play_events", "top_ten_snapshots")


def rebuild(options: RebuildOptions, beam_options: PipelineOptions, clock: Clock = utc_now) -> None:
    """Make the tables of the months asked for again. Raises Failure, StorageError, WarehouseError."""
    archive, months = Archive(options.archive), options.months
    if options.warehouse.startswith("bigquery://"):
        raise Failure("rebuilding BigQuery is not there yet; give --warehouse a folder")
    _files(archive, months)  # A mistyped archive must not make a warehouse.
    # First what is to be replaced, then what replaces it: the stream archives a play before it writes rows of
    # it, so every row in a file listed here comes from a play in a file listed below.
    warehouse = LocalWarehouse(options.warehouse, options.calendar.time_zone)
    old = {
        table: {month: warehouse.files(table, month) for month in months or warehouse.months(table)}
        for table in _TABLES
    }
    paths = _files(archive, months)
    began = time.monotonic()
    report(f"Reading {len(paths):,} files of {options.archive}")
    with _staging(warehouse) as staging:
        pipeline = beam.Pipeline(options=beam_options)
        (
            pipeline
            | "List files" >> beam.Create(paths)
            | "Spread files" >> beam.Reshuffle()
            | "Read parts" >> ReadParts(archive, options.calendar, months)
            | "Finish parts" >> FinishParts(staging, options.calendar, clock())
        )
        result = pipeline.run()
        result.wait_until_finish()
        counters, unreadable = _metrics(result)
        if unreadable:
            raise Failure("\n".join([*sorted(unreadable), "nothing was replaced"]))
        made = staging.months("play_events")
        if not made and months is None:
            raise _nothing_in(archive)
        if missing := [month_text(month) for month in months or () if month not in made]:
            raise Failure(f"the archive has no plays of {', '.join(missing)}; nothing was replaced")
        for table in _TABLES:
            warehouse.replace(table, old[table], staging)
    seconds = time.monotonic() - began
    read, distinct = counters.get("plays_read", 0), counters.get("plays_distinct", 0)
    report(
        f"Rebuilt {len(made)} months, {month_text(made[0])} to {month_text(made[-1])}: {distinct:,} plays, each "
        f"once, from {read:,} in the archive; {seconds:.1f} s, {read / seconds:,.0f} plays a second"
    )


def _files(archive: Archive, months: Iterable[date] | None) -> list[str]:
    """Raises Failure where there is nothing to rebuild from."""
    if months is None:
        paths = archive.files()
    else:
        # A writer in another time zone may have filed a month's first and last hours next door.
        around = {near for month in months for near in (preceding(month), month, following(month))}
        paths = archive.files(sorted(around))
    if not paths:
        raise _nothing_in(archive)
    return paths


def _nothing_in(archive: Archive) -> Failure:
    return Failure(f"there are no plays in {archive.root}; `python -m producer import` puts some there")


@contextmanager
def _staging(warehouse: LocalWarehouse) -> Iterator[LocalWarehouse]:
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
            yield LocalWarehouse(folder, warehouse.time_zone)
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
