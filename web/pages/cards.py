"""``/card/wide.png?from=&to=``: the picture of a span to send."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from web.cards.card import Of, card_of
from web.cards.drawing import Shape, card_svg
from web.cards.raster import png_of
from web.pages.lists import By
from web.pages.years import require_span
from web.routing import Day, StrictRoute
from web.visit import Visit, visit

router = APIRouter(route_class=StrictRoute)


@router.get("/card/{name}")
def card(
    visit: Annotated[Visit, Depends(visit)],
    name: Literal["wide.svg", "wide.png", "tall.svg", "tall.png"],
    first: Annotated[Day | None, Query(alias="from")] = None,
    last: Annotated[Day | None, Query(alias="to")] = None,
    of: Of = "songs",
    by: By = "plays",
) -> Response:
    """1200×630 or 1080×1920, of a span of days, both in it; without them of all that there is."""
    begin: date
    begin, end = first or visit.bounds["first_played_on"], last or visit.bounds["last_played_on"]
    require_span(visit, begin, end)
    shape: Shape = "wide" if name.startswith("wide") else "tall"
    svg = card_svg(card_of(visit, begin, end, of, by), shape)
    if name.endswith(".svg"):
        return Response(svg, media_type="image/svg+xml")
    return Response(png_of(svg).png, media_type="image/png")
