"""``/month/2026-11``: the tens, the days, weekdays by hour, what was heard first, what dropped out."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from pipelines.domain.month import following, month_text, preceding
from web.drawing.figure import Figure
from web.errors import NotFoundError
from web.pages.charts import day_by_day, hours
from web.pages.facts import Fact, Note, gap_notes, heard_fact, plays_fact
from web.pages.first_heard import first_heard
from web.pages.genres import genres_of
from web.pages.known import has_snapshots
from web.pages.lists import By, Ten, tens
from web.rendering import page
from web.routing import Month, StrictRoute
from web.visit import Links, Visit, visit
from web.words import clock, count, day, month, month_name

router = APIRouter(route_class=StrictRoute)


@dataclass(frozen=True)
class Step:
    """A neighbour: where it is, and what it is called."""

    href: str
    text: str


@dataclass(frozen=True)
class MonthSheet:
    """What a month's page and the first page share. ``compared`` is the month before, if it has plays."""

    first: date
    last: date
    is_going_on: bool
    compared: date | None
    facts: list[Fact]
    tens: list[Ten]
    notes: list[Note]
    small: str

    @property
    def heading(self) -> str:
        """``November 2026``."""
        return month(self.first)


def same_days(visit: Visit, earlier: date) -> datetime:
    """Until when an earlier month is compared with one that is going on: naive, on the wall, exclusive."""
    now = visit.known_until
    over = datetime.combine(following(earlier), time())
    return min(datetime.combine(earlier, time()) + (now - datetime(now.year, now.month, 1)), over)  # noqa: DTZ001  naive


def sheet(visit: Visit, first: date, by: By, *, covers: bool) -> MonthSheet:
    """The month that begins on ``first``."""
    last, earlier = visit.end_of(first), preceding(first)
    is_going_on = first == visit.today.replace(day=1)
    [totals] = visit.ask("totals", span=(first, last))
    compared = earlier if earlier >= visit.first_month else None
    before = None
    if compared:
        until = {"until": same_days(visit, earlier)} if is_going_on else {}
        [before] = visit.ask("totals", span=(earlier, visit.end_of(earlier)), **until)
    than = f"{month_name(earlier)}’s same days" if is_going_on else month_name(earlier)
    songs = Fact("songs", f"{totals['songs']:,}", [f"{before['songs']:,} in {than}"] if before else [])
    artists = Fact("artists", f"{totals['artists']:,}", [f"{before['artists']:,} in {than}"] if before else [])
    facts = [plays_fact(visit, totals, before, than), heard_fact(totals), songs, artists]
    return MonthSheet(
        first=first,
        last=last,
        is_going_on=is_going_on,
        compared=compared,
        facts=facts,
        tens=tens(
            visit, (first, last), by, covers=covers, compared=(earlier, visit.end_of(earlier)) if compared else None
        ),
        notes=gap_notes(visit, first, last),
        small=f"so far, until {day(visit.known_until.date())}, {clock(visit.known_until)}" if is_going_on else "",
    )


def month_steps(visit: Visit, first: date) -> tuple[Step | None, Step | None]:
    """The months before and after that may have plays."""
    before, after = preceding(first), following(first)
    return (
        _step(visit.url, before) if before >= visit.first_month else None,
        _step(visit.url, after) if after <= visit.last_month else None,
    )


def _step(url: Links, first: date) -> Step:
    return Step(url(f"/month/{month_text(first)}"), month(first))


@router.get("/month")
def newest(visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The newest month that has plays."""
    return RedirectResponse(visit.url(f"/month/{month_text(visit.last_month)}"), 307)


@router.get("/month/{month}")
def show(request: Request, visit: Annotated[Visit, Depends(visit)], month: Month, by: By = "plays") -> Response:
    """A month."""
    require_month(visit, month)
    settings = request.app.state.settings
    made = sheet(visit, month, by, covers=settings.covers)
    before, after = month_steps(visit, month)
    new = first_heard(visit, month, made.last)
    if not new.is_young:
        made.facts.append(Fact("heard first", count(new.songs, "song"), [count(new.artists, "artist")]))
    figures: list[Figure] = [day_by_day(visit, month, made.compared), hours(visit, month, made.last)]
    return page(
        request,
        "month.html",
        sheet=made,
        by=by,
        before=before,
        after=after,
        figures=figures,
        first_heard=new,
        genres=genres_of(visit, month, made.last),
        features=visit.url("/features", month=month_text(month)) if has_snapshots(visit, "track", "SPOTIFY") else None,
        here=f"/month/{month_text(month)}",
        beside=made.compared and visit.url("/compare", a=month_text(month), b=month_text(made.compared)),
        moves=made.is_going_on,
    )


def require_month(visit: Visit, first: date) -> None:
    """Raises NotFoundError where the month lies outside of what there is."""
    if not visit.first_month <= first <= visit.last_month:
        raise NotFoundError(
            f"There are no plays in {month(first)}.",
            (f"the first month, {month(visit.first_month)}", visit.url(f"/month/{month_text(visit.first_month)}")),
            (f"the newest month, {month(visit.last_month)}", visit.url(f"/month/{month_text(visit.last_month)}")),
        )
