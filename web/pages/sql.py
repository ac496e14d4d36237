"""``/sql``: a box for BigQuery SQL, what there is to ask beside it, and the answer as table, bars, line or file."""

import re
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from web.access.visitor import Scope, needs
from web.api.query import as_file, asked
from web.api.tables import described
from web.errors import BadRequestError
from web.pages.answers import Shown, shown
from web.pages.data import values_of, with_values
from web.rendering import page
from web.routing import StrictRoute, Whose
from web.running.apart import MOST_ROWS, BusyError
from web.visit import Visit, asker_of, visit

router = APIRouter(route_class=StrictRoute, dependencies=[Depends(needs(Scope.SQL))])
# A question has parameters of its own, which it refuses or knows.
figures = APIRouter(dependencies=[Depends(needs(Scope.SQL))])
# What a question's head says of its parameters, which have values here.
_OF_PARAMETERS = re.compile(r"^--(?:   @| Months:).*\n", re.MULTILINE)
_ROWS = 1_000
_LONGEST = 20_000
_EXAMPLE = re.compile(r"^-- (.+)\n((?:(?!-- ).*\n)*?.*);$", re.MULTILINE)
_FIRST = "SELECT * FROM {dataset}.plays ORDER BY played_at DESC LIMIT 100"
Shape = Literal["table", "bars", "line"]


class Wanted(BaseModel):
    """What the form sends; ``as`` is for a file."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(max_length=_LONGEST)
    show: Shape = "table"
    form: Literal["page", "csv", "json", "parquet"] = Field("page", alias="as")


@router.get("/sql")
def box(
    request: Request,
    sql: Annotated[str | None, Query(max_length=_LONGEST, description="What stands in the box; it is not run.")] = None,
    user: Whose = None,  # noqa: ARG001  of the links alone
) -> Response:
    """The box, with a query in it that nobody has run yet."""
    return _page(request, sql or _FIRST.format(dataset=asker_of(request).dataset))


@figures.get("/sql/{question}")
def box_of(request: Request, question: str, visit: Annotated[Visit, Depends(visit)]) -> Response:
    """The box with the query of a figure, whose parameters are the URL's."""
    values = values_of(request, question, visit)
    text = with_values(visit.asker.sql(question), values)
    return _page(request, _OF_PARAMETERS.sub("", text))


@router.post("/sql")
def answer(request: Request, wanted: Annotated[Wanted, Form()], user: Whose = None) -> Response:  # noqa: ARG001
    """The answer, on the page or as a file; on the page also why there is none."""
    if wanted.form != "page":
        body, kind = as_file(asked(request, wanted.sql, MOST_ROWS).table, wanted.form)
        name = {"Content-Disposition": f'attachment; filename="answer.{wanted.form}"'}
        return Response(body, media_type=kind, headers=name)
    try:
        found = shown(asked(request, wanted.sql, _ROWS), wanted.show)
    except BadRequestError as error:
        return _page(request, wanted.sql, wanted.show, refusal=str(error), status=400)
    except BusyError as error:
        return _page(request, wanted.sql, wanted.show, refusal=str(error), status=503)
    return _page(request, wanted.sql, wanted.show, found=found)


@cache
def examples() -> tuple[tuple[str, str], ...]:
    """Titles and queries to start from, over the dataset ``heavy_rotation``."""
    text = resources.files("web").joinpath("examples.sql").read_text(encoding="utf-8")
    return tuple((title, sql) for title, sql in _EXAMPLE.findall(text) if sql)


def _page(
    request: Request,
    sql: str,
    show: Shape = "table",
    *,
    found: Shown | None = None,
    refusal: str = "",
    status: int = 200,
) -> Response:
    dataset = asker_of(request).dataset
    return page(
        request,
        "sql.html",
        status,
        sql=sql,
        lines=min(max(sql.count("\n") + 2, 8), 24),
        show=show,
        found=found,
        refusal=refusal,
        longest=_LONGEST,
        dataset=dataset,
        tables=described(),
        examples=[(title, text.replace("heavy_rotation.", f"{dataset}.")) for title, text in examples()],
    )
