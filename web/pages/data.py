"""``/data/QUESTION.csv``: the rows behind a figure, as CSV, JSON, or the SQL that gives them."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from pipelines.querying.show import show
from pipelines.tables.questions import QUESTIONS, bound, parameters_of
from web.errors import BadRequestError, NotFoundError
from web.routing import MOST_ROWS, day_of, instant_of, require_known
from web.visit import Visit, visit

router = APIRouter()
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_PARAMETER = re.compile(r"@(\w+)")


@router.get("/data/{question}.{form}")
def rows(
    request: Request, question: str, form: Literal["csv", "json", "sql"], visit: Annotated[Visit, Depends(visit)]
) -> Response:
    """A question's rows, with the parameters of the URL."""
    values = values_of(request, question, visit)
    if form == "sql":
        return PlainTextResponse(with_values(visit.asker.sql(question), values))
    return Response("".join(show(visit.asker.ask(question, **values), form)), media_type=_MEDIA[form])


def values_of(request: Request, question: str, visit: Visit) -> dict[str, Any]:
    """The values of a question's parameters, from the URL. Raises NotFoundError and BadRequestError."""
    if question not in QUESTIONS:
        raise NotFoundError(f"There is no question {question!r} here.")
    kinds = {name: one.kind for name, one in parameters_of(question).items() if name not in _GIVEN}
    require_known(request, ["user", "hidden", *kinds])
    asked = {name: value_of(name, kinds[name], text) for name, text in request.query_params.items() if name in kinds}
    try:
        return dict(bound(question, visit.complete(question, asked)))
    except TypeError as error:  # a parameter is missing
        raise BadRequestError(f"{error}.") from None


# What the visit says, not the URL.
_GIVEN = ("user_id", "today", "hidden", "unknown_days")


def value_of(name: str, kind: str, text: str) -> Any:
    """A parameter's value, from the URL's text and its type in SQL. Raises BadRequestError."""
    readers: Mapping[str, Callable[[str], Any]] = {
        "DATE": day_of,
        "DATETIME": _datetime,
        "TIMESTAMP": instant_of,
        "INT64": _number,
        "STRING": str,
        "ARRAY<STRING>": lambda text: tuple(text.split(",")),
    }
    try:
        return readers[kind](text)
    except ValueError as error:
        raise BadRequestError(f"{name}: {error}.") from None


def _datetime(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write it as 2026-11-28T14:02:00") from None
    return when.replace(tzinfo=None)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    raise ValueError(f"{text!r} is not a whole number from 1 to {MOST_ROWS:,}")


def with_values(sql: str, values: Mapping[str, Any]) -> str:
    """BigQuery SQL in which literals stand for parameters, so that it can be pasted where there are none."""
    lines = []
    for line in sql.splitlines():
        code, dashes, comment = line.partition("--")
        lines.append(_PARAMETER.sub(lambda found: _literal(values, found), code) + dashes + comment)
    return "\n".join(lines) + "\n"


def _literal(values: Mapping[str, Any], found: re.Match[str]) -> str:
    return literal(values[found[1]]) if found[1] in values else found[0]


def literal(value: Any) -> str:
    """A value as BigQuery writes it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int():
            return str(value)
        case datetime() if value.tzinfo:
            return f"TIMESTAMP '{value.isoformat()}'"
        case datetime():
            return f"DATETIME '{value.isoformat()}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case list() | tuple():
            return f"[{', '.join(literal(item) for item in value)}]"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{text}'"
