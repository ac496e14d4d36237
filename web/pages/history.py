"""``/history?q=``: every play, the newest first, or those whose song, artist or album has a text in its name."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from web.drawing.figure import Source
from web.pages.charts import day_words
from web.pages.lists import HEADINGS, KINDS, instant_text, item_url, more_than, plays_line
from web.pages.years import require_span
from web.rendering import page
from web.routing import Day, Instant, Limit, StrictRoute
from web.visit import Row, Visit, visit
from web.words import count

router = APIRouter(route_class=StrictRoute)
_FOUND = 12


@router.get("/history")
def show(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    q: Annotated[str, Query(max_length=200, description="Part of a name; case, accents and width do not matter.")] = "",
    first: Annotated[Day | None, Query(alias="from")] = None,
    last: Annotated[Day | None, Query(alias="to")] = None,
    before: Instant | None = None,
    limit: Limit = 100,
) -> Response:
    """Plays; ``before`` is the instant of the last one of the part before it."""
    begin, end = first or visit.bounds["first_played_on"], last or visit.bounds["last_played_on"]
    require_span(visit, begin, end)
    wanted = " ".join(q.split())
    question = "history" if wanted else "last_plays"  # which looks at no names
    asked = {"from": begin, "to": end} | ({"q": wanted} if wanted else {})
    rows, has_more = more_than(visit.ask(question, **asked, before=before, limit=limit + 1), limit)
    found = visit.ask("search", q=wanted, limit=_FOUND) if wanted and not before else []
    kept = {"q": wanted or None, "from": first, "to": last, "limit": limit if limit != 100 else None}
    return page(
        request,
        "history.html",
        q=wanted,
        first=begin,
        last=end,
        found=_found(visit, found),
        found_source=Source("search", {"q": wanted, "limit": _FOUND}),
        days=_days(visit, rows),
        source=Source(question, {**asked, "limit": limit, "before": instant_text(before) if before else None}),
        next_page=visit.url("/history", **kept, before=instant_text(rows[-1]["played_at"])) if has_more else None,
        first_page=visit.url("/history", **kept) if before else None,
    )


def _found(visit: Visit, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """What has the text in its name, by kind."""
    lists = {
        kind: [
            {
                "name": row["name"],
                "href": item_url(visit.url, kind, row["key"]),
                "below": row["artist_name"] if kind != "artist" else "",
                "plays": count(row["plays"], "play"),
            }
            for row in rows
            if row["kind"] == kind
        ]
        for kind in KINDS
    }
    return [(HEADINGS[kind], found) for kind, found in lists.items() if found]


def _days(visit: Visit, rows: Sequence[Row]) -> list[tuple[str, str, list[Row]]]:
    """Plays by day: the day in words, its address, its plays."""

    def played_on(row: Row) -> date:
        when: date = row["played_on"]
        return when

    return [
        (day_words(when), visit.url(f"/day/{when}"), [plays_line(visit, row) for row in some])
        for when, some in groupby(rows, played_on)
    ]
