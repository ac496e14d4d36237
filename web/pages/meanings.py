"""``/help``: what the figures mean."""

from fastapi import APIRouter, Request, Response

from web.rendering import page
from web.routing import StrictRoute

router = APIRouter(route_class=StrictRoute)


@router.get("/help")
def show(request: Request, user: str | None = None) -> Response:  # noqa: ARG001  links of other pages carry it
    """The page, which is nobody's."""
    return page(request, "help.html")
