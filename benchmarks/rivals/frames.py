"""Polars, from the archive's Avro: ``python -m benchmarks.rivals.frames ARCHIVE OUT``.

Month by month on two threads: the folder of a month has all of it, and a month fits in memory. Names are folded once
each, and are numbers while they are grouped. No Beam, no check of a file, and a file that cannot be read ends it.
"""

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import polars as pl

_ZONE = "Europe/Paris"
_NOTHING = pl.lit(None, pl.String)


def main(source: str, out: str) -> None:
    """Two months at a time."""
    months = sorted(Path(source, "plays").iterdir())
    (Path(out) / "plays").mkdir(parents=True)
    with ThreadPoolExecutor(2) as threads:
        tens = list(threads.map(lambda folder: _month(folder, Path(out)), months))
    pl.concat(tens).write_parquet(Path(out, "tens.parquet"))


def _month(folder: Path, out: Path) -> pl.DataFrame:
    """Write a month's plays, each once, and give its top tens."""
    plays = pl.concat([pl.read_avro(path) for path in sorted(folder.glob("*.avro"))]).with_row_index("row")
    kept = (
        plays.select("row", "user_id", "played_at", "ingested_at", "track_id")
        .sort("ingested_at", "track_id")
        .unique(["user_id", "played_at"], keep="first")
    )
    local = pl.col("played_at").dt.convert_time_zone(_ZONE).dt.replace_time_zone(None)
    plays = plays[kept["row"].sort()].drop("row").with_columns(local.alias("played_at_local"))
    where = out / "plays" / folder.name
    where.mkdir()
    plays.write_parquet(where / "plays.parquet", compression="zstd", compression_level=1)
    artist = plays["artists"].list.first().struct
    artist_id, artist_name = artist.field("id"), artist.field("name")
    owner = plays.select(pl.coalesce("album_artist_name", artist_name))["album_artist_name"]
    songs = _numbers(plays["track_name"]), _numbers(artist_name)
    albums = _numbers(plays["album_name"]), _numbers(owner)
    image = plays["album_image_url"]
    tens = pl.concat(
        [
            _tens(
                plays, "track", songs, plays["track_id"], plays["track_name"], artist_name, plays["album_name"], image
            ),
            _tens(plays, "artist", (_as_is(artist_id),), artist_id, artist_name),
            _tens(plays, "album", albums, plays["album_id"], plays["album_name"], owner, None, image),
        ]
    )
    return tens.with_columns(pl.lit(date.fromisoformat(f"{folder.name.removeprefix('month=')}-01")).alias("month"))


def _tens(
    plays: pl.DataFrame,
    kind: str,
    keys: tuple[pl.Series, ...],
    ids: pl.Series,
    names: pl.Series,
    artist_names: pl.Series | None = None,
    album_names: pl.Series | None = None,
    images: pl.Series | None = None,
) -> pl.DataFrame:
    narrow = pl.DataFrame([_as_is(plays["user_id"]).alias("user"), plays["played_at"].alias("at")])
    key = [f"key{number}" for number in range(len(keys))]
    counted = (
        narrow.with_columns(*(numbers.alias(name) for name, numbers in zip(key, keys, strict=True)))
        .with_row_index("row")
        .group_by("user", *key)
        .agg(pl.len().alias("plays"), pl.col("at").max(), pl.col("row").get(pl.col("at").arg_max()))
    )
    # Only who may be among the ten needs an id, by which ties are broken.
    few = counted.filter(pl.col("plays").rank("min", descending=True).over("user") <= 10).with_columns(
        pl.col("at").dt.truncate("1s")
    )
    ten = (
        few.with_columns(ids.gather(few["row"]).alias("id"))
        .sort("user", "plays", "at", "id", descending=[False, True, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("user"))
        .filter(pl.col("rank") <= 10)
    )
    row = ten["row"]

    def said(name: str, column: pl.Series | None) -> pl.Expr:
        return (_NOTHING if column is None else pl.lit(column.gather(row))).alias(name)

    return ten.select(
        said("user_id", plays["user_id"]),
        pl.lit(kind).alias("kind"),
        "rank",
        "id",
        said("name", names),
        said("artist_name", artist_names),
        said("album_name", album_names),
        said("image_url", images),
        pl.col("plays").cast(pl.Int64),
        pl.col("at").alias("last_played_at"),
    )


def _as_is(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Categorical).to_physical()


def _numbers(texts: pl.Series) -> pl.Series:
    """Texts as numbers: equal where the folded texts are."""
    different = texts.unique()
    folded = [" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in different]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(folded))}
    return texts.replace_strict(different, [numbers[text] for text in folded], return_dtype=pl.UInt32)


if __name__ == "__main__":
    main(*sys.argv[1:])
