"""Routes that refuse what they do not know, and the types of what a URL may say."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BeforeValidator

from pipelines.domain.month import FIRST_YEAR, parse_month
from web.errors import BadRequestError

MOST_ROWS = 1000
_LAST_YEAR = 2100
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route that answers 400 where the URL has a parameter that it does not declare, or has one twice."""

    def get_route_handler(self) -> _Handler:
        """FastAPI's hook: what answers a request."""
        handle = super().get_route_handler()
        known = sorted(_declared(self.dependant))

        async def strictly(request: Request) -> Response:
            require_known(request, known)
            return await handle(request)

        return strictly


def _declared(dependant: Dependant) -> set[str]:
    """The query parameters of a route and of all that it depends on."""
    return {field.alias for field in dependant.query_params}.union(*map(_declared, dependant.dependencies))


def require_known(request: Request, known: Sequence[str]) -> None:
    """Raises BadRequestError where the URL has another parameter than these, or one of them twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            there = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known) or 'none'}."
            raise BadRequestError(f"There is no parameter {name!r} here; {there}")
        if names.count(name) > 1:
            raise BadRequestError(f"The parameter {name!r} is there twice; say it once.")


def day_of(text: Any) -> date:
    """``2026-11-28`` to a day. Raises ValueError, whose text is for the user."""
    try:
        if isinstance(text, str) and len(text) == len("2026-11-28"):
            day = date.fromisoformat(text)
            if FIRST_YEAR <= day.year <= _LAST_YEAR:
                return day
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a day; write it as 2026-11-28")


def month_of(text: Any) -> date:
    """``2026-11`` to the first day of that month. Raises ValueError, whose text is for the user."""
    return parse_month(text if isinstance(text, str) else "")


def year_of(text: Any) -> int:
    """``2026`` to a year. Raises ValueError, whose text is for the user."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and FIRST_YEAR <= int(text) <= _LAST_YEAR:
        return int(text)
    raise ValueError(f"{text!r} is not a year; write it as 2026")


def instant_of(text: Any) -> datetime:
    """``2026-11-28T14:02:00Z`` to an aware instant. Raises ValueError, whose text is for the user."""
    try:
        when = datetime.fromisoformat(text.replace(" ", "+") if isinstance(text, str) else "")
        if when.tzinfo is not None and FIRST_YEAR <= when.year <= _LAST_YEAR:
            return when.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not an instant; write it as 2026-11-28T14:02:00Z")


Day = Annotated[date, BeforeValidator(day_of)]
Month = Annotated[date, BeforeValidator(month_of)]
Instant = Annotated[datetime, BeforeValidator(instant_of)]
Year = Annotated[int, BeforeValidator(year_of)]
Whose = Annotated[str | None, Query(description="Whose plays, where there are several listeners.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows, 1,000 at most.")]
