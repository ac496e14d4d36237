"""``domain/ranking.py`` on whole columns: the top tens of many users and months at once, in Polars.

A user's month is a *listener* here. What a play counts for follows from its track id, so plays are counted by track
first, and a ranking is made of *parts*, the tracks of a listener, which come together to *lines*. All of them have
numbers meanwhile, and texts are fetched only for what may be among the ten. A play's number is its row, and a
listener's last play has the greatest, so "the newest" is a maximum.
"""

import polars as pl

from pipelines.domain.play import SOURCE_RANK
from pipelines.domain.ranking import TOP, Kind
from pipelines.domain.song import SYNTHETIC, synthetic_id

_ITEM = ("rank", "id", "name", "artist_name", "album_name", "image_url", "plays", "last_played_at", "song_id")
# More than any milliseconds since 1970: what is times this comes before them in an order.
_BEYOND = 1 << 44
# Numbers of less are packed into one.
_HALF = 1 << 32
_LARGEST = (1 << 63) - 1
_NOTHING = pl.lit(None, pl.String)
_NO_PLAY = pl.lit(None, pl.UInt32)
# The columns of plays with numbers for their song_key and album_key.
NUMBERS = ("song_number", "album_number")


def known(column: str) -> pl.Expr:
    """A text, none where it is empty."""
    return pl.when(pl.col(column) != "").then(column).alias(column)


class TopTens:
    """The top tens of plays that are in the columns of ``play_events`` and NUMBERS, each once, by user and time.

    ``listeners`` has a row for each user's month: user_id, month, plays_in_month, and its number ``listener``.
    """

    def __init__(self, plays: pl.DataFrame) -> None:
        self._plays = _plays(plays)
        self._tracks = _tracks(self._plays)
        first = self._plays.filter(_differs("listener"))["row"]
        after = first.shift(-1, fill_value=plays.height)
        self.listeners = plays.select("user_id", "month")[first].with_columns(
            (after - first).cast(pl.Int64).alias("plays_in_month"), self._plays["listener"][first]
        )

    def of(self, kind: Kind) -> pl.DataFrame:
        """``ranking.top_ten`` for each listener that has any: listener, items."""
        parts, texts = {
            "track": (_songs, _song_texts),
            "artist": (_artists, _artist_texts),
            "album": (_albums, _album_texts),
        }[kind]
        of_kind = parts(self._plays, self._tracks)
        lines = _likely(_lines(of_kind), self._plays)
        lines = lines.hstack(texts(self._plays, of_kind[lines["part"]]))
        best = (
            lines.sort("order", "id")
            .with_columns(_place().alias("rank"))
            .filter(pl.col("rank") <= TOP)
            .with_columns(pl.col("rank").cast(pl.Int64), pl.col("plays").cast(pl.Int64))
        )
        played_at = self._plays["played_at"].gather(best["last"])
        items = best.with_columns(
            played_at.dt.truncate("1s").alias("last_played_at"),
            self._plays["album_name"].gather(best["album"]),
            self._plays["image_url"].gather(best["image"]),
        )
        return items.group_by("listener", maintain_order=True).agg(pl.struct(_ITEM).alias("items"))


def _differs(*columns: str) -> pl.Expr:
    """Whether a row differs from the one before it."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in columns) | (
        pl.int_range(pl.len()) == 0
    )


def _place() -> pl.Expr:
    """The place of a row among those of its listener, which lie together, from 1."""
    row = pl.int_range(1, pl.len() + 1)
    return row - pl.when(_differs("listener")).then(row - 1).forward_fill()


def _plays(plays: pl.DataFrame) -> pl.DataFrame:
    """``ranking.entry``, with the numbers of row, listener and track, and one for each second of a listener."""
    ranks = {source.value: rank for source, rank in SOURCE_RANK.items()}
    rank = pl.col("source").replace_strict(ranks, return_dtype=pl.Int64)
    artist = plays.select(artist=pl.col("artists").list.first())["artist"].struct.unnest()
    artist = artist.select(known("id"), known("name"))
    return (
        plays.with_row_index("row")
        .with_columns(listener=_differs("user_id", "month").cum_sum().cast(pl.UInt64))
        .with_columns(second=pl.col("played_at").dt.epoch("s"))
        .select(
            "row",
            "listener",
            "played_at",
            "track_id",
            "track_name",
            "song_key",
            "album_key",
            *NUMBERS,
            known("album_id"),
            known("album_name"),
            known("album_artist_name").fill_null(pl.lit(artist["name"])),
            known("album_image_url").alias("image_url"),
            artist["id"].alias("artist_id"),
            artist["name"].alias("artist_name"),
            second=_differs("listener", "second").cum_sum(),
            preference=rank * _BEYOND + pl.col("ingested_at").dt.epoch("ms"),
        )
    )


def _tracks(plays: pl.DataFrame) -> pl.DataFrame:
    """The tracks of each listener: how often heard, the last play, those that know the newest album and cover, and its
    preferred copy ``own`` with its ``preference``."""
    row = pl.col("row")
    return (
        plays.select(
            "row",
            "preference",
            "listener",
            "track_id",
            album=pl.when(pl.col("album_name").is_not_null()).then(row),
            image=pl.when(pl.col("image_url").is_not_null()).then(row),
        )
        # Of equals the one heard last.
        .reverse()
        .sort("preference", maintain_order=True)
        .group_by("listener", "track_id")
        .agg(
            pl.len().alias("plays"),
            row.max().alias("last"),
            pl.col("album", "image").max(),
            row.first().alias("own"),
            pl.col("preference").first(),
        )
    )


def _lines(parts: pl.DataFrame) -> pl.DataFrame:
    """What is ranked: the parts of one listener and key together, and the part that shows it, which is the last heard
    that has an id of Spotify's, or else the last."""
    shown = (pl.col("is_spotifys").cast(pl.UInt64) * (_HALF // 2) + pl.col("last").cast(pl.UInt64)) * _HALF
    return (
        parts.with_row_index("part")
        .with_columns(part=shown + pl.col("part").cast(pl.UInt64))
        .group_by("listener", "key")
        .agg(pl.col("plays").sum(), pl.col("last", "album", "image", "part").max())
        .with_columns(pl.col("part") % _HALF)
    )


def _likely(lines: pl.DataFrame, plays: pl.DataFrame) -> pl.DataFrame:
    """The lines that may be among the ten, by listener and ``order``: only ids are missing to decide."""
    seconds, most, last = plays["second"].max() or 0, lines["plays"].max() or 0, lines["listener"].max() or 0
    assert isinstance(seconds, int)
    assert isinstance(most, int)
    assert isinstance(last, int)
    kind = pl.Int64() if (last + 1) * (most + 1) * (seconds + 1) <= _LARGEST else pl.Int128()
    by_plays = pl.col("listener").cast(kind) * (most + 1) + (most - pl.col("plays").cast(kind))
    second = plays["second"].gather(lines["last"])
    return (
        lines.with_columns(order=by_plays * (seconds + 1) + (seconds - pl.lit(second).cast(kind)))
        .sort("order")
        .with_columns(place=_place())
        # Equals have the place of the first of them.
        .filter(pl.when(_differs("order")).then("place").forward_fill() <= TOP)
    )


# The following make the parts of a ranking: the tracks of a listener, each with the key that its plays count under, and
# the rows of plays that know the texts.


def _songs(plays: pl.DataFrame, tracks: pl.DataFrame) -> pl.DataFrame:
    return tracks.with_columns(
        plays["song_number"].gather(tracks["own"]).alias("key"),
        is_spotifys=~pl.col("track_id").str.starts_with(SYNTHETIC),
    )


def _song_texts(plays: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    texts = plays.select("track_id", "track_name", "artist_name", "song_key")[shown["own"]]
    return texts.select(id="track_id", name="track_name", artist_name="artist_name", song_id="song_key")


def _artists(plays: pl.DataFrame, tracks: pl.DataFrame) -> pl.DataFrame:
    said = plays.select("artist_id", "artist_name")[tracks["own"]]
    named = tracks.hstack(said).filter(pl.col("artist_name").is_not_null())
    if named["artist_id"].null_count():
        named = named.with_columns(_stand_ins(named))
    return named.with_columns(
        key="artist_id",
        album=_NO_PLAY,
        image=_NO_PLAY,
        is_spotifys=pl.lit(value=True),  # whatever it is: the last is shown
    )


def _stand_ins(named: pl.DataFrame) -> pl.Series:
    """The ids of artists, with others for those that have none: the one that the listener knows for the name, or else
    one made of the name."""
    by_name = ["listener", "artist_name"]
    known = (
        named.filter(pl.col("artist_id").is_not_null())
        .group_by(by_name)
        .agg(pl.col("artist_id").first().alias("known"), pl.col("artist_id").n_unique().alias("ids"))
        .filter(pl.col("ids") == 1)
    )
    nameless = named.filter(pl.col("artist_id").is_null())["artist_name"].unique()
    made = pl.Series([synthetic_id("artist", name) for name in nameless], dtype=pl.String)
    return (
        named.select(*by_name, "artist_id")
        .join(known, on=by_name, how="left", maintain_order="left")
        .join(
            pl.DataFrame({"artist_name": nameless, "made": made}), on="artist_name", how="left", maintain_order="left"
        )
        .select(pl.coalesce("artist_id", "known", "made").alias("artist_id"))
        .to_series()
    )


def _artist_texts(plays: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG001 - as its siblings
    return shown.select(id="artist_id", name="artist_name", artist_name=_NOTHING, song_id=_NOTHING)


def _albums(plays: pl.DataFrame, tracks: pl.DataFrame) -> pl.DataFrame:
    said = plays.select("album_id", is_named=pl.col("album_name").is_not_null())[tracks["own"]]
    named = tracks.hstack(said).filter("is_named")
    # Of an id that several tracks have, the preferred copy says key and names. By hashes it may be a few more.
    hashes = named.select(pl.col("listener").hash() ^ pl.col("album_id").hash()).to_series()
    by_id = ["listener", "album_id"]
    says = (
        named.filter(pl.col("album_id").is_not_null() & hashes.is_duplicated())
        .sort("preference", "track_id")
        .unique(by_id, keep="first", maintain_order=True)
        .select(*by_id, says="own")
    )
    named = named.join(says, on=by_id, how="left", maintain_order="left").with_columns(pl.coalesce("says", "own"))
    return named.with_columns(
        plays["album_number"].gather(named["says"]).alias("key"),
        album=_NO_PLAY,
        is_spotifys=pl.col("album_id").is_not_null(),
    )


def _album_texts(plays: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    texts = plays.select("album_key", "album_name", "album_artist_name")[shown["says"]]
    return texts.select(
        shown["album_id"].fill_null(texts["album_key"]).alias("id"),
        name="album_name",
        artist_name="album_artist_name",
        song_id=_NOTHING,
    )
