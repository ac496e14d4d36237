"""From parts of archive files to finished files: each play once, and the top tens of its month."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
# What is finished together, and the instant of the plan. Large parts have groups beyond those of small ones.
Group = tuple[int, int]
# Plays in Arrow's format, and how many they are.
Packed = tuple[int, bytes]


# What is finished at once, a month of a sixteenth of its users: the month as 2026-11, the sixteenth, the group that it
# is finished in when it is small, and the instant of the plan in milliseconds. Beam has a coder for a plain tuple.
Part = tuple[str, int, int, int]


@dataclass
class FinishParts(beam.PTransform):
    """Parts to files of ``play_events`` and ``top_ten_snapshots`` in the staging place."""

    staging: Staging
    calendar: Calendar

    def expand(self, parts: PCollection[tuple[Part, Packed]]) -> PCollection[Staged]:
        """In the global window of a bounded pipeline."""
        return (
            parts
            | "Collect parts" >> beam.GroupByKey()
            | "Group" >> beam.Map(_grouped).with_output_types(tuple[Group, list[bytes]])
            | "Collect groups" >> beam.GroupByKey()
            | "Finish" >> beam.FlatMap(_finish, self.staging, self.calendar).with_output_types(Staged)
        )


def _grouped(part: tuple[Part, Iterable[Packed]]) -> tuple[Group, list[bytes]]:
    """A part under its group if it is small, else under a group of its own."""
    (month, number, group, computed_at), batches = part[0], list(part[1])
    is_small = sum(plays for plays, _ in batches) < _SMALL
    own = int(month.replace("-", "")) * 100 + number
    return (group if is_small else own, computed_at), [data for _, data in batches]


def _finish(group: tuple[Group, Iterable[list[bytes]]], staging: Staging, calendar: Calendar) -> Iterator[Staged]:
    (_, computed_at), parts = group
    frames = [_from_bytes(batch) for batches in parts for batch in batches]
    plays = columns.with_keys(columns.each_once(pl.concat(frames)))
    _DISTINCT.inc(plays.height)
    snapshots = columns.snapshots(plays, calendar, from_millis(computed_at))
    for table, rows in (("play_events", plays), ("top_ten_snapshots", snapshots)):
        for (month,), of_month in rows.partition_by("month", as_dict=True).items():
            path = staging.write(table, month, of_month.to_arrow())
            yield Staged(table, month, str(path), of_month.height)


def packed(plays: pl.DataFrame) -> Packed:
    """As an Arrow stream, with their number: to count them nobody has to unpack them."""
    stream = io.BytesIO()
    # Written as views, texts would take along those of all the plays that these were parted from.
    plays.write_ipc_stream(stream, compression="lz4", compat_level=pl.CompatLevel.oldest())
    return plays.height, stream.getvalue()


def _from_bytes(data: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(data))
