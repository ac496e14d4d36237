"""Answers that are made before anybody asks: what pages of months and years show, in the background, the newest first.

A month's page asks some ten questions, and DuckDB takes longer to set up each than to run it. A year of months in one
statement costs little more than two, so that all months together are a few seconds of one core, once. Answers stay
until the files of their months change.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from threading import Event, Thread, get_native_id

from pipelines.failure import Failure
from web.errors import SentenceError
from web.opening import Warehouse
from web.pages.charts import day_by_day, hours
from web.pages.first_heard import first_heard
from web.pages.months import sheet
from web.pages.years import shown
from web.settings import Settings
from web.visit import Visit, visit_of

# What a month's page asks about one month, those that read least first.
_OF_A_MONTH = ("days", "clock", "totals", "tens", "discoveries")
# Of so many plays answers are made, the newest first, and for so many at a time.
_MOST_PLAYS = 1_000_000
_MONTHS_AT_ONCE, _PLAYS_AT_ONCE = 12, 50_000


class Warming:
    """A thread that makes them, once, for the only listener there is or who is shown."""

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self._settings, self._warehouse = settings, warehouse
        self._stop = Event()
        self._thread = Thread(target=self._run, name="warming", daemon=True)

    def start(self) -> None:
        """Begin; whoever asks meanwhile waits for one statement at most."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the statement that is running."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, get_native_id(), 10)
        with suppress(Failure, SentenceError):  # whoever opens a page is told
            visit = visit_of(self._settings, self._warehouse.asker(), self._settings.user)
            for _ in warm(visit):
                if self._stop.is_set():
                    return


def warm(visit: Visit) -> Iterator[None]:
    """Make answers, and stop for a moment after each statement."""
    newest, end = visit.last_month, visit.end_of(visit.last_month)
    month = sheet(visit, newest, "plays", covers=False)
    day_by_day(visit, newest, month.compared)
    hours(visit, newest, end)
    yield
    first_heard(visit, newest, end)  # reads all months
    yield
    for months in _chunks(visit):
        for question in _OF_A_MONTH:
            visit.asker.prepare(question, months, **visit.complete(question, {}))
            yield
    plays = {row["month"]: row["plays"] for row in visit.ask("months")}
    for year in sorted({month.year for month in plays}, reverse=True):
        if sum(number for month, number in plays.items() if month.year >= year) > _MOST_PLAYS:
            return
        shown(visit, date(year, 1, 1), date(year, 12, 31), "plays", covers=False, state=None)
        yield


def _chunks(visit: Visit) -> Iterator[list[date]]:
    """The months before the newest, a year of them or fewer at a time."""
    chunk: list[date] = []
    plays = of_chunk = 0
    for row in reversed(visit.ask("months")):
        plays += row["plays"]
        if row["month"] >= visit.last_month or plays > _MOST_PLAYS:
            continue
        if chunk and (len(chunk) == _MONTHS_AT_ONCE or of_chunk + row["plays"] > _PLAYS_AT_ONCE):
            yield chunk
            chunk, of_chunk = [], 0
        chunk.append(row["month"])
        of_chunk += row["plays"]
    if chunk:
        yield chunk
