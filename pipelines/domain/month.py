"""Calendar months in a time zone.

A month is the time between two instants, its first local midnight and the next month's. Every instant lies in
exactly one, also where clocks change at midnight of a first (they did in St John's until 2011, and there the
local date alone would put a few minutes into two months).
"""

import re
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pipelines.domain.instants import to_millis

DEFAULT_TIME_ZONE = "Europe/Paris"
FIRST_YEAR, _LAST_YEAR = 1970, 2100


class UnknownTimeZoneError(ValueError):
    """The name is not in the time zone database."""


class Calendar:
    """The months, days and clock of one time zone.

    ``starts`` has the first instant of every month from January of FIRST_YEAR on, in milliseconds since 1970.
    """

    def __init__(self, time_zone: str = DEFAULT_TIME_ZONE) -> None:
        """Raises UnknownTimeZoneError. A calendar pickles as its name and costs little to make again."""
        self.time_zone = time_zone
        self._zone = _zone(time_zone)
        self.starts = _month_starts(time_zone)

    def month_of(self, instant: datetime) -> date:
        """The first day of the month that the instant lies in. The instant is aware, of 1970 to 2100."""
        return _nth_month(bisect_right(self.starts, to_millis(instant)) - 1)

    def bounds(self, month: date) -> tuple[datetime, datetime]:
        """The month's first instant and the next month's, in UTC."""
        return _start(month, self._zone), _start(following(month), self._zone)

    def is_over(self, month: date, now: datetime) -> bool:
        """Whether the month has ended by ``now``."""
        return now >= self.bounds(month)[1]

    def is_closed(self, month: date, lateness: timedelta, now: datetime) -> bool:
        """Whether the month ended at least ``lateness`` before ``now``, so that the stream takes no more plays."""
        return now >= self.bounds(month)[1] + lateness

    def local(self, instant: datetime) -> datetime:
        """What a clock on the wall showed: naive, as BigQuery's DATETIME is."""
        return instant.astimezone(self._zone).replace(tzinfo=None)

    def __reduce__(self) -> tuple[type["Calendar"], tuple[str]]:
        return Calendar, (self.time_zone,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and other.time_zone == self.time_zone

    def __hash__(self) -> int:
        return hash(self.time_zone)


def parse_month(text: str) -> date:
    """``2026-11`` to the first day of that month. Raises ValueError."""
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        year, month = int(text[:4]), int(text[5:])
        if FIRST_YEAR <= year <= _LAST_YEAR:
            return date(year, month, 1)
    raise ValueError(f"{text!r} is not a month; write it as 2026-11")


@cache  # for each play of a stream
def month_text(month: date) -> str:
    """``2026-11``, the form of the archive's folders and of the commands' options."""
    return f"{month:%Y-%m}"


def following(month: date) -> date:
    """The next month."""
    return _nth_month((month.year - FIRST_YEAR) * 12 + month.month)


def preceding(month: date) -> date:
    """The month before."""
    return _nth_month((month.year - FIRST_YEAR) * 12 + month.month - 2)


def with_neighbours(month: date) -> tuple[date, date, date]:
    """The month between the one before and the next: another time zone's month lies in them."""
    return preceding(month), month, following(month)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # missing; not a plain name; a folder such as "Europe"
        raise UnknownTimeZoneError(
            f"{name!r} is not a time zone; names look like Europe/Paris, America/New_York or UTC"
        ) from None


@cache  # for each play of a stream, several times
def _nth_month(n: int) -> date:
    return date(FIRST_YEAR + n // 12, n % 12 + 1, 1)


@cache
def _start(month: date, zone: ZoneInfo) -> datetime:
    # fold=0: of a midnight that comes twice the first; of one that is skipped, the instant of the change.
    return datetime(month.year, month.month, 1, tzinfo=zone).astimezone(UTC)


@cache
def _month_starts(time_zone: str) -> list[int]:
    zone = ZoneInfo(time_zone)
    months = ((_LAST_YEAR - FIRST_YEAR) + 1) * 12
    return [to_millis(_start(_nth_month(n), zone)) for n in range(months)]
