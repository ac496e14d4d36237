"""Numbers, spans and times in words: short, exact, and the same on every page. All times are local."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MS_A_MINUTE = 60_000
_MINUTES_AS_HOURS = 120


def count(number: int, what: str, many: str = "") -> str:
    """``1 play``, ``2,000 plays``; ``many`` where the plural is not an s more."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def signed(number: int) -> str:
    """``+3``, ``−3`` with a minus, ``±0``."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number else "±0"


def heard(milliseconds: int | None) -> str:
    """A time heard: hours from two hours on, ``67 h``, ``3.2 h``; ``95 min``, ``40 s`` below."""
    if milliseconds is None:
        return "not known"
    minutes = milliseconds / _MS_A_MINUTE
    if minutes >= _MINUTES_AS_HOURS:
        hours = minutes / 60
        return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
    return f"{minutes:.0f} min" if minutes >= 1 else f"{milliseconds / 1000:.0f} s"


def lasting(milliseconds: int) -> str:
    """A length: ``4 h 23``, ``23 min``."""
    minutes = round(milliseconds / _MS_A_MINUTE)
    return f"{minutes // 60} h {minutes % 60:02}" if minutes >= 60 else f"{minutes} min"


def length_of(milliseconds: int) -> str:
    """How long a recording is: ``3:05``, ``1:02:03``."""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def day(when: date) -> str:
    """``28 Nov 2026``."""
    return f"{when.day} {MONTHS[when.month - 1][:3]} {when.year}"


def weekday(when: date) -> str:
    """``Saturday``."""
    return WEEKDAYS[when.weekday()]


def month(when: date) -> str:
    """``November 2026``."""
    return f"{MONTHS[when.month - 1]} {when.year}"


def month_name(when: date) -> str:
    """``November``."""
    return MONTHS[when.month - 1]


def clock(when: datetime) -> str:
    """``14:02``."""
    return f"{when:%H:%M}"


def moment(when: datetime) -> str:
    """``28 Nov 2026, 14:02``."""
    return f"{day(when.date())}, {clock(when)}"


def span(first: date, last: date) -> str:
    """Days, both in it, in the largest words that fit: ``2025``, ``November 2026``, ``3 to 9 Jun 2025``."""
    if first == last:
        return day(first)
    after = last + timedelta(days=1)
    if first.day == 1 and after.day == 1:
        if first.month == 1 and after.month == 1:
            return str(first.year) if first.year == last.year else f"{first.year} to {last.year}"
        if (first.year, first.month) == (last.year, last.month):
            return month(first)
        return f"{month_name(first) if first.year == last.year else month(first)} to {month(last)}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    begins = f"{first.day} {MONTHS[first.month - 1][:3]}" if first.year == last.year else day(first)
    return f"{begins} to {day(last)}"


def ago(since: timedelta) -> str:
    """``4 minutes ago``, ``2 days ago``."""
    seconds = max(int(since.total_seconds()), 0)
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{count(seconds // size, name)} ago"
    return "just now"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def number_word(number: int) -> str:
    """Whole numbers up to twelve as a word, others as digits."""
    words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return words[number] if 0 <= number < len(words) else f"{number:,}"
