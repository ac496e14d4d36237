"""The domain's rules on whole columns, for the rebuild: many plays at once, in Polars.

Each function says which function of the domain it does the work of; tests hold the two equal.
"""

import io
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Any

import fastavro
import polars as pl

from pipelines.domain import play
from pipelines.domain.month import FIRST_YEAR, Calendar
from pipelines.domain.play import AHEAD, SOURCE_RANK, UnreadableError, check_times
from pipelines.domain.ranking import KINDS
from pipelines.domain.song import album_key, song_of_names
from pipelines.rebuilding.top_tens import TopTens
from pipelines.storage.archive import check_count, readable
from pipelines.storage.forgotten import Forgotten
from pipelines.tables import play_schema


def read_plays(path: str, data: bytes) -> pl.DataFrame:
    """The plays of an archive file, in the columns of ``play.avsc``. Raises StorageError for a broken file."""
    with readable(path):
        plays = _decode(data)
        for field in play_schema()["fields"]:
            if field["name"] not in plays.columns and "default" not in field:
                raise ValueError(f"it has no {field['name']}")
        plays = plays.select(
            pl.col(name).cast(kind) if name in plays.columns else pl.lit(None, kind).alias(name)
            for name, kind in _columns().items()
        )
    check_count(path, data, plays.height)
    return plays


def possible(plays: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, dict[str, int]]:
    """The plays that ``play.check_times`` lets pass, and how many it does not, by its reasons."""
    times = pl.col("played_at"), pl.col("ingested_at")
    latest = pl.min_horizontal(pl.lit(now).dt.cast_time_unit("ms"), times[1]) + AHEAD
    fine = (times[0] <= latest) & (times[1] <= now + AHEAD)
    for time in times:
        fine &= time.dt.year().is_between(play.FIRST_YEAR, play.LAST_YEAR)
    refused = plays.filter(~fine).select(*times)
    # Nearly always there are none, and of the others each is told by the rule itself.
    return (plays.filter(fine) if refused.height else plays), Counter(
        _reason(played_at, ingested_at, now) for played_at, ingested_at in refused.rows()
    )


def remembered(plays: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """The plays of ``Forgotten.without``."""
    until = {user: instant for user in plays["user_id"].unique() if (instant := forgotten.until(user)) is not None}
    if not until:
        return plays
    of_user = pl.col("user_id").replace_strict(until, default=None, return_dtype=pl.Datetime("ms", "UTC"))
    return plays.filter(of_user.is_null() | (pl.col("ingested_at") > of_user))


def no_plays() -> pl.DataFrame:
    """What ``read_plays`` gives for a file of none."""
    return pl.DataFrame(schema=_columns())


def with_local_time(plays: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Add played_on, played_at_local and month, as ``Play.to_row`` does."""
    local = pl.col("played_at").dt.convert_time_zone(calendar.time_zone).dt.replace_time_zone(None)
    return plays.with_columns(
        local.dt.date().alias("played_on"),
        local.alias("played_at_local"),
        _months(plays["played_at"], calendar),
    )


def months_of(plays: pl.DataFrame) -> tuple[date, ...]:
    """The months among plays that have their local time, sorted."""
    return tuple(sorted(plays["month"].unique()))


def each_once(plays: pl.DataFrame) -> pl.DataFrame:
    """One copy of each play, the one that ``Play.preference`` prefers, by user and time."""
    rank = pl.col("source").replace_strict(
        {source.value: rank for source, rank in SOURCE_RANK.items()}, return_dtype=pl.Int8
    )
    return plays.sort("user_id", "played_at", rank, "ingested_at", "track_id").unique(
        ["user_id", "played_at"], keep="first", maintain_order=True
    )


def with_keys(plays: pl.DataFrame) -> pl.DataFrame:
    """Add song_key and album_key, as ``Play.to_row`` does. Names are folded once for each pair of them."""
    artist_name = pl.col("artists").list.first().struct.field("name")
    with_names = plays.with_columns(
        title=pl.col("track_name"),
        by=artist_name,
        album=pl.col("album_name"),
        of=pl.when(pl.col("album_artist_name") != "").then("album_artist_name").otherwise(artist_name),
    )
    return (
        _keyed(_keyed(with_names, ("title", "by"), song_of_names, "song_key"), ("album", "of"), album_key, "album_key")
        .with_columns(pl.coalesce("song_key", "track_id").alias("song_key"))
        .drop("title", "by", "album", "of")
    )


def snapshots(plays: pl.DataFrame, calendar: Calendar, computed_at: datetime) -> pl.DataFrame:
    """Rows of ``top_ten_snapshots``, what ``ranking.snapshots`` makes.

    ``plays`` are those of ``each_once``, in its order, ``with_keys``.
    """
    top_tens = TopTens(plays)
    months = plays.group_by("user_id", "month").agg(pl.len().cast(pl.Int64).alias("plays_in_month"))
    over = [month for month in months["month"].unique() if calendar.is_over(month, computed_at)]
    months = months.with_columns(
        pl.col("month").is_in(over).alias("is_final"), pl.lit(computed_at).alias("computed_at")
    )
    return pl.concat(
        months.with_columns(pl.lit(kind).alias("kind")).join(top_tens.of(kind), on=["user_id", "month"], how="left")
        for kind in KINDS
    ).with_columns(pl.col("items").fill_null([]))


def _keyed(
    plays: pl.DataFrame, names: tuple[str, str], key: Callable[[str, str | None], str | None], called: str
) -> pl.DataFrame:
    pairs = plays.select(names).unique()
    keys = pl.Series(called, [key(*pair) for pair in pairs.rows()], pl.String)
    return plays.join(pairs.with_columns(keys), on=names, how="left", nulls_equal=True, maintain_order="left")


def _reason(played_at: datetime, ingested_at: datetime, now: datetime) -> str:
    try:
        check_times(played_at, ingested_at, now)
    except UnreadableError as error:
        return str(error)
    raise AssertionError("these times are possible")


def _decode(data: bytes) -> pl.DataFrame:
    if next(fastavro.block_reader(io.BytesIO(data)), None) is None:
        return no_plays()  # to Polars a file without a block is broken
    try:
        return pl.read_avro(io.BytesIO(data))
    except pl.exceptions.PanicException as error:  # no Exception: to Rust that some bytes can't be is a bug
        raise ValueError(str(error)) from None


@cache
def _columns() -> dict[str, pl.DataType]:
    """The types of ``play.avsc``."""
    return {field["name"]: _type(field["type"]) for field in play_schema()["fields"]}


def _type(avro: Any) -> pl.DataType:
    match avro:
        case ["null", kind]:
            return _type(kind)
        case {"logicalType": "timestamp-millis"}:
            return pl.Datetime("ms", "UTC")
        case {"type": "array", "items": {"fields": fields}}:
            return pl.List(pl.Struct({field["name"]: _type(field["type"]) for field in fields}))
        case "long":
            return pl.Int64()
        case "boolean":
            return pl.Boolean()
        case _:
            return pl.String()  # enums too


def _months(played_at: pl.Series, calendar: Calendar) -> pl.Series:
    """``Calendar.month_of``."""
    nth = pl.Series(calendar.starts).search_sorted(played_at.dt.epoch("ms"), side="right").cast(pl.Int32) - 1
    months = pl.DataFrame({"nth": nth}).select(pl.date(FIRST_YEAR + pl.col("nth") // 12, pl.col("nth") % 12 + 1, 1))
    return months.to_series().alias("month")
