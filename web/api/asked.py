"""What most of the API's routes are asked: whose plays, and of which days."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from web.errors import BadRequestError
from web.routing import Day
from web.visit import Visit, visit

Listening = Annotated[Visit, Depends(visit)]


@dataclass(frozen=True, slots=True)
class Days:
    """Local days, both in it."""

    first: date
    last: date

    @property
    def pair(self) -> tuple[date, date]:
        """For the asker."""
        return self.first, self.last


def days(
    there: Listening,
    first: Annotated[
        Day | None, Query(alias="from", description="The first day; without it, that of the first play.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="The last day; without it, that of the last play.")
    ] = None,
) -> Days:
    """FastAPI's dependency. Raises BadRequestError."""
    found = Days(first or there.bounds["first_played_on"], last or there.bounds["last_played_on"])
    if found.first <= found.last:
        return found
    if first and last:
        raise BadRequestError(f"from={first} is after to={last}.")
    only = first or found.last  # a day after everything, or before: an answer without rows
    return Days(only, only)


Spanned = Annotated[Days, Depends(days)]


def about(there: Visit, found: Days | None = None) -> dict[str, Any]:
    """What every answer begins with."""
    told: dict[str, Any] = {"user": there.user_id, "time_zone": there.zone.key}
    return told | ({"from": found.first, "to": found.last} if found else {})


def following(request: Request, **changed: object) -> str:
    """The address of this request with other parameters."""
    named = {**request.query_params, **{name: str(value) for name, value in changed.items()}}
    return f"{request.url.path}?{urlencode(named)}"
