"""``/hidden``: what a listener has hidden, and showing it again; a song's, artist's or album's page hides it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from web.access.visitor import Scope, needs, visitor_of
from web.errors import NotFoundError
from web.hiding.hidden import Hidden, things
from web.hiding.keys import keys_of
from web.pages.lists import item_url
from web.rendering import page
from web.routing import StrictRoute
from web.settings import Settings
from web.visit import Visit, visit

router = APIRouter(route_class=StrictRoute)
_KINDS = {"track": "song", "artist": "artist", "album": "album", "context": "playlist"}


class Wanted(BaseModel):
    """What the forms send."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=300, pattern="^(track|artist|album|context):.")
    action: Literal["hide", "show"]


def hiding(request: Request, visit: Visit, kind: str, key: str) -> dict[str, Any] | None:
    """What a page needs to offer it: the key, and whether it is hidden; None for who may not."""
    settings: Settings = request.app.state.settings
    if settings.state is None or not visitor_of(request).may(Scope.OWN):
        return None
    return {"key": f"{kind}:{key}", "is_hidden": f"{kind}:{key}" in visit.hides}


@router.get("/hidden")
def show(request: Request, visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The list."""
    lines = []
    for key in sorted(things(visit.hides).values()):
        kind, _, identity = key.partition(":")
        found = visit.ask("item", kind=kind, id=identity) if kind != "context" else []
        lines.append(
            {
                "key": key,
                "what": _KINDS.get(kind, kind),
                "name": found[0]["name"] if found else identity,
                "href": item_url(visit.url, kind, found[0]["key"]) if found else None,
            }
        )
    return page(request, "hidden.html", lines=lines, may=hiding(request, visit, "", "") is not None)


@router.post("/hidden", dependencies=[Depends(needs(Scope.OWN))])
def change(request: Request, visit: Annotated[Visit, Depends(visit)], wanted: Annotated[Wanted, Form()]) -> Response:
    """Hide something, or show it again; then the list."""
    settings: Settings = request.app.state.settings
    if settings.state is None:
        raise NotFoundError("What is hidden is kept in the state, and this server knows none: start it with --state.")
    kind, _, identity = wanted.key.partition(":")
    if wanted.action == "show":
        Hidden(settings.state).remove(visit.user_id, wanted.key)
    elif kind == "context":
        Hidden(settings.state).add(visit.user_id, wanted.key, identity)
    elif keys := keys_of(visit.ask, kind, identity):
        key, *others = keys
        link = f"/{_KINDS[kind]}/{key.partition(':')[2]}"
        Hidden(settings.state).add(visit.user_id, key, link, *others)
    else:
        raise NotFoundError(f"There is no such {_KINDS[kind]} in these plays.")
    return RedirectResponse(visit.url("/hidden"), 303)
