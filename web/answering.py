"""What a request is answered with that cannot have what it asked for: a sentence, as a page or as JSON."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from pipelines.failure import Failure
from web.errors import BadRequestError, NotFoundError, NothingYetError, SentenceError
from web.rendering import page
from web.visit import WhoseError, links


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
    is_ours = first["type"] == "value_error"
    # A path's part has no name to who wrote it.
    where = "" if is_ours and first["loc"][0] == "path" else f"{first['loc'][-1]}: "
    text = where + (said if is_ours else f"{said[0].lower()}{said[1:]}")
    return await _say(request, BadRequestError(f"{text}." if text[-1] not in ".?" else text))


async def _say_http(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: there is no such page, or not by this method."""
    assert isinstance(error, HTTPException)
    said = NotFoundError("There is no such page here.") if error.status_code == 404 else SentenceError(error.detail)
    said.status = error.status_code
    answer = await _say(request, said)
    answer.headers.update(error.headers or {})  # of another method, those that there are
    return answer


async def _say_broken(request: Request, error: Exception) -> Response:  # noqa: ARG001  the log has it, with its stack
    """A mistake of ours."""
    return PlainTextResponse("Something broke here, and the terminal where heavy-rotation web runs says what.\n", 500)


ANSWERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    SentenceError: _say,
    Failure: _say,
    RequestValidationError: _say_invalid,
    HTTPException: _say_http,
    Exception: _say_broken,
}
