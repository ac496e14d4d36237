"""Answers that are made before anybody asks: what pages of months and years show, in the background, the newest first.

A month nobody asked for takes some tens of milliseconds, and one that is remembered a few. Before any, all months have
to be read once, which takes longer than all else. Answers stay until the files of their months change.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from threading import Event, Thread, get_native_id

from pipelines.failure import Failure
from pipelines.tables.questions import QUESTIONS
from web.errors import SentenceError
from web.opening import Warehouse
from web.pages.charts import day_by_day, hours
from web.pages.first_heard import first_heard
from web.pages.genres import genres_of
from web.pages.lists import KINDS
from web.pages.months import sheet
from web.pages.years import shown
from web.rendering import environment
from web.settings import Settings
from web.visit import Visit, visit_of

# Whoever started the server looks at a page first, and has the machine for it until then.
_AFTER_SECONDS = 2.0
# Of so many plays answers are made, the newest first.
_MOST_PLAYS = 5_000_000


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
        if self._stop.wait(_AFTER_SECONDS):
            return
        with suppress(Failure, SentenceError):  # whoever opens a page is told
            visit = visit_of(self._settings, self._warehouse.asker(), self._settings.user)
            for _ in warm(visit):
                if self._stop.is_set():
                    return


def warm(visit: Visit) -> Iterator[None]:
    """Make answers, and stop for a moment after what each page shows."""
    newest = visit.last_month
    sheet(visit, newest, "plays", covers=False)
    yield
    # Reads all months, and counts them together for spans of any length.
    shown(visit, visit.bounds["first_played_on"], visit.bounds["last_played_on"], "plays", covers=False, state=None)
    yield
    visit.ask("search", q=visit.user_id, limit=1)  # the first search of all folds every name
    yield
    for kind in KINDS:  # of nothing, but the first of a kind looks through all tens, whatever it is of
        visit.ask("item_months", kind=kind, id=visit.user_id)
        yield
    plays = {row["month"]: row["plays"] for row in visit.ask("months")}
    left = _MOST_PLAYS
    for month in sorted(plays, reverse=True):
        left -= plays[month]
        if left < 0:
            return
        if visit.first_month <= month <= newest:
            _of_month(visit, month)
            yield
    for year in sorted({month.year for month in plays}, reverse=True):
        shown(visit, date(year, 1, 1), date(year, 12, 31), "plays", covers=False, state=None)
        yield
    for question in QUESTIONS:
        visit.asker.prepare(question)
        yield
    for template in environment().list_templates():  # the first page of a kind compiles what it is drawn by
        environment().get_template(template)
        yield


def _of_month(visit: Visit, month: date) -> None:
    end = visit.end_of(month)
    made = sheet(visit, month, "plays", covers=False)
    day_by_day(visit, month, made.compared)
    hours(visit, month, end)
    first_heard(visit, month, end)
    genres_of(visit, month, end)
