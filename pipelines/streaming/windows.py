"""Windows of one calendar month in a time zone."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import apache_beam as beam
from apache_beam.coders.coders import IntervalWindowCoder
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import IntervalWindow, NonMergingWindowFn
from apache_beam.utils.timestamp import Timestamp

from pipelines.domain.instants import from_millis
from pipelines.domain.month import Calendar
from pipelines.streaming.batches import UserPlays

# Closed months are told apart by the clock before they get here. Beam's own limit lies a day later, so that no
# play which that check let through can be dropped by a watermark that runs a little ahead of the check.
_SLACK = timedelta(days=1)


class CalendarMonths(NonMergingWindowFn):
    """Assigns an element the month of its timestamp. Months differ in length, by clock changes too."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar

    def assign(self, context: Any) -> list[IntervalWindow]:
        """One window: from the month's first instant to the next month's."""
        instant = from_millis(context.timestamp.micros // 1000)
        return [_window(self.calendar, self.calendar.month_of(instant))]

    def get_window_coder(self) -> IntervalWindowCoder:
        """Beam's coder for windows that are known by their start and end."""
        return IntervalWindowCoder()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CalendarMonths) and other.calendar == self.calendar

    def __hash__(self) -> int:
        return hash(self.calendar)


@lru_cache(100)
def _window(calendar: Calendar, month: date) -> IntervalWindow:
    return IntervalWindow(*map(Timestamp.from_utc_datetime, calendar.bounds(month)))


def month_of_window(calendar: Calendar, window: IntervalWindow) -> date:
    """The month that a window of CalendarMonths is."""
    return calendar.month_of(from_millis(window.start.micros // 1000))


@dataclass
class WindowIntoMonths(beam.PTransform):
    """Plays into month windows, which are forgotten ``lateness`` after the month's end."""

    calendar: Calendar
    lateness: timedelta

    def expand(self, plays: PCollection[UserPlays]) -> PCollection[UserPlays]:
        """Timestamps have to lie in the month of their plays."""
        return plays | beam.WindowInto(
            CalendarMonths(self.calendar), allowed_lateness=(self.lateness + _SLACK).total_seconds()
        )
