"""How the API says things: JSON with times as in RFC 3339, and what is documented of every answer."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from web.api.shapes import Problem

PREFIX = "/api/v1"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_PROBLEMS: dict[int, str] = {
    300: "There are several listeners; ``user`` says whose plays are meant.",
    400: "What was asked makes no sense; the sentence says why.",
    401: "A token is needed, or this is none.",
    403: "Who asks may not do this.",
    404: "There is no such thing here.",
    503: "It cannot be answered now; a moment later perhaps.",
}
Documented = dict[int | str, dict[str, Any]]


def json_answer(content: Mapping[str, object], status: int = 200) -> Response:
    """Instants end in Z; a wall's clock, which has no zone, has no letter."""
    return Response(orjson.dumps(content, option=_OPTIONS), status, media_type="application/json")


def documented(*statuses: int, **more: Any) -> Documented:
    """What a route may answer beside 200, for OpenAPI: 400, 401 and 403 always."""
    told: Documented = {}
    for status in sorted({*statuses, 400, 401, 403}):
        told[status] = {"model": Problem, "description": _PROBLEMS[status]}
    return told | ({200: more} if more else {})
