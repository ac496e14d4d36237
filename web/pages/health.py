"""``/health``: the last poll, gaps, the login's end, imports and what they left out, rejects, tables beside archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from pipelines.domain.month import Calendar
from pipelines.storage.files import StorageError
from pipelines.tables.questions import QUESTIONS
from web.figures.archive import missing
from web.figures.imports import Import, LeftOutRows, imports_of, left_out_by_month
from web.figures.logins import login_ends
from web.rendering import page
from web.routing import StrictRoute
from web.settings import Settings
from web.visit import Visit, visit
from web.words import ago, count, day, moment, month

router = APIRouter(route_class=StrictRoute)
# Spotify lists the last fifty plays, which take 25 minutes; a login that ends within this is said in time.
_POLL_WITHIN, _SOON = timedelta(minutes=25), timedelta(days=14)
_NEWEST = 2
Which = Annotated[Literal["newest", "all"], Query(description="Which months are compared with the archive.")]


@dataclass(frozen=True)
class Finding:
    """A line: whether all is well (None where nobody knows), what was found, and what to do."""

    is_well: bool | None
    text: str
    remedy: str = ""


@router.get("/health")
def show(request: Request, visit: Annotated[Visit, Depends(visit)], archive: Which = "newest") -> Response:
    """How the system is, of one listener."""
    settings: Settings = request.app.state.settings
    imports = imports_of(settings.state, visit.user_id) if settings.state else []
    return page(
        request,
        "health.html",
        polling=[*_polls(visit, settings), *_login(visit, settings)],
        gaps=[(str(_local(visit, gap.start)), str(_local(visit, gap.end)), gap.is_doubtful) for gap in visit.gaps],
        knows_polls=settings.state is not None,
        imports=[(_local(visit, one.at), one, _left_out(one)) for one in imports],
        by_month=[
            (month(one.month) if one.month else "not known", one.reason, f"{one.rows:,}", _skips(one))
            for one in left_out_by_month(imports)
        ],
        rejects=_rejects(visit),
        tables=[*_behind(visit), *_archive(visit, settings, archive)],
        compared=archive,
        has_archive=settings.archive is not None,
    )


def _local(visit: Visit, instant: datetime) -> str:
    return moment(visit.local(instant))


def _polls(visit: Visit, settings: Settings) -> Iterator[Finding]:
    if settings.state is None:
        yield Finding(None, "What polling remembers is not at hand here.", "heavy-rotation doctor tells it.")
    elif visit.polled_at is None:
        yield Finding(
            None, f"No poll of {visit.user_id} is known.", "heavy-rotation poll --every 10m keeps plays current."
        )
    else:
        since = visit.now - visit.polled_at
        is_well = since <= _POLL_WITHIN
        remedy = (
            "" if is_well else "Spotify remembers fifty plays: see why polling stopped, heavy-rotation doctor helps."
        )
        yield Finding(is_well, f"The last poll was {ago(since)}, {_local(visit, visit.polled_at)}.", remedy)


def _login(visit: Visit, settings: Settings) -> Iterator[Finding]:
    ends = login_ends(settings.logins, visit.user_id) if settings.logins else None
    if ends is None:
        return
    left = ends - visit.now
    told = f"The login lasts until {day(visit.local(ends).date())}" if left > timedelta() else "The login has ended"
    yield Finding(left > _SOON, f"{told}.", "" if left > _SOON else "heavy-rotation login makes a new one.")


def _left_out(one: Import) -> list[str]:
    told = [f"{number:,} {reason}" for reason, number in one.left_out.items()]
    return told + ([f"{one.unreadable:,} could not be read"] if one.unreadable else [])


def _skips(one: LeftOutRows) -> str:
    return f"{one.skipped:,} of {one.skip_known:,}" if one.skip_known else "not known"


def _rejects(visit: Visit) -> list[tuple[str, str, str, str]]:
    """Of what could not be read: how many, why, from where, and the newest."""
    if "rejects" not in QUESTIONS:
        return []
    rows = visit.asker.rows("rejects")
    return [(f"{row['messages']:,}", row["reason"], row["origin"], _local(visit, row["newest_at"])) for row in rows]


def _behind(visit: Visit) -> Iterator[Finding]:
    """Tens beside plays."""
    if "behind" not in QUESTIONS:
        return
    months = [row["month"] for row in visit.asker.rows("behind") if row["user_id"] == visit.user_id]
    if months:
        named = f"{month(months[0])}{' and others' if len(months) > 1 else ''}"
        yield Finding(False, f"The tens of {named} do not count all plays.", "heavy-rotation rebuild makes them again.")
    else:
        yield Finding(True, "The tens count every play of the tables.")


def _archive(visit: Visit, settings: Settings, which: str) -> Iterator[Finding]:
    """Tables beside the archive."""
    if settings.archive is None:
        return
    months: Sequence[date] = [row["month"] for row in visit.ask("months")]
    months = months if which == "all" else months[-_NEWEST:]
    known = {
        instant.as_py()
        for one in months
        for instant in visit.asker.fresh("plays_of_month", user_id=visit.user_id, month=one)["played_at"]
    }
    since, _ = Calendar(visit.zone.key).bounds(months[0])
    # What was polled since may be in a month of which there is no table yet.
    looked_at = sorted({*months, visit.today.replace(day=1)})
    try:
        lacking = missing(settings.archive, visit.user_id, looked_at, since, known)
    except StorageError as error:
        yield Finding(None, f"The archive could not be compared: {error}")
        return
    of = "" if which == "all" else f" since {month(months[0])}"
    if lacking:
        told = f"{count(lacking, 'play')} of the archive{of} {'is' if lacking == 1 else 'are'} not in the tables."
        yield Finding(False, told, "heavy-rotation rebuild --months changed brings them in.")
    else:
        yield Finding(True, f"The tables have every play that the archive has{of}.")
