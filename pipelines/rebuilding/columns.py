"""The domain's rules on whole columns, for the rebuild: many plays at once, in Polars.

Each function says which function of the domain it does the work of; tests hold the two equal.
"""

from collections import Counter
from datetime import UTC, date, datetime
from functools import cache

import polars as pl

from pipelines.domain import play
from pipelines.domain.month import FIRST_YEAR, Calendar
from pipelines.domain.play import AHEAD, SOURCE_RANK, UnreadableError, check_times
from pipelines.domain.ranking import KINDS
from pipelines.domain.song import album_key, song_of_names
from pipelines.rebuilding.keys import Keys
from pipelines.rebuilding.top_tens import NUMBERS, TopTens, known
from pipelines.storage.forgotten import Forgotten

# Without the domain's own memory: these have met a pair before, or make its key once.
_SONGS, _ALBUMS = Keys(song_of_names.__wrapped__), Keys(album_key.__wrapped__)


def possible(plays: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, dict[str, int]]:
    """The plays that ``play.check_times`` lets pass, and how many it does not, by its reasons."""
    times = pl.col("played_at"), pl.col("ingested_at")
    fine = (times[0] - times[1] <= AHEAD) & possible_instant(times[0], now) & possible_instant(times[1], now)
    is_fine = plays.select(fine).to_series()
    if is_fine.all():  # nearly always
        return plays, {}
    refused = plays.filter(~is_fine).select(*times)  # each of which is told by the rule itself
    return plays.filter(is_fine), Counter(
        _reason(played_at, ingested_at, now) for played_at, ingested_at in refused.rows()
    )


def possible_instant(time: pl.Expr, now: datetime) -> pl.Expr:
    """Whether ``play.check_instant`` lets it pass."""
    first, after = datetime(play.FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(play.LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    return (time >= first) & (time < after) & (time <= now + AHEAD)


def remembered(plays: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """The plays of ``Forgotten.without``."""
    if not forgotten.marks:
        return plays
    until = {user: instant for user in plays["user_id"].unique() if (instant := forgotten.until(user)) is not None}
    if not until:
        return plays
    of_user = pl.col("user_id").replace_strict(until, default=None, return_dtype=pl.Datetime("ms", "UTC"))
    return plays.filter(of_user.is_null() | (pl.col("ingested_at") > of_user))


def with_month(plays: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Add month, as ``Play.to_row`` does."""
    return plays.with_columns(_months(plays["played_at"], calendar))


def with_local_time(plays: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Add played_on and played_at_local, as ``Play.to_row`` does."""
    local = pl.col("played_at").dt.convert_time_zone(calendar.time_zone).dt.replace_time_zone(None)
    return plays.with_columns(local.alias("played_at_local")).with_columns(
        pl.col("played_at_local").dt.date().alias("played_on")
    )


def each_once(plays: pl.DataFrame) -> pl.DataFrame:
    """One copy of each play, the one that ``Play.preference`` prefers, by user and time."""
    users = pl.Enum(plays["user_id"].unique().sort())
    found = (
        plays.select(user=pl.col("user_id").cast(users).to_physical(), at=pl.col("played_at").dt.epoch("ms"))
        .with_row_index("row")
        .sort("user", "at", maintain_order=True)
        .with_columns(is_new=((pl.col("user") != pl.col("user").shift()) | (pl.col("at") != pl.col("at").shift())))
        .select("row", is_new=pl.col("is_new").fill_null(value=True))
    )
    kept = found["row"]
    if not found["is_new"].all():
        of = found.select("row", play=pl.col("is_new").cum_sum())
        is_copied = found["is_new"].not_() | found["is_new"].shift(-1, fill_value=True).not_()
        alone = of.filter(~is_copied)
        chosen = _preferred(plays, of.filter(is_copied))
        kept = pl.concat([alone, chosen]).sort("play")["row"]
    return plays[kept]


def with_keys(plays: pl.DataFrame) -> pl.DataFrame:
    """Add song_key and album_key, as ``Play.to_row`` does, with the numbers of both that ``TopTens`` counts by.

    Better in the order of the files than in another: texts that lie beside each other in memory are found sooner.
    """
    artist_name = plays.select(pl.col("artists").list.first().struct.field("name")).to_series()
    album_artist = plays.select(known("album_artist_name")).to_series()
    song_key, song = _SONGS.of(plays["track_name"], artist_name)
    if song_key.null_count():
        song_key = song_key.fill_null(plays["track_id"])
        song = song_key.cast(pl.Categorical).to_physical()
    album_key, album = _ALBUMS.of(plays["album_name"], album_artist.fill_null(artist_name))
    new = (song_key, album_key, song, album)
    return plays.with_columns(
        column.alias(name) for column, name in zip(new, ("song_key", "album_key", *NUMBERS), strict=True)
    )


def snapshots(plays: pl.DataFrame, calendar: Calendar, computed_at: datetime) -> pl.DataFrame:
    """Rows of ``top_ten_snapshots``, what ``ranking.snapshots`` makes.

    ``plays`` are ``with_keys``, those of ``each_once`` and in its order.
    """
    top_tens = TopTens(plays)
    over = [month for month in plays["month"].unique() if calendar.is_over(month, computed_at)]
    months = top_tens.listeners.with_columns(
        pl.col("month").is_in(over).alias("is_final"), pl.lit(computed_at).alias("computed_at")
    )
    return pl.concat(
        months.with_columns(pl.lit(kind).alias("kind")).join(top_tens.of(kind), on="listener", how="left")
        for kind in KINDS
    ).select(pl.exclude("listener", "items"), pl.col("items").fill_null([]))


def _preferred(plays: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Of rows, with the number of their play, those of the preferred copies."""
    ranks = {source.value: rank for source, rank in SOURCE_RANK.items()}
    return (
        copies.hstack(plays.select("source", "ingested_at", "track_id")[copies["row"]])
        .with_columns(rank=pl.col("source").replace_strict(ranks, return_dtype=pl.Int8))
        .sort("play", "rank", "ingested_at", "track_id", maintain_order=True)
        .unique("play", keep="first", maintain_order=True)
        .select("row", "play")
    )


def _reason(played_at: datetime, ingested_at: datetime, now: datetime) -> str:
    try:
        check_times(played_at, ingested_at, now)
    except UnreadableError as error:
        return str(error)
    raise AssertionError("these times are possible")


def _months(played_at: pl.Series, calendar: Calendar) -> pl.Series:
    """``Calendar.month_of``."""
    starts = pl.Series(calendar.starts)
    nth = starts.search_sorted(played_at.dt.epoch("ms"), side="right") - 1
    return _first_days(len(starts)).gather(nth).alias("month")


@cache
def _first_days(months: int) -> pl.Series:
    return pl.date_range(date(FIRST_YEAR, 1, 1), interval="1mo", eager=True, end=_nth(months - 1))


def _nth(n: int) -> date:
    return date(FIRST_YEAR + n // 12, n % 12 + 1, 1)
