"""``/day/2025-06-03`` and ``/calendar/2025``."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from pipelines.domain.month import month_text
from web.drawing.columns import Series, columns
from web.drawing.figure import Figure, Key, Numbers, Source
from web.drawing.grids import month_of_links
from web.drawing.scale import keys, steps
from web.errors import NotFoundError
from web.pages.charts import day_words, known_days, place_of
from web.pages.facts import Fact, gap_notes, heard_fact, hidden_in, plays_fact
from web.pages.lists import instant_text, more_than, plays_line
from web.pages.months import Step
from web.rendering import page
from web.routing import Day, Instant, Limit, StrictRoute, Year
from web.visit import Visit, visit
from web.words import count, day, month_name, span

router = APIRouter(route_class=StrictRoute)


@router.get("/day")
def newest_day(visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The day of the last play."""
    return RedirectResponse(visit.url(f"/day/{visit.bounds['last_played_on']}"), 307)


@router.get("/day/{when}")
def of_day(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    when: Day,
    before: Instant | None = None,
    limit: Limit = 500,
) -> Response:
    """A day's plays, the newest first; ``before`` is the instant of the last one of the part before it."""
    first, last = visit.bounds["first_played_on"], max(visit.bounds["last_played_on"], visit.known_until.date())
    if not first <= when <= last:
        raise NotFoundError(
            f"There are no plays on {day(when)}.",
            (f"the first day, {day(first)}", visit.url(f"/day/{first}")),
            (f"the newest day, {day(last)}", visit.url(f"/day/{last}")),
        )
    asked = {"from": when, "to": when, "before": before}
    rows, has_more = more_than(visit.ask("last_plays", **asked, limit=limit + 1), limit)
    [totals] = visit.ask("totals", span=(when, when))
    day_before, following = when - timedelta(days=1), when + timedelta(days=1)
    return page(
        request,
        "day.html",
        when=when,
        heading=day_words(when),
        month=Step(visit.url(f"/month/{month_text(when)}"), f"{month_name(when)} {when.year}"),
        before=Step(visit.url(f"/day/{day_before}"), day(day_before)) if day_before >= first else None,
        after=Step(visit.url(f"/day/{following}"), day(following)) if following <= last else None,
        facts=[
            plays_fact(visit, totals),
            heard_fact(totals),
            Fact("songs", f"{totals['songs']:,}"),
            Fact("artists", f"{totals['artists']:,}"),
        ],
        is_unknown=when in visit.unknown and not totals["plays"],
        hours=_hours(visit, when),
        plays=[plays_line(visit, row) for row in rows],
        source=Source("last_plays", {"from": when, "to": when, "limit": limit}),
        next_page=visit.url(f"/day/{when}", before=instant_text(rows[-1]["played_at"]), limit=limit)
        if has_more
        else None,
        first_page=visit.url(f"/day/{when}") if before else None,
        notes=gap_notes(visit, when, when),
    )


def _hours(visit: Visit, when: date) -> Figure:
    cells = {row["hour"]: row["plays"] for row in visit.ask("clock", span=(when, when))}
    values = [cells.get(hour, 0) for hour in range(24)]
    label = f"Plays by hour on {day(when)}."
    if cells:
        best = max(cells, key=lambda hour: cells[hour])
        label += f" Most from {best} to {best + 1} h: {count(cells[best], 'play')}."
    return Figure(
        name="hours",
        heading=f"By hour, {place_of(visit)} time",
        drawing=columns([Series("now", values)], [(hour, f"{hour:02}") for hour in (0, 6, 12, 18, 23)], label),
        legend=[Key("now", "plays an hour")],
        numbers=Numbers(["hour", "plays"], [[f"{hour:02}", plays] for hour, plays in enumerate(values)]),
        source=Source("clock", {"from": when, "to": when}),
    )


@router.get("/calendar")
def newest_year(visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The newest year's."""
    return RedirectResponse(visit.url(f"/calendar/{visit.last_month.year}"), 307)


@router.get("/calendar/{year}")
def of_year(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    year: Year,
    week: Annotated[str, Query(pattern="^(monday|sunday)$")] = "monday",
) -> Response:
    """A year, a square for each day; ``week`` is the day that weeks begin with."""
    first, last = visit.first_month.year, visit.last_month.year
    if not first <= year <= last:
        raise NotFoundError(
            f"There are no plays in {year}.",
            (f"the first year, {first}", visit.url(f"/calendar/{first}")),
            (f"the newest year, {last}", visit.url(f"/calendar/{last}")),
        )
    begin, end = date(year, 1, 1), date(year, 12, 31)
    days = known_days(visit, begin, end)
    bounds = steps(plays for plays in days.values() if plays)
    kept = {"week": week if week != "monday" else None}

    def day_url(when: date) -> str | None:
        return visit.url(f"/day/{when}") if when >= visit.bounds["first_played_on"] else None

    months = []
    for number in range(1, 13):
        name = date(year, number, 1)
        some = {when: plays for when, plays in days.items() if when.month == number}
        drawing = month_of_links(name, visit.end_of(name), some, bounds, day_url, sunday=week == "sunday")
        there = any(plays is not None for plays in some.values())
        months.append(
            {
                "name": month_name(name),
                "href": visit.url(f"/month/{month_text(name)}")
                if visit.first_month <= name <= visit.last_month
                else None,
                "plays": count(sum(plays or 0 for plays in some.values()), "play")
                if there
                else "not known"
                if some
                else "to come"
                if name > visit.last_month
                else "",
                "drawing": drawing,
            }
        )
    best = max(days, key=lambda when: days[when] or 0, default=None)
    streaks = visit.ask("streaks", span=(begin, end), limit=1)
    with_plays = sum(bool(plays) for plays in days.values())
    facts = [
        Fact("plays", f"{sum(plays or 0 for plays in days.values()):,}", link=hidden_in(visit, (begin, end))),
        Fact("days with a play", f"{with_plays:,}", [f"of {sum(p is not None for p in days.values()):,} known"]),
    ]
    if best and days[best]:
        facts.append(Fact("most on a day", count(days[best] or 0, "play"), [day(best)]))
    if streaks:
        facts.append(
            Fact(
                "longest streak",
                count(streaks[0]["days"], "day"),
                [span(streaks[0]["first_day"], streaks[0]["last_day"])],
            )
        )
    return page(
        request,
        "calendar.html",
        year=year,
        facts=facts,
        months=months,
        legend=[*keys(bounds, "plays a day"), *([Key("gap", "not known")] if None in days.values() else [])],
        source=Source("days", {"from": begin, "to": end}),
        before=Step(visit.url(f"/calendar/{year - 1}", **kept), str(year - 1)) if year > first else None,
        after=Step(visit.url(f"/calendar/{year + 1}", **kept), str(year + 1)) if year < last else None,
        weeks=[
            (text, visit.url(f"/calendar/{year}", week=one if one != "monday" else None), one == week)
            for one, text in (("monday", "Monday"), ("sunday", "Sunday"))
        ],
        notes=gap_notes(visit, begin, end),
    )
