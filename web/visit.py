"""One request for one listener's page: whose it is, what may be asked, and where its links lead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Query, Request

from pipelines.domain.month import following
from pipelines.tables.questions import parameters_of
from web import words
from web.asking import Asker
from web.errors import NotFoundError, NothingYetError, SentenceError
from web.figures.gaps import Gap, Polling, polling_of, unknown_days
from web.hiding.hidden import Hidden
from web.settings import Settings

Row = dict[str, Any]
# Older than that, what a page shows is called old.
_FRESH = timedelta(days=1)


class WhoseError(SentenceError):
    """There are several listeners, and the URL names none; ``names`` are theirs."""

    status = 300

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"There are {len(names):,} listeners here: whose?")
        self.names = names


@dataclass(frozen=True)
class Links:
    """Addresses on this server: under ``root``, with ``user`` in them where it has to be."""

    root: str
    user: str | None

    def __call__(self, path: str, /, **query: object) -> str:
        """The address of a page, ``path`` being text that is not quoted yet; what is None is left out of the query."""
        named = {"user": self.user} | query
        texts = {name.rstrip("_"): _text(value) for name, value in named.items() if value is not None}
        return self.root + quote(path, safe="/:@,") + (f"?{urlencode(texts)}" if texts else "")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


@dataclass(frozen=True)
class Visit:
    """``path`` and ``asked`` are the page's own; ``hidden`` are the keys that its figures leave out, which
    may be none where ``shows_hidden``, and ``hides`` the links that hide them, by key.

    ``as_of`` is UTC: until when everything is known, the gaps apart. ``zone`` is the warehouse's.
    """

    asker: Asker
    user_id: str
    url: Links
    zone: ZoneInfo
    now: datetime
    as_of: datetime
    polled_at: datetime | None
    bounds: Row
    gaps: tuple[Gap, ...] = ()
    path: str = "/"
    asked: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    shows_hidden: bool = False
    hides: Mapping[str, str] = field(default_factory=dict)

    def ask(self, question: str, /, **parameters: Any) -> list[Row]:
        """The rows of a question about this listener, which others may be reading too: they are not to be changed."""
        return self.asker.rows(question, **self.complete(question, parameters))

    def complete(self, question: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a question, None being left out, with those that the visit knows where it takes them."""
        given: dict[str, Any] = {
            "user_id": self.user_id,
            "hidden": self.hidden,
            "today": self.today,
            "unknown_days": tuple(sorted(self.unknown)),
        }
        taken = parameters_of(question)
        known = {name: value for name, value in given.items() if name in taken}
        return known | {name: value for name, value in parameters.items() if value is not None}

    def here(self, **changes: str | None) -> str:
        """The address of this page with another query; what is None is left out."""
        return self.url(self.path, **{**self.asked, **changes})

    def local(self, instant: datetime) -> datetime:
        """What a clock on the wall showed, with its zone."""
        return instant.astimezone(self.zone)

    @property
    def today(self) -> date:
        """The day on the wall."""
        return self.now.astimezone(self.zone).date()

    @property
    def known_until(self) -> datetime:
        """``as_of`` on the wall, naive, as BigQuery's DATETIME is."""
        return self.local(self.as_of).replace(tzinfo=None)

    @property
    def is_stale(self) -> bool:
        """Whether what is known ends more than a day ago."""
        return self.now - self.as_of > _FRESH

    @property
    def state_words(self) -> str:
        """How up to date it is, in a sentence without its end."""
        if not self.is_stale:
            return f"As of {words.moment(self.known_until)}"
        days = words.count(max((self.now - self.as_of).days, 1), "day")
        return f"What is known ends {days} ago, on {words.moment(self.known_until)}"

    @property
    def first_month(self) -> date:
        """The month of the first play."""
        first: date = self.bounds["first_played_on"]
        return first.replace(day=1)

    @property
    def last_month(self) -> date:
        """The month of the last play."""
        last: date = self.bounds["last_played_on"]
        return last.replace(day=1)

    @property
    def unknown(self) -> frozenset[date]:
        """The days that no poll and no export reached, as far as is known."""
        return unknown_days(self.gaps, self.zone)

    def end_of(self, month: date) -> date:
        """A month's last day."""
        return following(month) - timedelta(days=1)


def links(request: Request) -> Links:
    """The addresses of a page that may be nobody's."""
    visit = getattr(request.state, "visit", None)
    if isinstance(visit, Visit):
        return visit.url
    return Links(request.scope.get("root_path", ""), request.query_params.get("user"))


def asker_of(request: Request) -> Asker:
    """What answers questions. Raises NothingYetError where there is no warehouse yet, and StorageError."""
    asker: Asker = request.app.state.warehouse.asker()
    return asker


def visit(
    request: Request,
    user: Annotated[str | None, Query(description="Whose plays, where there are several.")] = None,
    hidden: Annotated[Literal["shown"] | None, Query(description="Count what is hidden, too.")] = None,
) -> Visit:
    """FastAPI's dependency. Raises NothingYetError, WhoseError, NotFoundError, and Failure for bad tables."""
    root = request.scope.get("root_path", "")
    made = visit_of(
        request.app.state.settings,
        asker_of(request),
        user,
        root=root,
        path=request.scope["path"].removeprefix(root),
        asked=dict(request.query_params),
        shows_hidden=hidden is not None,
    )
    request.state.visit = made
    return made


def visit_of(
    settings: Settings,
    asker: Asker,
    user: str | None,
    *,
    root: str = "",
    path: str = "/",
    asked: Mapping[str, str] | None = None,
    shows_hidden: bool = False,
) -> Visit:
    """A listener's; without a name that of the only one. Raises what ``visit`` does."""
    names = [str(row["user_id"]) for row in asker.rows("listeners")]
    if settings.user is not None:
        if user not in (None, settings.user):
            raise NotFoundError(f"This server shows the plays of {settings.user} only.")
        names = [name for name in names if name == settings.user]
    if not names:
        raise NothingYetError(f"There are no plays in {settings.warehouse} yet.")
    if user is None and len(names) > 1:
        raise WhoseError(names)
    if user is not None and user not in names:
        raise NotFoundError(f"There are no plays of {user} here.")
    who = user or names[0]
    if not (rows := asker.rows("bounds", user_id=who)):  # forgotten a moment ago
        raise NotFoundError(f"There are no plays of {who} here.")
    [bounds] = rows
    polling = polling_of(settings.state, who) if settings.state else Polling()
    there = Hidden(settings.state).links(who) if settings.state else {}
    return Visit(
        asker=asker,
        user_id=who,
        url=Links(root, who if len(names) > 1 or user else None),
        zone=ZoneInfo(asker.time_zone),
        now=settings.clock().astimezone(UTC),
        as_of=max(polling.polled_at or bounds["last_played_at"], bounds["last_played_at"]),
        polled_at=polling.polled_at,
        bounds=bounds,
        gaps=polling.gaps,
        path=path,
        asked=asked or {},
        hidden=() if shows_hidden else tuple(sorted(there)),
        shows_hidden=shows_hidden and bool(there),
        hides=there,
    )
