"""From parts of archive files to finished files: each play once, and the top tens of its month."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
import polars as pl
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection

from pipelines.domain.instants import from_millis
from pipelines.domain.month import Calendar
from pipelines.rebuilding import columns
from pipelines.rebuilding.target import Staged, Staging

NAMESPACE = "heavy_rotation"
# Parts of fewer plays are finished together with others: a hundred small ones would cost a hundred times what one does.
_SMALL = 10_000
_DISTINCT = Metrics.counter(NAMESPACE, "plays_distinct")
# The group that a part is finished in if it is small, and the instant of the plan.
Group = tuple[int, int]
# How many plays a part has, and they.
Sized = tuple[int, list[bytes]]


class Part(NamedTuple):
    """What is finished at once: a month of a sixteenth of its users. ``group`` is for when it is small."""

    month: str
    number: int
    group: int
    computed_at: int


@dataclass
class FinishParts(beam.PTransform[Any, Any]):
    """Parts to files of ``play_events`` and ``top_ten_snapshots`` in the staging place."""

    staging: Staging
    calendar: Calendar

    def expand(self, parts: PCollection[tuple[Part, bytes]]) -> PCollection[Staged]:
        """In the global window of a bounded pipeline."""
        collected = (
            parts
            | "Collect parts" >> beam.GroupByKey()
            | "Size up" >> beam.Map(_sized_up).with_output_types(tuple[Group, Sized])
        )
        large = collected | "Large parts" >> beam.Filter(_is_large)
        small = collected | "Small parts" >> beam.Filter(_is_small) | "Collect small parts" >> beam.GroupByKey()
        return (
            (large | "By itself" >> beam.Map(_by_itself), small)
            | "Large and small" >> beam.Flatten()
            | "Finish parts" >> beam.FlatMap(_finish, self.staging, self.calendar).with_output_types(Staged)
        )


def _sized_up(part: tuple[Part, Iterable[bytes]]) -> tuple[Group, Sized]:
    """A part as one of a small group, by group and time, with its number of plays."""
    (_, _, group, computed_at), batches = part[0], list(part[1])
    return (group, computed_at), (sum(_from_bytes(batch).height for batch in batches), batches)


def _is_large(part: tuple[Group, Sized]) -> bool:
    return part[1][0] >= _SMALL


def _is_small(part: tuple[Group, Sized]) -> bool:
    return not _is_large(part)


def _by_itself(part: tuple[Group, Sized]) -> tuple[Group, list[Sized]]:
    return part[0], [part[1]]


def _finish(group: tuple[Group, Iterable[Sized]], staging: Staging, calendar: Calendar) -> Iterator[Staged]:
    (_, computed_at), parts = group
    frames = [_from_bytes(batch) for _, batches in parts for batch in batches]
    plays = columns.with_keys(columns.each_once(pl.concat(frames)))
    _DISTINCT.inc(plays.height)
    snapshots = columns.snapshots(plays, calendar, from_millis(computed_at))
    for table, rows in (("play_events", plays), ("top_ten_snapshots", snapshots)):
        for (month,), of_month in rows.partition_by("month", as_dict=True).items():
            path = staging.write(table, month, of_month.to_arrow())
            yield Staged(table, month, str(path), of_month.height)


def to_bytes(plays: pl.DataFrame) -> bytes:
    """As an Arrow stream."""
    stream = io.BytesIO()
    plays.write_ipc_stream(stream, compression="lz4")
    return stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
