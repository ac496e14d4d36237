"""``/``: the newest month beside the one before, what was played last, and twelve months of days."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pipelines.domain.month import preceding
from web.drawing.figure import Source
from web.pages.charts import calendar_of, day_by_day
from web.pages.facts import gap_notes, hidden_in
from web.pages.lists import By, plays_line
from web.pages.months import month_steps, sheet
from web.rendering import page
from web.routing import StrictRoute
from web.visit import Visit, visit

router = APIRouter(route_class=StrictRoute)
# Who is away for longer has nothing that was played just now.
_JUST_NOW = timedelta(days=62)


@router.get("/")
def show(request: Request, visit: Annotated[Visit, Depends(visit)], by: By = "plays") -> Response:
    """The first page."""
    made = sheet(visit, visit.last_month, by, covers=request.app.state.settings.covers)
    last = min(made.last, max(visit.today, visit.bounds["last_played_on"]))
    newest = {"from": last - _JUST_NOW, "to": last}
    plays = visit.ask("last_plays", limit=10, **newest)
    return page(
        request,
        "home.html",
        sheet=made,
        by=by,
        before=month_steps(visit, made.first)[0],
        calendar=calendar_of(visit, eleven_before(made.first), last, "Twelve months"),
        days=day_by_day(visit, made.first, made.compared, is_wide=True),
        plays=[plays_line(visit, row) for row in plays],
        hidden=None if made.facts[0].link else hidden_in(visit, (eleven_before(made.first), last)),
        plays_source=Source("last_plays", {**newest, "limit": 10}),
        newest_day=visit.bounds["last_played_on"],
        notes=gap_notes(visit, eleven_before(made.first), last),
        here="/",
        moves=True,
    )


def eleven_before(month: date) -> date:
    """The first day of the month eleven months earlier."""
    for _ in range(11):
        month = preceding(month)
    return month
