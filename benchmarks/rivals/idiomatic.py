"""Beam as its guides teach it: ``python -m benchmarks.rivals.idiomatic ARCHIVE OUT``.

``ReadFromAvro``, a key for each play and ``GroupByKey`` to have it once, counts by ``CombinePerKey``, ``Top.PerKey``,
and ``WriteToParquet``; the local runner of Beam, in one process. Plays are not parted by month when they are written.
"""

import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import apache_beam as beam
import pyarrow as pa
from apache_beam.io import ReadFromAvro, WriteToParquet
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.combiners import Top

from benchmarks.rivals.loop import KINDS, TENS, TEXTS, Kind, Record

_ZONE = ZoneInfo("Europe/Paris")
_TEXT: pa.DataType = pa.string()
_INSTANT = pa.timestamp("ms", "UTC")
_ARTIST = pa.struct([("id", _TEXT), ("name", _TEXT)])
_LONG: pa.DataType = pa.int64()
_PLAYS = pa.schema(
    {
        "user_id": _TEXT,
        "played_at": _INSTANT,
        "track_id": _TEXT,
        "track_name": _TEXT,
        "duration_ms": _LONG,
        "isrc": _TEXT,
        "explicit": pa.bool_(),
        "artists": pa.list_(_ARTIST),
        "album_id": _TEXT,
        "album_name": _TEXT,
        "album_release_date": _TEXT,
        "album_image_url": _TEXT,
        "context_uri": _TEXT,
        "ms_played": _LONG,
        "skipped": pa.bool_(),
        "reason_start": _TEXT,
        "reason_end": _TEXT,
        "source": _TEXT,
        "ingested_at": _INSTANT,
        "album_artist_name": _TEXT,
        "played_at_local": pa.timestamp("ms"),
    }
)
# How often, when last, and what the newest play shows.
Count = tuple[int, datetime, tuple[str | None, ...]]


class CountPlays(beam.CombineFn):
    """How many, and the newest."""

    def create_accumulator(self) -> Count | None:
        return None

    def add_input(self, count: Count | None, newest: Count) -> Count:
        return newest if count is None else self._sum(count, newest)

    def merge_accumulators(self, counts: Iterable[Count | None]) -> Count | None:
        merged: Count | None = None
        for count in counts:
            if count is not None:
                merged = count if merged is None else self._sum(merged, count)
        return merged

    def extract_output(self, count: Count | None) -> Count | None:
        return count

    @staticmethod
    def _sum(one: Count, other: Count) -> Count:
        return one[0] + other[0], *max(one[1:], other[1:])


def main(source: str, out: str) -> None:
    """Run it on FnApiRunner."""
    Path(out, "plays").mkdir(parents=True)
    with beam.Pipeline("FnApiRunner", options=PipelineOptions([])) as pipeline:
        once = (
            pipeline
            | ReadFromAvro(f"{source}/plays/*/*.avro")
            | beam.Map(lambda play: ((play["user_id"], play["played_at"].timestamp()), play))
            | beam.GroupByKey()
            | beam.MapTuple(_preferred)
        )
        once | WriteToParquet(f"{out}/plays/plays", _PLAYS, codec="zstd", file_name_suffix=".parquet")
        tens = [once | kind.name >> _tens(kind) for kind in KINDS]
        (
            tens
            | beam.Flatten()
            | "Tens" >> WriteToParquet(f"{out}/tens", TENS, file_name_suffix=".parquet", shard_name_template="")
        )


def _tens(kind: Kind) -> Any:
    return (
        beam.Map(_counted, kind)
        | beam.CombinePerKey(CountPlays())
        | beam.Map(_by_user_and_month)
        | Top.PerKey(10, key=_order)
        | beam.FlatMapTuple(_rows, kind.name)
    )


def _preferred(_: Any, copies: Iterable[Record]) -> Record:
    play = min(copies, key=lambda copy: (copy["ingested_at"], copy["track_id"]))
    return play | {"played_at_local": play["played_at"].astimezone(_ZONE).replace(tzinfo=None)}


def _counted(play: Record, kind: Kind) -> tuple[tuple[str, str, Any], Count]:
    month = play["played_at_local"].strftime("%Y-%m-01")  # a date has no deterministic coder
    return (play["user_id"], month, kind.key(play)), (1, play["played_at"], kind.shown(play))


def _by_user_and_month(counted: tuple[tuple[str, str, Any], Count]) -> tuple[tuple[str, str], Count]:
    (user_id, month, _), count = counted
    return (user_id, month), count


def _order(count: Count) -> tuple[int, float, list[int]]:
    plays, last, shown = count
    # The smaller id is the better one.
    return plays, last.replace(microsecond=0).timestamp(), [-ord(letter) for letter in shown[0] or ""]


def _rows(key: tuple[str, str], counts: list[Count], kind: str = "") -> Iterator[Record]:
    for rank, (plays, last, shown) in enumerate(counts, start=1):
        texts = dict(zip(TEXTS, shown, strict=True))
        yield {
            "user_id": key[0],
            "month": date.fromisoformat(key[1]),
            "kind": kind,
            "rank": rank,
            **texts,
            "plays": plays,
            "last_played_at": last.replace(microsecond=0),
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
