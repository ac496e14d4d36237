"""Instants: aware datetimes in UTC with whole milliseconds, as precise as Spotify's API and the archive."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_END_MILLIS = 4_102_444_800_000  # 2100: no play is later


def from_millis(millis: int) -> datetime:
    """The instant that many milliseconds after 1970-01-01T00:00Z. Raises OverflowError."""
    return EPOCH + timedelta(0, 0, millis * 1000)  # as microseconds: half the time that milliseconds take


def to_millis(instant: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z, rounded down. Exact: no float is involved."""
    return (instant - EPOCH) // MILLISECOND


def to_millisecond(instant: datetime) -> datetime:
    """The instant in UTC, cut to whole milliseconds."""
    # Most are that already, and there are many of them.
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    beyond = utc.microsecond % 1000
    return utc.replace(microsecond=utc.microsecond - beyond) if beyond else utc


def parse(text: str) -> datetime:
    """RFC 3339 with an offset, to an instant. Raises ValueError, also for a time without an offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return to_millisecond(instant)


def parse_millis(text: str) -> int:
    """The same, to milliseconds since 1970: for hundreds of thousands of rows."""
    try:
        return (datetime.fromisoformat(text) - EPOCH) // MILLISECOND
    except TypeError:
        raise ValueError(f"no time zone in {text!r}") from None


def rfc3339(instant: datetime) -> str:
    """For example ``2026-11-21T08:50:14.123Z``."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def to_the_second(instant: datetime) -> str:
    """For a person: ``2026-11-21 08:50:14 UTC``."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def checked_millis(value: object) -> int:
    """A number of milliseconds since 1970 as it was read from a document. Raises TypeError and ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    if not 0 <= value < _END_MILLIS:
        raise ValueError("no instant")
    return value
