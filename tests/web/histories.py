"""Listening for the pages' tests: a year and more that was drawn by dice, and what is written of it into a folder."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from pipelines.domain import ranking
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source
from pipelines.warehouse.folder import FolderWarehouse
from tests.web.client import Client
from web.app import create_app
from web.settings import Settings

CALENDAR = Calendar("Europe/Paris")
NOW = datetime(2026, 11, 28, 13, 6, tzinfo=UTC)
FIRST = datetime(2025, 9, 15, 6, tzinfo=UTC)
# What a title may be: markup, a path, an address, right to left, wide, an accent, much too long.
TITLES = (
    "<script>alert(1)</script>",
    "Salt & \"Pepper\" 'n' `ticks`",
    "AC/DC?a=b#c",
    "على مهل",
    "夜の電車",
    "Marée basse",
    "x" * 300,
    "--- {{ 7 * 7 }} ${dataset} @user_id",
)
COVER = "https://i.scdn.co/image/ab67616d0000b273" + "0123456789abcdef01234567"


def a_play(played_at: datetime, number: int = 1, **fields: Any) -> Play:
    """A play of track ``number``, about which everything is known unless ``fields`` say otherwise."""
    artist = number % 7
    known: dict[str, Any] = {
        "user_id": "me",
        "played_at": played_at,
        "track_id": f"track{number:017}",
        "track_name": TITLES[number] if number < len(TITLES) else f"Song {number}",
        "artists": (Artist(f"Artist {artist}", f"artist{artist:016}"),),
        "album_id": f"album{number % 11:017}",
        "album_name": f"Album {number % 11}",
        "album_artist_name": f"Artist {number % 11 % 7}",
        "album_image_url": COVER,
        "album_release_date": f"{1990 + number % 30}",
        "duration_ms": 200_000,
        "ms_played": 180_000,
        "skipped": number % 9 == 0,
        "reason_start": "clickrow",
        "reason_end": "trackdone",
        "source": Source.EXTENDED_EXPORT,
        "ingested_at": NOW - timedelta(minutes=4),
    }
    return Play(**known | fields)


def a_history(seed: int = 1, number: int = 1200, **fields: Any) -> list[Play]:
    """Plays from FIRST to an hour before NOW, a few songs more often than others, at hours of the day."""
    dice = Random(seed)
    span = NOW - timedelta(hours=1) - FIRST
    instants = sorted({FIRST + span * dice.random() ** 0.8 for _ in range(number)} | {FIRST, FIRST + span})
    return [
        a_play(instant.replace(microsecond=0), min(int(dice.expovariate(0.06)), 60), **fields) for instant in instants
    ]


def written(folder: Path, plays: Iterable[Play]) -> str:
    """A warehouse of these plays; where it is."""
    warehouse = FolderWarehouse(folder, CALENDAR.time_zone)
    all_plays = sorted({(one.user_id, one.played_at): one for one in plays}.values(), key=lambda one: one.played_at)
    warehouse.append("play_events", [one.to_row(CALENDAR) for one in all_plays])
    by_user = sorted(all_plays, key=lambda one: (one.user_id, one.played_at))
    for (user, month), some in groupby(by_user, lambda one: (one.user_id, CALENDAR.month_of(one.played_at))):
        tally = dict(map(ranking.entry, some))
        is_final = CALENDAR.is_over(month, NOW)
        rows = ranking.snapshots(user, month, tally, is_final=is_final, computed_at=NOW)
        warehouse.append("top_ten_snapshots", list(rows))
    return str(folder)


def opened(warehouse: str, **settings: Any) -> Client:
    """A browser beside a server over a warehouse."""
    return Client(create_app(Settings(warehouse, clock=lambda: NOW, **settings)), "http://127.0.0.1:8723")
