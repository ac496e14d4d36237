"""``domain/ranking.py`` on whole columns: the top tens of many users and months at once, in Polars.

What a play counts for follows from its track id, so plays are counted by track first, and what is ranked are the tracks
of a user's month. Plays have numbers meanwhile, a user's last play the least, and so "the newest" is a minimum.
"""

import polars as pl

from pipelines.domain.play import SOURCE_RANK
from pipelines.domain.ranking import TOP, Kind
from pipelines.domain.song import SYNTHETIC, synthetic_id

_MONTH = ("user_id", "month")
_ITEM = ("rank", "id", "name", "artist_name", "album_name", "image_url", "plays", "last_played_at", "song_id")
# More than any milliseconds since 1970 and any number of a row: what is times this comes before them in an order.
_BEYOND = 1 << 44
_COUNTS = (*_MONTH, "plays", "last")
_NOTHING = pl.lit(None, pl.String)
_NO_PLAY = pl.lit(None, pl.UInt32)


class TopTens:
    """The top tens of plays that are in the columns of ``play_events``, each once, sorted by user and time."""

    def __init__(self, plays: pl.DataFrame) -> None:
        self._plays = _plays(plays)
        self._tracks = _tracks(self._plays)

    def of(self, kind: Kind) -> pl.DataFrame:
        """``ranking.top_ten`` for each user and month: user_id, month, items."""
        parts = {"track": _songs, "artist": _artists, "album": _albums}[kind](self._tracks)
        without_an_id_last = (~pl.col("is_spotifys")).cast(pl.Int64) * _BEYOND + pl.col("last")
        lines = (
            parts.with_row_index("shown")
            .group_by(*_MONTH, "key")
            .agg(
                pl.col("plays").sum().cast(pl.Int64),
                pl.col("last", "album", "image").min(),
                pl.col("shown").get(without_an_id_last.arg_min()),
            )
        )
        best = (
            lines.with_columns(
                parts["id"].gather(lines["shown"]),
                self._plays["played_at"].gather(lines["last"]).dt.truncate("1s").alias("last_played_at"),
            )
            .sort(*_MONTH, "plays", "last_played_at", "id", descending=[False, False, True, True, False])
            .with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(*_MONTH).alias("rank"))
            .filter(pl.col("rank") <= TOP)
        )
        items = best.with_columns(
            parts["name"].gather(best["shown"]),
            parts["artist_name"].gather(best["shown"]),
            self._plays["album_name"].gather(best["album"]),
            self._plays["image_url"].gather(best["image"]),
            (pl.col("key") if kind == "track" else _NOTHING).alias("song_id"),
        )
        return items.group_by(*_MONTH).agg(pl.struct(_ITEM).sort_by("rank").alias("items"))


def _plays(plays: pl.DataFrame) -> pl.DataFrame:
    """``ranking.entry``, the last first."""
    ranks = {source.value: rank for source, rank in SOURCE_RANK.items()}
    rank = pl.col("source").replace_strict(ranks, return_dtype=pl.Int64)
    artist = plays.select(artist=pl.col("artists").list.first())["artist"].struct.unnest()
    artist_name = _known(pl.lit(artist["name"]))
    return (
        plays.select(
            *_MONTH,
            "track_id",
            "track_name",
            "song_key",
            "album_key",
            "played_at",
            preference=rank * _BEYOND + pl.col("ingested_at").dt.epoch("ms"),
            artist_id=_known(pl.lit(artist["id"])),
            artist_name=artist_name,
            album_id=_known(pl.col("album_id")),
            album_name=_known(pl.col("album_name")),
            album_artist=pl.coalesce(_known(pl.col("album_artist_name")), artist_name),
            image_url=_known(pl.col("album_image_url")),
        )
        .reverse()
        .with_row_index("row")
    )


def _known(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _tracks(plays: pl.DataFrame) -> pl.DataFrame:
    """The tracks of each user's month: how often heard, the numbers of the last play and of those that know the newest
    album and cover, and what the preferred copy says."""
    number = pl.col("row")
    tracks = plays.group_by(*_MONTH, "track_id").agg(
        pl.len().alias("plays"),
        number.min().alias("last"),
        number.filter(pl.col("album_name").is_not_null()).min().alias("album"),
        number.filter(pl.col("image_url").is_not_null()).min().alias("image"),
        # Of equals the first, which is the one heard last.
        number.get(pl.col("preference").arg_min()),
    )
    own = "track_name", "song_key", "album_key", "artist_id", "artist_name", "album_id", "album_name", "album_artist"
    return tracks.with_columns(plays[name].gather(tracks["row"]) for name in (*own, "preference"))


# The following make the parts of a ranking: the tracks of a user's month, each with the key that its plays count under
# and what may be shown of it.


def _songs(tracks: pl.DataFrame) -> pl.DataFrame:
    return tracks.select(
        *_COUNTS,
        "album",
        "image",
        key=pl.col("song_key"),
        id=pl.col("track_id"),
        is_spotifys=~pl.col("track_id").str.starts_with(SYNTHETIC),
        name=pl.col("track_name"),
        artist_name=pl.col("artist_name"),
    )


def _artists(tracks: pl.DataFrame) -> pl.DataFrame:
    named = tracks.filter(pl.col("artist_name").is_not_null())
    by_name = [*_MONTH, "artist_name"]
    known = (
        named.filter(pl.col("artist_id").is_not_null())
        .group_by(by_name)
        .agg(pl.col("artist_id").first().alias("known"), pl.col("artist_id").n_unique().alias("ids"))
        .filter(pl.col("ids") == 1)
    )
    nameless = named.filter(pl.col("artist_id").is_null())["artist_name"].unique()
    made = pl.Series([synthetic_id("artist", name) for name in nameless], dtype=pl.String)
    id_ = pl.coalesce("artist_id", "known", "made")
    return (
        named.join(known, on=by_name, how="left")
        .join(pl.DataFrame({"artist_name": nameless, "made": made}), on="artist_name", how="left")
        .select(
            *_COUNTS,
            album=_NO_PLAY,
            image=_NO_PLAY,
            key=id_,
            id=id_,
            is_spotifys=pl.lit(True),  # whatever it is: the last is shown
            name=pl.col("artist_name"),
            artist_name=_NOTHING,
        )
    )


def _albums(tracks: pl.DataFrame) -> pl.DataFrame:
    named = tracks.filter(pl.col("album_name").is_not_null())
    by_id = [*_MONTH, "album_id"]
    preferred = (
        named.filter(pl.col("album_id").is_not_null())
        .sort("preference", "track_id", "row")
        .unique(by_id, keep="first", maintain_order=True)
        .select(*by_id, "album_key", "album_name", "album_artist")
    )
    has_id = pl.col("album_id").is_not_null()
    key, name, artist_name = (
        pl.when(has_id).then(f"{column}_preferred").otherwise(column)
        for column in ("album_key", "album_name", "album_artist")
    )
    return named.join(preferred, on=by_id, how="left", suffix="_preferred").select(
        *_COUNTS,
        "image",
        album=_NO_PLAY,
        key=key,
        id=pl.coalesce("album_id", key),
        is_spotifys=has_id,
        name=name,
        artist_name=artist_name,
    )
