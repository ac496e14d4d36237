"""The gate: every request passes it first, whatever the pages and the API are."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from pipelines.failure import Failure
from web.access.asked import Asked
from web.access.deciding import Access, check_address, decide, refusal
from web.access.visitor import RefusedError, Visitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOGIN = "/login"


class Gate:
    """ASGI middleware: lets in who may, as ``request.state.visitor``, and sets the path that links begin with."""

    def __init__(self, app: "ASGIApp", access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Hand on, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        root_path = self._access.root_path
        scope["root_path"] = root_path
        path = scope["path"]
        if root_path and (path == root_path or path.startswith(f"{root_path}/")):
            path = path.removeprefix(root_path)
        try:
            asked = Asked.of(dict(scope))
            check_address(asked, self._access)
            # IAP's keys come over the network; all else is a matter of microseconds.
            if self._access.iap:
                visitor: Visitor | None = await run_in_threadpool(decide, asked, self._access)
            else:
                visitor = decide(asked, self._access)
            if visitor is None and not _is_open(path):
                raise refusal(asked, self._access)
        except RefusedError as error:
            await self._refused(error, Headers(scope=scope), path, scope)(scope, receive, send)
            return
        except Failure as error:  # the file of tokens
            await PlainTextResponse(f"{error}\n", 500)(scope, receive, send)
            return
        scope.setdefault("state", {})["visitor"] = visitor
        scope["state"]["access"] = self._access
        await self._app(scope, receive, send)

    def _refused(self, error: RefusedError, headers: Headers, path: str, scope: "Scope") -> Response:
        is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        common = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if error.status == 401 and self._access.iap is None:
            if is_page and "authorization" not in headers:
                query = scope.get("query_string", b"").decode("latin-1")
                wanted = quote(f"{path}?{query}" if query else path, safe="/")
                return RedirectResponse(f"{self._access.root_path}{LOGIN}?next={wanted}", 303, common)
            common["WWW-Authenticate"] = 'Bearer realm="Heavy Rotation"'
        if path.startswith("/api/"):
            return JSONResponse({"error": error.sentence}, error.status, common)
        return PlainTextResponse(f"{error.sentence}\n", error.status, common)


def _is_open(path: str) -> bool:
    """Whether it is for everybody: where to give a token, and what that page looks like."""
    return path in (LOGIN, "/favicon.ico") or path.startswith("/static/")
