"""What a stream is told: where it reads and writes, and how often."""

from dataclasses import dataclass
from datetime import timedelta

from pipelines.domain.month import Calendar

WRITE_METHODS = ("STREAMING_INSERTS", "FILE_LOADS", "STORAGE_WRITE_API")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What ``heavy-rotation stream`` was asked for."""

    subscription: str
    archive: str
    warehouse: str
    calendar: Calendar
    refresh_seconds: int
    lateness: timedelta
    archive_batch_plays: int
    archive_batch_seconds: int
    bigquery_write_method: str = WRITE_METHODS[0]
