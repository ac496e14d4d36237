"""``python -m pipelines.rebuild`` beside its yardstick, on two invented archives: ``python -m benchmarks.rebuild``.

The yardstick is DuckDB, asked for the same top tens of the same plays in Parquet. Both have to give the same tracks,
or the benchmark fails. The rebuild does more: it reads Avro, keeps each play once, and writes all plays and top tens.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.process import BenchmarkError, Used, run_python
from benchmarks.tables import table
from demo.catalogue import Track, invent_catalogue
from pipelines.command import stopped_like_ctrl_c
from pipelines.domain.month import Calendar, following, preceding
from pipelines.domain.play import Artist, Play, Source
from pipelines.querying.duck import query
from pipelines.rebuilding.decoding import read_plays
from pipelines.storage.archive import Archive
from pipelines.warehouse.folder import FolderWarehouse

_LAST_MONTH = date(2026, 10, 1)
# As the stream writes them.
_PLAYS_IN_A_FILE = 10_000
_TRACKS_OF_A_LISTENER = 300
_REPETITIONS = 3
_LONGEST_REBUILD_SECONDS = 600

# Ids are all known, and names are written one way, so nothing has to stand for them; the rest is the same question.
_TOP_TENS = """
    WITH plays AS (
        SELECT
            user_id, date_trunc('month', played_at AT TIME ZONE '{time_zone}')::DATE AS month, played_at,
            track_id, track_name, artists[1].id AS artist_id, artists[1].name AS artist_name,
            album_id, album_name, album_image_url
        FROM read_parquet('{folder}/*.parquet')
    ), counted AS ({counted})
    SELECT *, row_number() OVER ranked AS rank
    FROM counted
    WINDOW ranked AS (PARTITION BY user_id, month, kind ORDER BY plays DESC, last_played_at DESC, id)
    QUALIFY rank <= 10
"""
_COUNTED = """
    SELECT
        user_id, month, '{kind}' AS kind, arg_max({kind}_id, played_at) AS id, arg_max({kind}_name, played_at) AS name,
        arg_max(artist_name, played_at) AS artist_name, arg_max(album_name, played_at) AS album_name,
        arg_max(album_image_url, played_at) AS image_url, count(*) AS plays,
        date_trunc('second', max(played_at)) AS last_played_at
    FROM plays GROUP BY user_id, month, {key}
"""
_KEYS = {"track": "track_name, artist_name", "artist": "artist_id", "album": "album_name, artist_name"}
_REBUILT = "SELECT user_id, month, rank, track_id, plays FROM monthly_top_tracks"


@dataclass(frozen=True, slots=True)
class Listening:
    """Who listened for how long: ``plays`` are all users' together."""

    users: int
    months: int
    plays: int

    def __str__(self) -> str:
        users = "one user" if self.users == 1 else f"{self.users:,} users"
        return f"{self.plays:,} plays of {users}, {self.months} months"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the whole command used, and the seconds of DuckDB's answer."""

    listening: Listening
    files: int
    used: Used
    yardstick_seconds: float


def measure(listening: Listening, calendar: Calendar, seed: int) -> Figures:
    """Invent an archive, rebuild it, ask DuckDB, and compare. Raises BenchmarkError."""
    with tempfile.TemporaryDirectory(prefix="heavy-rotation-") as name:
        folder = Path(name)
        archive = Archive(str(folder / "archive"))
        paths = [
            path
            for month, in_month in _invent(listening, calendar, seed)
            for plays in _batches(in_month)
            if (path := archive.write(month, plays))
        ]
        _write_parquet(archive, paths, folder / "parquet")
        used = _rebuild(archive, folder / "warehouse", calendar)
        yardstick, tracks = _ask_duckdb(folder / "parquet", calendar)
        rebuilt = query(FolderWarehouse.open(folder / "warehouse"), _REBUILT)
        if {tuple(row.values()) for row in rebuilt.to_pylist()} != set(tracks):
            raise BenchmarkError("the rebuild and DuckDB disagree on the top ten tracks")
    return Figures(listening, len(paths), used, yardstick)


def _invent(listening: Listening, calendar: Calendar, seed: int) -> Iterator[tuple[date, list[Play]]]:
    """Plays month by month, in the order of time. Everybody likes some tracks of one library, a few of them most."""
    rng = random.Random(seed)
    library = [track for _, tracks in invent_catalogue(seed).albums for track in tracks]
    tastes = [rng.sample(library, _TRACKS_OF_A_LISTENER) for _ in range(listening.users)]
    favour = list(accumulate(1 / rank for rank in range(1, _TRACKS_OF_A_LISTENER + 1)))
    each = round(listening.plays / listening.users / listening.months)
    month = _LAST_MONTH
    for _ in range(listening.months - 1):
        month = preceding(month)
    for _ in range(listening.months):
        begin, end = calendar.bounds(month)
        plays = []
        for number, taste in enumerate(tastes):
            instants = rng.sample(range((end - begin) // timedelta(milliseconds=1)), each)
            tracks = rng.choices(taste, cum_weights=favour, k=each)
            plays += [
                _play(f"user{number:04}", begin + timedelta(milliseconds=millis), track)
                for millis, track in zip(instants, tracks, strict=True)
            ]
        yield month, sorted(plays, key=lambda play: play.played_at)
        month = following(month)


def _play(user_id: str, played_at: datetime, track: Track) -> Play:
    return Play(
        user_id=user_id,
        played_at=played_at,
        track_id=track.id or "",
        track_name=track.name,
        artists=tuple(Artist(artist.name, artist.id) for artist in track.artists),
        source=Source.RECENTLY_PLAYED,
        ingested_at=played_at + timedelta(minutes=10),
        duration_ms=track.duration_ms,
        isrc=track.isrc,
        explicit=track.explicit,
        album_id=track.album.id,
        album_name=track.album.name,
        album_release_date=track.album.release_date.isoformat(),
        album_image_url=track.album.image_url(640),
    )


def _batches(plays: list[Play]) -> Iterator[list[Play]]:
    rest = iter(plays)
    while batch := list(islice(rest, _PLAYS_IN_A_FILE)):
        yield batch


def _write_parquet(archive: Archive, paths: Sequence[str], folder: Path) -> None:
    folder.mkdir()
    for number, path in enumerate(paths):
        read_plays(path, archive.read_bytes(path)).write_parquet(folder / f"{number:04}.parquet")


def _rebuild(archive: Archive, warehouse: Path, calendar: Calendar) -> Used:
    """What the command takes, as a process of its own."""
    options = ["--archive", archive.root, "--warehouse", str(warehouse), "--time-zone", calendar.time_zone]
    return run_python(["-m", "pipelines.rebuild", *options], warehouse.with_suffix(".log"), _LONGEST_REBUILD_SECONDS)


def _ask_duckdb(folder: Path, calendar: Calendar) -> tuple[float, list[tuple[object, ...]]]:
    """The middle of a few times in seconds, and the tracks: user, month, rank, id, plays."""
    counted = " UNION ALL ".join(_COUNTED.format(kind=kind, key=key) for kind, key in _KEYS.items())
    sql = _TOP_TENS.format(counted=counted, folder=folder, time_zone=calendar.time_zone)
    times = []
    for _ in range(_REPETITIONS):
        began = time.monotonic()
        with duckdb.connect(config={"threads": 2}) as connection:
            answer = connection.sql(sql).to_arrow_table()
        times.append(time.monotonic() - began)
    frame = pl.from_arrow(answer)
    assert isinstance(frame, pl.DataFrame)
    tracks = frame.filter(pl.col("kind") == "track").select("user_id", "month", "rank", "id", "plays")
    return statistics.median(times), tracks.rows()


def _table(all_figures: Sequence[Figures]) -> str:
    head = ("archive", "files", "rebuild s", "plays/s", "CPU seconds", "peak MB", "DuckDB s", "plays/s", "ratio")
    return table(
        head,
        [
            (
                str(each.listening),
                f"{each.files:,}",
                f"{each.used.seconds:.1f}",
                f"{each.listening.plays / each.used.seconds:,.0f}",
                f"{each.used.cpu_seconds:.1f}",
                f"{each.used.peak_mb:,.0f}",
                f"{each.yardstick_seconds:.2f}",
                f"{each.listening.plays / each.yardstick_seconds:,.0f}",
                f"{each.used.seconds / each.yardstick_seconds:.0f}",
            )
            for each in all_figures
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and print the figures. Exit code 1 where there are none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__, allow_abbrev=False)
    parser.add_argument("--share", type=float, default=1, help="of the plays, for a quick look (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of what was played (default: %(default)s)")
    options = parser.parse_args(argv)
    archives = [
        Listening(1000, 24, round(1_008_000 * options.share)),
        Listening(1, 120, round(200_040 * options.share)),
    ]
    calendar = Calendar()
    try:
        with stopped_like_ctrl_c():
            figures = [measure(archive, calendar, options.seed) for archive in archives]
    except BenchmarkError as error:
        print(f"benchmark: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{_table(figures)}\n\nBoth give the same top ten tracks. Each on two cores at most.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
