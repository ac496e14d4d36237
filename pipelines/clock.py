"""The one place that asks what time it is; everything else is told."""

from collections.abc import Callable
from datetime import UTC, datetime

from pipelines.domain.instants import to_millisecond

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, in UTC, in whole milliseconds."""
    return to_millisecond(datetime.now(UTC))
