"""``/features``: the audio features of a month's ten songs, where Spotify gave them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pipelines.domain.month import month_text
from web.drawing.figure import Source
from web.pages.lists import item_url
from web.pages.months import month_steps, require_month
from web.rendering import page
from web.routing import Month, StrictRoute
from web.visit import Row, Visit, visit
from web.words import count, month

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
        source=Source("features", {"from": span[0], "to": span[1]}),
    )


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
