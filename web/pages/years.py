"""``/year/2025`` and ``/recap?from=&to=``: a span of any length, with what stands out in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from web.drawing.columns import Series, columns
from web.drawing.figure import Figure, Key, Numbers, Source
from web.errors import BadRequestError, NotFoundError
from web.pages.charts import calendar_of, hours, months_figure
from web.pages.facts import Fact, gap_notes, heard_fact, plays_fact
from web.pages.first_heard import first_heard
from web.pages.genres import genres_of
from web.pages.lists import By, item_url, tens
from web.pages.months import Step
from web.pages.skips import skips_of
from web.rendering import page
from web.routing import Day, StrictRoute, Year
from web.visit import Row, Visit, visit
from web.words import clock, count, day, lasting, span

router = APIRouter(route_class=StrictRoute)
_MOST_DAYS_OF_CALENDAR = 370


@router.get("/year")
def newest(visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The newest year that has plays."""
    return RedirectResponse(visit.url(f"/year/{visit.last_month.year}"), 307)


@router.get("/year/{year}")
def of_year(request: Request, visit: Annotated[Visit, Depends(visit)], year: Year, by: By = "plays") -> Response:
    """A calendar year."""
    first, last = visit.first_month.year, visit.last_month.year
    if not first <= year <= last:
        raise NotFoundError(
            f"There are no plays in {year}.",
            (f"the first year, {first}", visit.url(f"/year/{first}")),
            (f"the newest year, {last}", visit.url(f"/year/{last}")),
        )
    return _sheet(
        request,
        visit,
        date(year, 1, 1),
        date(year, 12, 31),
        by,
        before=Step(visit.url(f"/year/{year - 1}"), str(year - 1)) if year > first else None,
        after=Step(visit.url(f"/year/{year + 1}"), str(year + 1)) if year < last else None,
        here=visit.url(f"/year/{year}"),
        others=[
            ("day by day", visit.url(f"/calendar/{year}")),
            *([(f"beside {year - 1}", visit.url("/compare", a=year, b=year - 1))] if year > first else []),
        ],
    )


@router.get("/recap")
def recap(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    first: Annotated[Day | None, Query(alias="from")] = None,
    last: Annotated[Day | None, Query(alias="to")] = None,
    by: By = "plays",
) -> Response:
    """Any span of days, both in it; without them all that there is."""
    begin, end = first or visit.bounds["first_played_on"], last or visit.bounds["last_played_on"]
    require_span(visit, begin, end)
    return _sheet(request, visit, begin, end, by, here=visit.url("/recap", **{"from": begin, "to": end}))


def require_span(visit: Visit, first: date, last: date) -> None:
    """Raises BadRequestError where it ends before it begins, NotFoundError where it lies outside of what there is."""
    if first > last:
        raise BadRequestError(f"The span begins on {day(first)} and ends on {day(last)}, which is before.")
    since, until = visit.bounds["first_played_on"], visit.bounds["last_played_on"]
    if last < since or first > max(until, visit.today):
        raise NotFoundError(
            f"There are no plays in {span(first, last)}.",
            (f"plays from {day(since)} to {day(until)}", visit.url("/recap")),
        )


@dataclass(frozen=True)
class Best:
    """A record of the span: what it is, its value, and lines under it with a link each or none."""

    what: str
    value: str
    below: list[tuple[str, str | None]]


def _sheet(
    request: Request,
    visit: Visit,
    first: date,
    last: date,
    by: By,
    *,
    here: str,
    before: Step | None = None,
    after: Step | None = None,
    others: Sequence[tuple[str, str]] = (),
) -> Response:
    settings = request.app.state.settings
    return page(
        request,
        "recap.html",
        by=by,
        here=here,
        before=before,
        after=after,
        others=others,
        **shown(visit, first, last, by, covers=settings.covers, state=settings.state),
    )


def shown(visit: Visit, first: date, last: date, by: By, *, covers: bool, state: str | None) -> dict[str, Any]:
    """What the page of a span has of the span."""
    [totals] = visit.ask("totals", span=(first, last))
    new = first_heard(visit, first, last)
    facts = [
        plays_fact(visit, totals),
        heard_fact(totals),
        Fact("songs", f"{totals['songs']:,}", [count(totals["albums"], "album")]),
        Fact("artists", f"{totals['artists']:,}", [] if new.is_young else [f"{new.artists:,} heard first"]),
        Fact("days with a play", f"{totals['days']:,}", [f"of {days_known(visit, first, last):,} known"]),
    ]
    wide: list[Figure] = []
    if (last - first).days <= _MOST_DAYS_OF_CALENDAR:
        wide.append(calendar_of(visit, first, min(last, visit.today), "Day by day"))
    return {
        "heading": span(first, last),
        "small": "so far" if first <= visit.today < last else "",
        "first": first,
        "last": last,
        "facts": facts,
        "tens": tens(visit, (first, last), by, covers=covers),
        "wide": wide,
        "figures": [months_of(visit, first, last), hours(visit, first, last), *releases_of(visit, first, last)],
        "bests": bests_of(visit, first, last),
        "first_heard": new,
        "genres": genres_of(visit, first, last),
        "skips": skips_of(visit, totals, first, last, state),
        "notes": gap_notes(visit, first, last),
        "has_cards": totals["plays"] > 0,
    }


def days_known(visit: Visit, first: date, last: date) -> int:
    """How many days of a span are known."""
    begin: date
    begin, end = max(first, visit.bounds["first_played_on"]), min(last, visit.known_until.date())
    return max((end - begin).days + 1 - sum(begin <= one <= end for one in visit.unknown), 0)


def months_of(visit: Visit, first: date, last: date) -> Figure:
    """A column for each month."""
    rows = {row["month"]: row["plays"] for row in visit.ask("month_totals", span=(first, last))}
    asked = {"from": first, "to": last}
    return months_figure(
        visit, rows, first.replace(day=1), last.replace(day=1), "Months", Source("month_totals", asked)
    )


def releases_of(visit: Visit, first: date, last: date) -> list[Figure]:
    """Plays by the year in which the album came out, as far as it is known of any."""
    rows = visit.ask("releases", span=(first, last))
    by_year = {row["year"]: row["plays"] for row in rows if row["year"]}
    if not by_year:
        return []
    unknown = sum(row["plays"] for row in rows if not row["year"])
    begin, end = min(by_year), max(by_year)
    values = [by_year.get(year, 0) for year in range(begin, end + 1)]
    best = max(by_year, key=lambda year: by_year[year])
    step = max((end - begin) // 8, 1)
    return [
        Figure(
            name="releases",
            heading="When it came out",
            drawing=columns(
                [Series("now", values)],
                [(place, str(begin + place)) for place in range(0, len(values), step)],
                f"Plays by the year in which the album came out, {begin} to {end}. Most of {best}: {by_year[best]:,}.",
            ),
            legend=[Key("now", "plays of albums of a year")],
            legend_note=f"{count(unknown, 'play')} of a year not known" if unknown else "",
            numbers=Numbers(["year", "plays"], [[year, f"{plays:,}"] for year, plays in sorted(by_year.items())]),
            source=Source("releases", {"from": first, "to": last}),
        )
    ]


def bests_of(visit: Visit, first: date, last: date) -> list[tuple[Best, Source]]:
    """The longest streak and session, the first play and the last."""
    asked = {"from": first, "to": last}
    made: list[tuple[Best, Source]] = []
    if streaks := visit.ask("streaks", span=(first, last), limit=1):
        made.append((_streak(streaks[0]), Source("streaks", {**asked, "limit": 10})))
    if sessions := visit.ask("sessions", span=(first, last), limit=1):
        [one] = sessions
        when = one["started_at_local"]
        where = visit.url(f"/day/{one['started_on'].isoformat()}")
        is_cut = one["is_at_least"] or any(_touches(one, gap.start, gap.end) for gap in visit.gaps)
        lasted = (one["ended_at"] - one["started_at"]).total_seconds() * 1000
        below: list[tuple[str, str | None]] = [
            (f"{day(one['started_on'])}, {clock(when)} to {clock(one['ended_at_local'])}", where),
            (count(one["plays"], "play"), None),
        ]
        best = Best("longest session", ("at least " if is_cut else "") + lasting(round(lasted)), below)
        made.append((best, Source("sessions", {**asked, "limit": 10})))
    for row in sorted(visit.ask("edges", span=(first, last)), key=lambda row: row["which"]):
        local = row["played_at_local"]
        link = item_url(visit.url, "track", row["song_id"])
        lines = [
            (row["artist_name"] or "", None),
            (f"{day(local.date())}, {clock(local)}", visit.url(f"/day/{local:%Y-%m-%d}")),
        ]
        made.append((Best(f"{row['which']} play", row["track_name"], [("", link), *lines]), Source("edges", asked)))
    return made


def _touches(session: Row, start: object, end: object) -> bool:
    return bool(session["started_at"] <= end and session["ended_at"] >= start)


def _streak(row: Row) -> Best:
    below: list[tuple[str, str | None]] = [(span(row["first_day"], row["last_day"]), None)]
    if row["unknown_days"]:
        below.append((f"{count(row['unknown_days'], 'day')} more not known", None))
    if row["since"] < row["first_day"]:
        below.append((f"it runs since {day(row['since'])}", None))
    if row["is_running"]:
        below.append(("it goes on", None))
    return Best("longest streak", count(row["days"], "day"), below)
