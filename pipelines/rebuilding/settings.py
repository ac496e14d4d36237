"""What a rebuild is asked for, as plain values. ``pipelines.options`` reads them from a command line."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pipelines.domain.month import Calendar

# How long after its end a month still takes plays from the stream.
LATENESS = timedelta(days=35)
# Every month; those whose tables are not what the archive would make today; the closed ones among these.
Selection = Literal["all", "changed", "late"]
SELECTIONS: tuple[Selection, ...] = ("all", "changed", "late")


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """What ``heavy-rotation rebuild`` was asked for. ``months`` are first days, sorted, or a selection.

    ``lateness`` after its end a month is closed: it takes no more plays from a stream.
    """

    archive: str
    warehouse: str
    calendar: Calendar
    months: tuple[date, ...] | Selection = "all"
    lateness: timedelta = LATENESS
