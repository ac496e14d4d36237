"""What the API is: OpenAPI, and a page made from it that loads nothing."""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from web.access.deciding import Access
from web.api import export, figures, query, tables
from web.api.answering import PREFIX, json_answer
from web.rendering import page
from web.routing import StrictRoute, Whose

router = APIRouter(route_class=StrictRoute, include_in_schema=False)
_ABOUT = """\
What the pages show, as JSON, the tables in BigQuery SQL, and all plays at once. At the machine itself nothing is
needed; from elsewhere a token in the header Authorization: Bearer TOKEN, made by heavy-rotation web token add NAME.
Days are local, in the time zone that the answer names; instants are UTC. A parameter that is not known is refused.
"""


@router.get(f"{PREFIX}/openapi.json")
def openapi(request: Request) -> Response:
    """The description that programs read."""
    return json_answer(described(request))


@router.get("/api")
def api_page(request: Request, user: Whose = None) -> Response:  # noqa: ARG001  of the links alone
    """The description that people read."""
    told = described(request)
    access: Access = request.state.access
    if access.public:
        origin = f"{access.public.origin}{access.root_path}"
    else:
        origin = f"{'https' if access.iap else request.url.scheme}://{request.headers['host']}"
    values = {"about": told["info"]["description"], "operations": _operations(told)}
    return page(request, "api.html", prefix=PREFIX, origin=origin, **values)


def described(request: Request) -> dict[str, Any]:
    """OpenAPI of the routes below ``/api/v1``, with this server's address."""
    return {**_described(), "servers": [{"url": request.scope.get("root_path", "") or "/"}]}


@cache
def _described() -> dict[str, Any]:
    app = FastAPI(title="Heavy Rotation", version="1", description=_ABOUT)
    for one in (figures, tables, query, export):
        app.include_router(one.router)
    told = app.openapi()
    _without_422(told)
    told["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    told["security"] = [{}, {"token": []}]
    return told


def _without_422(told: dict[str, Any]) -> None:
    """What FastAPI calls unprocessable is 400 here, with a sentence."""
    for operations in told["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        told["components"]["schemas"].pop(name, None)


def _operations(told: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page lists: each operation with its parameters, resolved."""
    found = []
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            fields = _fields(told, body) if body else []
            parameters = [
                {
                    "name": parameter["name"],
                    "kind": _kind(parameter["schema"]),
                    "default": parameter["schema"].get("default"),
                    "is_required": parameter["required"],
                    "about": parameter.get("description") or parameter["schema"].get("description") or "",
                }
                for parameter in operation.get("parameters", [])
            ]
            ok = operation["responses"]["200"].get("content", {})
            shape = ok.get("application/json", {}).get("schema", {}).get("$ref")
            found.append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation["summary"],
                    "about": operation.get("description", ""),
                    "tag": operation["tags"][0],
                    "parameters": parameters + fields,
                    "takes": "in the body, as JSON" if fields else "parameter",
                    "is_body": bool(fields),
                    "example": path.replace("{kind}", "tracks").replace("{name}", "plays")
                    + ("?q=love" if path.endswith("/search") else ""),
                    "answers": _fields(told, {"$ref": shape}, deep=True) if shape else [],
                    "types": sorted(ok),
                }
            )
    return found


def _fields(
    told: dict[str, Any], schema: dict[str, Any], prefix: str = "", *, deep: bool = False
) -> list[dict[str, Any]]:
    """What an object has; ``deep`` with the fields of what it holds."""
    schema = _resolved(told, schema)
    required = schema.get("required", [])
    found = []
    for name, field in schema.get("properties", {}).items():
        found.append(
            {
                "name": f"{prefix}{name}",
                "kind": _kind(field),
                "default": field.get("default"),
                "is_required": name in required,
                "about": field.get("description", ""),
            }
        )
        inside = field.get("items", field)
        if deep and "$ref" in inside:
            found += _fields(told, inside, f"{prefix}{name}{'[]' if 'items' in field else ''}.", deep=True)
    return found


def _resolved(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _kind(schema: dict[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str({"date-time": "instant", "date": "day"}.get(schema.get("format", ""), schema.get("type", "anything")))
