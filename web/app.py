"""The application: which routers there are, and what stands around each of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib import resources

from fastapi import APIRouter, FastAPI, Response

from web import api
from web.access.middleware import Gate
from web.answering import ANSWERS
from web.errors import NotFoundError
from web.opening import Warehouse
from web.pages import (
    cards,
    comparing,
    data,
    days,
    features,
    health,
    hidden,
    history,
    home,
    importing,
    items,
    login,
    meanings,
    months,
    sql,
    tops,
    watching,
    years,
)
from web.rendering import static_names
from web.responding import Sealed, content_policy
from web.running.apart import Runner
from web.running.importing import Importing
from web.settings import Settings
from web.warming import Warming

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    home.router,
    months.router,
    years.router,
    cards.router,
    tops.router,
    comparing.router,
    items.router,
    days.router,
    history.router,
    watching.router,
    features.router,
    data.router,
    meanings.router,
    sql.router,
    sql.figures,
    health.router,
    importing.router,
    hidden.router,
    *api.ROUTERS,
)
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def create_app(settings: Settings) -> FastAPI:
    """The application over one warehouse, which it opens when it is first asked."""
    app = FastAPI(title="Heavy Rotation", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_running)
    app.state.settings, app.state.runner, app.state.importing = settings, Runner(settings.warehouse), Importing()
    app.state.warehouse = Warehouse(settings)
    for router in ROUTERS:  # whose routes are whole: include_router builds each again, when one is first asked for
        app.router.routes.extend(router.routes)
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    app.state.paths = {path for router in ROUTERS for route in router.routes if (path := getattr(route, "path", ""))}
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.add_middleware(Sealed, policy=content_policy(covers=settings.covers))
    app.add_middleware(Gate, access=settings.access)  # the last one added is the first one asked
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    warming = Warming(app.state.settings, app.state.warehouse)
    if app.state.settings.warms:
        warming.start()
    yield
    warming.close()
    app.state.importing.close()
    app.state.runner.close()
    app.state.warehouse.close()


@lru_cache
def _files() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("web").joinpath("static")
    return {
        asked: (folder.joinpath(name).read_bytes(), _TYPES[name.rpartition(".")[2]])
        for name, asked in static_names().items()
    }


async def _static(name: str) -> Response:
    if name not in _files():
        raise NotFoundError(f"There is no {name} here.")
    content, kind = _files()[name]
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})
