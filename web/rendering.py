"""Templates to pages. Everything is escaped; a name that a template does not know is an error, not an empty text."""

from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from web import words
from web.access.visitor import Scope
from web.settings import Settings
from web.visit import Visit, links

# What the head of each page offers: text, path, and the paths below which it is the current one.
_NAV = (
    ("Now", "/", ()),
    ("Month", "/month", ("/month", "/features")),
    ("Year", "/year", ("/year", "/recap")),
    ("Top", "/top/tracks", ("/top", "/compare", "/song", "/artist", "/album")),
    ("Calendar", "/calendar", ("/calendar", "/day")),
    ("History", "/history", ("/history",)),
    ("Watch", "/watch", ("/watch",)),
    ("SQL", "/sql", ("/sql",)),
)
_FOOT = (("Health", "/health"), ("Import", "/import"), ("API", "/api"), ("What the figures mean", "/help"))


@cache
def static_names() -> dict[str, str]:
    """The name that each static file is asked for by, which changes with what is in it."""
    there = [item for item in resources.files("web").joinpath("static").iterdir() if item.is_file()]
    digests = {item.name: blake2b(item.read_bytes(), digest_size=6).hexdigest() for item in there}
    return {name: f"{name.partition('.')[0]}.{digest}.{name.partition('.')[2]}" for name, digest in digests.items()}


@cache
def environment() -> Environment:
    """Jinja2's, with the project's words as filters."""
    made = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "count": words.count,
        "heard": words.heard,
        "lasting": words.lasting,
        "signed": words.signed,
        "day": words.day,
        "weekday": words.weekday,
        "month": words.month,
        "month_name": words.month_name,
        "clock": words.clock,
        "moment": words.moment,
        "listed": words.listed,
    }
    return made


@cache
def static_text(name: str) -> str:
    """What is in a static file."""
    return resources.files("web").joinpath("static", name).read_text(encoding="utf-8")


def _first(path: str) -> str:
    """The first part of a path, by which a page is there or not."""
    return path.split("/")[1]


def _offered(request: Request) -> set[str]:
    """The first parts of the paths that this server has for who asks; other pages are no use to them."""
    settings: Settings = request.app.state.settings
    visitor = getattr(request.state, "visitor", None)  # on /login nobody has been let in yet
    there = {_first(path) for path in request.app.state.paths}
    if not (visitor and visitor.may(Scope.SQL)):
        there -= {"sql"}
    if not (visitor and visitor.may(Scope.OWN) and settings.archive and settings.state):
        there -= {"import"}
    return there


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """An HTML answer. A template has ``url``, ``static``, ``nav``, ``visit`` (None if it is nobody's), the values.

    A page whose figures move by themselves gives ``moves=True``; ``asks`` is whether who looks may ask in SQL.
    """
    url = links(request)
    visit = getattr(request.state, "visit", None)
    settings = request.app.state.settings
    there = _offered(request)
    here = request.scope["path"].removeprefix(url.root)
    names = static_names()
    context = {
        "url": url,
        "static": lambda name: f"{url.root}/static/{names[name]}",
        "visit": visit if isinstance(visit, Visit) else None,
        "nav": [
            (text, path, here == path or any(f"{here}/".startswith(f"{base}/") for base in below))
            for text, path, below in _NAV
            if _first(path) in there
        ],
        "foot": [(text, path) for text, path in _FOOT if _first(path) in there],
        "covers": settings.covers,
        "settings": settings,
        "moves": False,
        "asks": "sql" in there,
    }
    return HTMLResponse(environment().get_template(template).render(context | values), status_code=status)
