"""``/top/tracks``: a ranked list of any span, as long as it is, a hundred lines at a time."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from web.drawing.figure import Source
from web.pages.facts import hidden_in
from web.pages.lists import HEADINGS, LISTS, By, Ten, lines, more_than
from web.pages.years import require_span
from web.rendering import page
from web.routing import Day, Limit, StrictRoute
from web.visit import Row, Visit, visit
from web.words import span

router = APIRouter(route_class=StrictRoute)
Order = Literal["plays", "time", "first", "name"]
_ORDERS = {"first": "first heard", "name": "name"}
_KINDS = {plural: kind for kind, plural in LISTS.items()}


@router.get("/top/{kinds}")
def show(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    kinds: Literal["tracks", "artists", "albums"],
    first: Annotated[Day | None, Query(alias="from")] = None,
    last: Annotated[Day | None, Query(alias="to")] = None,
    by: By = "plays",
    order: Order | None = None,
    after: Annotated[str, Query(max_length=2000)] = "",
    limit: Limit = 100,
) -> Response:
    """The list; ``after`` is the place of the last line before it."""
    begin, end = first or visit.bounds["first_played_on"], last or visit.bounds["last_played_on"]
    require_span(visit, begin, end)
    kind, chosen = _KINDS[kinds], order or by
    asked = {"from": begin, "to": end, "kind": kind, "by": by, "order": chosen}
    rows, has_more = more_than(visit.ask("tops", **asked, after=after, limit=limit + 1), limit)
    is_first_of_all = chosen == by and not after  # whose first line has the longest bar
    longest = None if is_first_of_all else _longest(visit, begin, end, kind, by)
    path = f"/top/{kinds}"
    kept = {
        "from": first,
        "to": last,
        "by": by if by != "plays" else None,
        "order": order,
        "limit": limit if limit != 100 else None,
    }
    shown = Ten(
        kind=kind,
        heading=HEADINGS[kind],
        href=visit.url(path, **kept),
        lines=lines(
            visit, rows, by, (begin, end), covers=request.app.state.settings.covers, most=longest, ties=chosen == by
        ),
        source=Source("tops", {**asked, "after": after or None, "limit": limit}),
        none="Nothing more." if after else "Nothing.",
    )
    return page(
        request,
        "top.html",
        ten=shown,
        heading=f"{HEADINGS[kind]}, {span(begin, end)}",
        first=begin,
        last=end,
        by=by,
        order=chosen,
        hidden=hidden_in(visit, (begin, end)),
        kinds=[(HEADINGS[one], visit.url(f"/top/{LISTS[one]}", **kept), one == kind) for one in LISTS],
        measures=[
            (text, visit.url(path, **{**kept, "by": one if one != "plays" else None, "order": None}), one == by)
            for one, text in (("plays", "plays"), ("time", "time heard"))
        ],
        orders=[
            (text, visit.url(path, **{**kept, "order": one or None}), (one or by) == chosen)
            for one, text in {"": "rank", **_ORDERS}.items()
        ],
        next_page=visit.url(path, **{**kept, "after": rows[-1]["place"]}) if has_more else None,
        first_page=visit.url(path, **kept) if after else None,
        path=path,
        total=rows[0]["lines"] if rows else 0,
        spans=_spans(visit, path, kept),
    )


def _longest(visit: Visit, first: date, last: date, kind: str, by: By) -> int | None:
    """The value of the first line of all, so that bars of later pages have the same zero and the same end."""
    rows = visit.ask("tens", span=(first, last), kind=kind, by=by, limit=1)
    measure = "plays" if by == "plays" else "heard_ms"
    return rows[0][measure] if rows else None


def _spans(visit: Visit, path: str, kept: Row) -> list[tuple[str, str]]:
    """Spans to choose from: all time, the newest years, the newest month."""
    newest = visit.last_month
    years = range(newest.year, max(visit.first_month.year, newest.year - 3) - 1, -1)
    named = [
        (span(newest, visit.end_of(newest)), {"from": newest, "to": visit.end_of(newest)}),
        *((str(year), {"from": date(year, 1, 1), "to": date(year, 12, 31)}) for year in years),
    ]
    return [
        ("all time", visit.url(path, **{**kept, "from": None, "to": None})),
        *((text, visit.url(path, **{**kept, **asked})) for text, asked in named),
    ]
