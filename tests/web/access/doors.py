"""A site behind the gate that says who asks, for the tests of the gate."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from pipelines.clock import utc_now
from tests.web.client import Client
from web.access.deciding import Access
from web.access.middleware import Gate
from web.access.tokens import Tokens
from web.access.visitor import Scope, Visitor, needs, visitor_of
from web.pages.login import router
from web.settings import Settings

HERE = "http://127.0.0.1:8723"


def site(access: Access) -> FastAPI:
    app = FastAPI()
    app.state.settings, app.state.paths = Settings("nowhere"), set()  # what the page's frame is made of

    def who(request: Request) -> dict[str, Any]:
        visitor = visitor_of(request)
        return {
            "name": visitor.name,
            "way": visitor.way,
            "scopes": sorted(visitor.scopes),
            "root": request["root_path"],
        }

    app.add_api_route("/", who, methods=["GET", "POST"])
    app.add_api_route("/api/v1/who", who, methods=["GET", "POST"])

    @app.post("/sql")
    def sql(visitor: Annotated[Visitor, Depends(needs(Scope.SQL))]) -> str:
        return visitor.name

    @app.post("/import")
    def own(visitor: Annotated[Visitor, Depends(needs(Scope.OWN))]) -> str:
        return visitor.name

    app.include_router(router)
    app.add_middleware(Gate, access=access)
    return app


def browser(access: Access, *, client: str = "127.0.0.1", base: str = HERE, **headers: str) -> Client:
    """Whoever asks from the address ``client``, with headers in every request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(site(access), base, address=client, headers=named)


def tokens_in(folder: Path) -> Tokens:
    return Tokens(folder / "web" / "tokens.json")


def token(tokens: Tokens, name: str, *scopes: Scope) -> dict[str, str]:
    """A new token, as the header that holds it."""
    return {"Authorization": f"Bearer {tokens.add(name, scopes or (Scope.READ,), utc_now())}"}
