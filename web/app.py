"""The application: which routers there are, and what stands around each of them."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib import resources

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipelines.failure import Failure
from web import api
from web.access import login
from web.access.middleware import Gate
from web.errors import BadRequestError, NotFoundError, NothingYetError, SentenceError
from web.opening import Warehouse
from web.pages import comparing, data, days, history, home, items, meanings, months, tops, years
from web.rendering import page, static_names
from web.responding import Sealed, content_policy
from web.running.apart import Runner
from web.settings import Settings
from web.visit import WhoseError, links

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    home.router,
    months.router,
    years.router,
    tops.router,
    comparing.router,
    items.router,
    days.router,
    history.router,
    data.router,
    meanings.router,
    *api.ROUTERS,
)
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_log = logging.getLogger("heavy_rotation")


def create_app(settings: Settings) -> FastAPI:
    """The application over one warehouse, which it opens when it is first asked."""
    runner = Runner(settings.warehouse)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        runner.close()

    app = FastAPI(title="Heavy Rotation", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.settings, app.state.runner = settings, runner
    app.state.warehouse = Warehouse(settings)
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    app.state.paths = {path for router in ROUTERS for route in router.routes if (path := getattr(route, "path", ""))}
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.add_middleware(Sealed, policy=content_policy(covers=settings.covers))
    app.add_middleware(Gate, access=settings.access)  # the last one added is the first one asked
    return app


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


def _wants_data(request: Request) -> bool:
    path = request.scope["path"]
    return "/api/" in path or path.endswith((".csv", ".json"))


async def _say(request: Request, error: Exception) -> Response:
    """A sentence, as a page or as JSON."""
    status = error.status if isinstance(error, SentenceError) else 503
    if _wants_data(request):
        return JSONResponse({"error": str(error)}, status)
    root = links(request).root
    if isinstance(error, NothingYetError):
        is_home = request.scope["path"].removeprefix(root) in ("", "/")
        return page(request, "nothing.html", 200 if is_home else status, sentence=str(error))
    if isinstance(error, WhoseError):
        is_home = request.scope["path"].removeprefix(root) in ("", "/")
        return page(
            request, "listeners.html", 200 if is_home else status, sentence=str(error), listeners=_each(request, error)
        )
    instead = error.instead if isinstance(error, NotFoundError) else ()
    return page(request, "sentence.html", status, sentence=str(error), instead=instead)


def _each(request: Request, error: WhoseError) -> list[tuple[str, str]]:
    """Each listener's name, and the address of the same page of theirs."""
    url, asked = links(request), dict(request.query_params)
    path = request.scope["path"].removeprefix(url.root)
    return [(name, url(path, **{**asked, "user": name})) for name in error.names]


async def _say_invalid(request: Request, error: Exception) -> Response:
    """What FastAPI calls unprocessable, in a sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    said = str(first["msg"]).removeprefix("Value error, ")
    where = str(first["loc"][-1])
    text = said if first["type"] == "value_error" else f"{where}: {said[0].lower()}{said[1:]}"
    return await _say(request, BadRequestError(f"{text}." if text[-1] not in ".?" else text))


async def _say_http(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: there is no such page, or not by this method."""
    assert isinstance(error, HTTPException)
    said = NotFoundError("There is no such page here.") if error.status_code == 404 else SentenceError(error.detail)
    said.status = error.status_code
    answer = await _say(request, said)
    answer.headers.update(error.headers or {})  # of another method, those that there are
    return answer


_ANSWERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    SentenceError: _say,
    Failure: _say,
    RequestValidationError: _say_invalid,
    HTTPException: _say_http,
}
