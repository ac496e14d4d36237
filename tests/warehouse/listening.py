"""A little listening for the tests of tables and queries: two months of one listener in Paris."""

from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.domain import ranking
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source
from pipelines.warehouse.folder import FolderWarehouse

CALENDAR = Calendar("Europe/Paris")
READ_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
# When, which track, by whom. The last of October is already November in Paris.
HEARD = [
    ("2026-10-05T08:00:00Z", 1, 1),
    ("2026-10-06T08:00:00Z", 1, 1),
    ("2026-10-07T08:00:00.123Z", 2, 2),
    ("2026-10-07T20:30:00Z", 3, 2),
    ("2026-10-31T23:00:00Z", 2, 2),
    ("2026-11-02T07:59:59Z", 4, 3),
    ("2026-11-03T08:00:00Z", 2, 2),
    ("2026-11-03T09:00:00Z", 5, 1),
]


def play(played_at: str, track: int, artist: int, **fields: Any) -> Play:
    """A play of five minutes, read from the API unless ``fields`` say otherwise."""
    known: dict[str, Any] = {
        "user_id": "listener",
        "played_at": datetime.fromisoformat(played_at),
        "track_id": f"track-{track}",
        "track_name": f"Track {track}",
        "artists": (Artist(f"Artist {artist}", f"artist-{artist}"),),
        "album_id": f"album-{artist}",
        "album_name": f"Album {artist}",
        "duration_ms": 300_000,
        "source": Source.RECENTLY_PLAYED,
        "ingested_at": READ_AT,
    }
    return Play(**known | fields)


def rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of the three tables. One play is there twice, and every month's first snapshots are stale."""
    plays = [play(*heard) for heard in HEARD]
    snapshots = []
    for month, group in groupby(plays, lambda one: CALENDAR.month_of(one.played_at)):
        in_month = list(group)
        for hours, some in enumerate((in_month[:1], in_month)):
            tally = dict(map(ranking.entry, some))
            snapshots += _snapshots(month, tally, READ_AT + timedelta(hours=hours))
    rejected = {
        "rejected_at": READ_AT,
        "origin": "pubsub",
        "message_id": "1",
        "reason": "not JSON",
        "payload": b"\xff{",
        "attributes": None,
    }
    return {
        "play_events": [one.to_row(CALENDAR) for one in (*plays, plays[0])],
        "top_ten_snapshots": snapshots,
        "rejected": [rejected],
    }


def listening_in(folder: Path) -> FolderWarehouse:
    """A warehouse of ``rows``."""
    warehouse = FolderWarehouse(folder, "Europe/Paris")
    for table, some in rows().items():
        warehouse.append(table, some)
    return warehouse


def blank(warehouse: FolderWarehouse, month: date) -> None:
    """Leave nothing of a month's files but what says where their columns are, and between which values."""
    for table in ("play_events", "top_ten_snapshots"):
        for path in warehouse.files(table, month):
            data = path.read_bytes()
            footer = int.from_bytes(data[-8:-4], "little") + 8
            path.write_bytes(data[:4] + bytes(len(data) - 4 - footer) + data[-footer:])


def _snapshots(month: date, tally: ranking.Tally, computed_at: datetime) -> list[dict[str, Any]]:
    return list(
        ranking.snapshots(
            "listener",
            month,
            tally,
            is_final=CALENDAR.is_over(month, computed_at),
            computed_at=computed_at,
        )
    )
