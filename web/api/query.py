"""``POST /query``: one SELECT in BigQuery SQL, within limits, refused in the engine's words."""

import json
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Depends, Request, Response

from pipelines.failure import Failure
from pipelines.querying.show import show
from web.access.visitor import Scope, Visitor, needs
from web.api import shapes
from web.api.answering import PREFIX, documented, json_answer
from web.errors import BadRequestError
from web.routing import StrictRoute
from web.running.answers import Answer
from web.running.apart import BusyError, Runner

router = APIRouter(prefix=PREFIX, route_class=StrictRoute, tags=["SQL"])
CSV, PARQUET = "text/csv; charset=utf-8", "application/vnd.apache.parquet"
_TYPES = {
    "string": "STRING", "large_string": "STRING", "binary": "BYTES", "large_binary": "BYTES", "bool": "BOOL",
    "date32[day]": "DATE", "null": "STRING",
}  # fmt: skip


@router.post(
    "/query",
    response_model=shapes.Answer,
    responses=documented(503, content={"text/csv": {}, PARQUET: {}}),
    summary="Ask in SQL",
)
def query(request: Request, question: shapes.Question, _: Annotated[Visitor, Depends(needs(Scope.SQL))]) -> Response:
    """The answer of one SELECT. It only reads, and may take so much time, memory and, in BigQuery, bytes, and no more.

    As CSV and Parquet the header X-Rows says how many rows the query gave, of which there are ``limit`` at most.
    """
    answer = asked(request, question.sql, question.limit)
    if question.format == "json":
        return json_answer(in_json(answer))
    body, kind = as_file(answer.table, question.format)
    return Response(body, media_type=kind, headers={"X-Rows": str(answer.rows)})


def asked(request: Request, sql: str, limit: int) -> Answer:
    """Run it. Raises BadRequestError in the engine's words, and BusyError."""
    runner: Runner = request.app.state.runner
    try:
        return runner.run(sql, limit)
    except BusyError:
        raise
    except Failure as error:
        raise BadRequestError(str(error)) from None


def in_json(answer: Answer) -> dict[str, Any]:
    """As documented."""
    columns = [
        {"name": field.name, "type": bigquery_type(field.type), "description": None} for field in answer.table.schema
    ]
    rows = json.loads("".join(show(answer.table, "json")))
    return {"columns": columns, "rows": rows, "rows_in_all": answer.rows, "is_cut": answer.is_cut}


def as_file(table: pa.Table, form: str) -> tuple[bytes, str]:
    """The rows as ``csv``, ``json`` or ``parquet``, and their media type."""
    if form == "parquet":
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        return buffer.getvalue().to_pybytes(), PARQUET
    text = "".join(show(table, form)).encode()
    return text, "application/json" if form == "json" else CSV


def bigquery_type(kind: pa.DataType) -> str:
    """An Arrow type in BigQuery's words."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"ARRAY<{bigquery_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"STRUCT<{', '.join(f'{field.name} {bigquery_type(field.type)}' for field in kind)}>"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if pa.types.is_integer(kind):
        return "INT64"
    if pa.types.is_floating(kind):
        return "FLOAT64"
    if pa.types.is_decimal(kind):
        return "NUMERIC"
    if pa.types.is_time(kind):
        return "TIME"
    return _TYPES.get(str(kind), str(kind).upper())
