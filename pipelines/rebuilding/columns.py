"""The domain's rules on whole columns, for the rebuild: many plays at once, in Polars.

Each function says which function of the domain it does the work of; tests hold the two equal.
"""

import io
from datetime import date, datetime
from functools import cache
from typing import Any

import fastavro
import polars as pl

from pipelines.domain.month import FIRST_YEAR, Calendar
from pipelines.domain.play import SOURCE_RANK, synthetic_id
from pipelines.domain.ranking import KINDS, TOP, Kind
from pipelines.storage.archive import check_count, readable
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


def no_plays() -> pl.DataFrame:
    """What ``read_plays`` gives for a file of none."""
    return pl.DataFrame(schema=_columns())


def with_local_time(plays: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Add played_on, played_at_local and month: what ``Play.to_row`` adds."""
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


def snapshots(plays: pl.DataFrame, calendar: Calendar, computed_at: datetime) -> pl.DataFrame:
    """Rows of ``top_ten_snapshots`` for plays that are each there once: what ``ranking.snapshots`` makes."""
    months = plays.group_by("user_id", "month").agg(pl.len().cast(pl.Int64).alias("plays_in_month"))
    over = [month for month in months["month"].unique() if calendar.is_over(month, computed_at)]
    months = months.with_columns(
        pl.col("month").is_in(over).alias("is_final"), pl.lit(computed_at).alias("computed_at")
    )
    return pl.concat(
        months.with_columns(pl.lit(kind).alias("kind")).join(
            _top_tens(_named(plays, kind), kind), on=["user_id", "month"], how="left"
        )
        for kind in KINDS
    ).with_columns(pl.col("items").fill_null([]))


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


def _named(plays: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Each play's part in one ranking: id where it is known, by (the rest of the names), name and the rest."""
    artist = pl.col("artists").list.first()
    artist_id, artist_name = artist.struct.field("id"), artist.struct.field("name")
    nothing = pl.lit(None, pl.String)
    album, cover = pl.col("album_name"), pl.col("album_image_url")
    columns: dict[Kind, tuple[pl.Expr, ...]] = {
        "track": (pl.col("track_id"), pl.lit(""), pl.col("track_name"), artist_name, album, cover),
        "artist": (artist_id, pl.lit(""), artist_name, nothing, nothing, nothing),
        "album": (pl.col("album_id"), artist_name.fill_null(""), album, artist_name, nothing, cover),
    }
    names = "id", "by", "name", "artist_name", "album_name", "image_url"
    named = plays.select(
        "user_id", "month", "played_at", *(c.alias(n) for c, n in zip(columns[kind], names, strict=True))
    )
    # An empty id is none, as it is to ranking.entry.
    return named.filter(pl.col("name").is_not_null()).with_columns(pl.col("id").replace("", None))


def _top_tens(named: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """``ranking.top_ten`` for each user and month: user_id, month, items."""
    counts = (
        _with_ids(named, kind)
        .sort("played_at")
        .group_by("user_id", "month", "id")
        .agg(
            pl.last("name", "artist_name", "album_name"),
            pl.col("image_url").filter(pl.col("image_url") != "").last(),
            pl.len().cast(pl.Int64).alias("plays"),
            pl.last("played_at").alias("last_played_at"),
        )
        .sort("user_id", "month", "plays", "last_played_at", "id", descending=[False, False, True, True, False])
        .with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("user_id", "month").alias("rank"))
        .filter(pl.col("rank") <= TOP)
    )
    item = "rank", "id", "name", "artist_name", "album_name", "image_url", "plays", "last_played_at"
    return counts.group_by("user_id", "month").agg(pl.struct(item).sort_by("rank").alias("items"))


def _with_ids(named: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Fill in the ids that names stand for: the one id that the user's month knows for them, or a made one."""
    key = ["user_id", "month", "by", "name"]
    known = (
        named.filter(pl.col("id").is_not_null())
        .group_by(key)
        .agg(pl.col("id").first().alias("known"), pl.col("id").n_unique().alias("ids"))
        .filter(pl.col("ids") == 1)
        .select(*key, "known")
    )
    nameless = named.filter(pl.col("id").is_null()).select("by", "name").unique()
    made = nameless.with_columns(
        pl.Series("made", [_made_id(kind, by, name) for by, name in nameless.rows()], pl.String)
    )
    return (
        named.join(known, on=key, how="left")
        .join(made, on=["by", "name"], how="left")
        .with_columns(pl.coalesce("id", "known", "made").alias("id"))
    )


def _made_id(kind: Kind, by: str, name: str) -> str:
    return synthetic_id(kind, by, name) if kind == "album" else synthetic_id(kind, name)
