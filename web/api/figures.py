"""Months, totals, tops, plays, activity and search: what pages show, as JSON."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from pipelines.domain.instants import rfc3339
from web.api import shapes
from web.api.answering import PREFIX, documented, json_answer
from web.api.asked import Listening, Spanned, about, following
from web.routing import Instant, Limit, StrictRoute
from web.visit import asker_of

router = APIRouter(prefix=PREFIX, route_class=StrictRoute, tags=["Figures"])
By = Annotated[Literal["plays", "time"], Query(description="Ranked by the number of plays, or by the time heard.")]
Order = Annotated[
    Literal["plays", "time", "first", "name"] | None, Query(description="The order; without it, by rank.")
]
Grain = Annotated[Literal["day", "month", "hour"], Query(description="What is counted for itself.")]
_ACTIVITY = {"day": "days", "month": "month_totals", "hour": "clock"}


@router.get("/listeners", response_model=shapes.Listeners, responses=documented(404, 503), summary="Listeners")
def listeners(request: Request) -> Response:
    """Whose plays are here."""
    only = request.app.state.settings.user
    rows = asker_of(request).rows("listeners")
    return json_answer({"rows": [row for row in rows if only in (None, row["user_id"])]})


@router.get("/months", response_model=shapes.Months, responses=documented(300, 404, 503), summary="Months")
def months(there: Listening) -> Response:
    """The months that have plays, ascending."""
    return json_answer(about(there) | {"rows": there.ask("months")})


@router.get("/totals", response_model=shapes.SpanTotals, responses=documented(300, 404, 503), summary="Totals")
def totals(there: Listening, found: Spanned) -> Response:
    """A span in numbers, without what the listener has hidden."""
    [row] = there.ask("totals", span=found.pair)
    return json_answer(about(there, found) | {"row": row})


@router.get("/top/{kind}", response_model=shapes.Top, responses=documented(300, 404, 503), summary="Most played")
def top(
    request: Request,
    there: Listening,
    found: Spanned,
    kind: Literal["tracks", "artists", "albums"],
    by: By = "plays",
    order: Order = None,
    after: Annotated[str, Query(max_length=500, description="What ``next`` says.")] = "",
    limit: Limit = 100,
) -> Response:
    """Songs, artists or albums of a span, without what the listener has hidden."""
    asked: dict[str, Any] = {"kind": kind.removesuffix("s"), "by": by, "order": order or by, "after": after}
    rows = there.ask("tops", span=found.pair, limit=limit + 1, **asked)
    more = {"next": following(request, after=rows[limit - 1]["place"])} if len(rows) > limit else {}
    return json_answer(about(there, found) | {"rows": rows[:limit]} | more)


@router.get("/plays", response_model=shapes.Plays, responses=documented(300, 404, 503), summary="Plays")
def plays(
    request: Request,
    there: Listening,
    found: Spanned,
    after: Annotated[Instant | None, Query(description="What ``next`` says: only plays before it.")] = None,
    limit: Limit = 100,
) -> Response:
    """Every play of a span, the newest first."""
    asked = {} if after is None else {"before": after}
    rows = there.ask("last_plays", span=found.pair, limit=limit + 1, **asked)
    more = {"next": following(request, after=rfc3339(rows[limit - 1]["played_at"]))} if len(rows) > limit else {}
    return json_answer(about(there, found) | {"rows": rows[:limit]} | more)


@router.get(
    "/activity", response_model=shapes.Activity, responses=documented(300, 404, 503), summary="When it was heard"
)
def activity(there: Listening, found: Spanned, by: Grain = "day") -> Response:
    """Plays by day, by month, or by weekday and hour, without what the listener has hidden."""
    rows = there.ask(_ACTIVITY[by], span=found.pair)
    return json_answer(about(there, found) | {"rows": rows})


@router.get("/search", response_model=shapes.Search, responses=documented(300, 404, 503), summary="Search")
def search(
    there: Listening,
    q: Annotated[str, Query(min_length=1, max_length=200, description="Part of a name, in any case.")],
    limit: Limit = 100,
) -> Response:
    """Songs, artists and albums by name; case, accents and width do not matter."""
    return json_answer(about(there) | {"rows": there.ask("search", q=q, limit=limit)})
