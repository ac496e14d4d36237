"""``/features``: the audio features of a month's ten songs, where Spotify gave them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pipelines.domain.month import month_text
from pipelines.domain.withdrawn import FEATURES
from web.drawing.figure import Source
from web.figures.withdrawn import withdrawn
from web.pages.lists import item_url
from web.pages.months import month_steps, require_month
from web.rendering import page
from web.routing import Month, StrictRoute
from web.visit import Row, Visit, visit
from web.words import count, day, month

router = APIRouter(route_class=StrictRoute)
# Those from 0 to 1, which bars can show.
_BARS = ("danceability", "energy", "valence", "acousticness", "instrumentalness")


@router.get("/features")
def show(
    request: Request,
    visit: Annotated[Visit, Depends(visit)],
    chosen: Annotated[Month | None, Query(alias="month")] = None,
) -> Response:
    """The newest month's, or another's."""
    first = chosen or visit.last_month
    require_month(visit, first)
    span = (first, visit.end_of(first))
    rows = visit.ask("features", span=span)
    before, after = month_steps(visit, first)
    known = sum(row["danceability"] is not None for row in rows)
    return page(
        request,
        "features.html",
        heading=f"Audio features, {month(first)}",
        month=visit.url(f"/month/{month_text(first)}"),
        steps=[
            (step.text, visit.url("/features", month=step.href.rpartition("/")[2][:7]))
            for step in (before, after)
            if step
        ],
        names=_BARS,
        rows=[_row(visit, row) for row in rows] if known else [],
        note=f"Spotify gave them for {known:,} of {count(len(rows), 'song')}." if known < len(rows) else "",
        refused=_refused(request, visit) if known < len(rows) else "",
        source=Source("features", {"from": span[0], "to": span[1]}),
    )


def _refused(request: Request, visit: Visit) -> str:
    """That Spotify does not give them to this app, if that is known."""
    refused = withdrawn(request.app.state.settings.state, FEATURES)
    if refused is None:
        return ""
    since, again = (day(visit.local(at).date()) for at in (refused.since, refused.asked_again_at))
    return f"Spotify refused them to this app on {since} ({refused.why}); it is asked again from {again} on."


def _row(visit: Visit, row: Row) -> dict[str, object]:
    values = [(name, None if row[name] is None else round(100 * row[name])) for name in _BARS]
    tempo = None if row["tempo"] is None else f"{row['tempo']:.0f}"
    return {
        "rank": row["rank"],
        "name": row["name"],
        "below": row["artist_name"] or "",
        "href": item_url(visit.url, "track", row["key"]),
        "values": values,
        "tempo": tempo,
    }
