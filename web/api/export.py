"""``/export``: every play of a listener with all that is known of it, month by month, so that memory is a month's."""

import io
from collections.abc import Callable, Iterator
from datetime import date
from typing import IO, Annotated, Any, Literal, cast
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from pipelines.querying.show import show
from pipelines.tables import play_schema
from web.api.answering import PREFIX, documented
from web.api.asked import Listening
from web.api.query import CSV, PARQUET
from web.routing import StrictRoute

router = APIRouter(prefix=PREFIX, route_class=StrictRoute, tags=["Export"])
Format = Annotated[Literal["csv", "jsonl", "parquet", "avro"], Query(description="Avro has the archive's own schema.")]
Months = Iterator[pa.Table]
_AVRO, _LINES = "application/vnd.apache.avro", "application/jsonl; charset=utf-8"


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses=documented(300, 404, 503, content={"text/csv": {}, "application/jsonl": {}, PARQUET: {}, _AVRO: {}}),
    summary="All plays",
)
def export(there: Listening, format: Format = "csv") -> StreamingResponse:  # noqa: A002
    """Every play, the oldest first, nothing hidden: as CSV, lines of JSON, Parquet or Avro.

    It is sent as it is read. Where it ends early the connection breaks, so that half an export is none.
    """
    write, kind = _FORMATS[format]
    months: list[date] = [row["month"] for row in there.ask("months")]
    tables = (there.asker.fresh("plays_of_month", user_id=there.user_id, month=month) for month in months)
    name = quote(f"plays-{there.user_id}.{format}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "private, no-store"}
    return StreamingResponse(write(tables), media_type=kind, headers=headers)


def as_csv(tables: Months) -> Iterator[bytes]:
    """RFC 4180 with a shell's line ends; lists are JSON."""
    for number, table in enumerate(tables):
        lines = show(table, "csv")
        if number:
            next(lines)
        yield "".join(lines).encode()


def as_lines(tables: Months) -> Iterator[bytes]:
    """A play's JSON in each line."""
    options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    for table in tables:
        yield b"".join(orjson.dumps(row, option=options) for row in table.to_pylist())


def as_parquet(tables: Months) -> Iterator[bytes]:
    """A row group a month."""
    out, writer = _Pieces(), None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(pa.PythonFile(out, mode="w"), table.schema)
        writer.write_table(table)
        yield out.taken()
    if writer:
        writer.close()
    yield out.taken()


def as_avro(tables: Months) -> Iterator[bytes]:
    """Blocks of a month each, in the schema of the archive's files."""
    from fastavro.write import Writer

    out = _Pieces()
    writer = Writer(cast("IO[bytes]", out), play_schema(), codec="deflate")
    for table in tables:
        for row in table.to_pylist():
            writer.write(row)
        writer.flush()
        yield out.taken()
    yield out.taken()


class _Pieces(io.RawIOBase):
    """A file that is only written, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        """What came since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


_FORMATS: dict[str, tuple[Callable[[Months], Iterator[bytes]], str]] = {
    "csv": (as_csv, CSV),
    "jsonl": (as_lines, _LINES),
    "parquet": (as_parquet, PARQUET),
    "avro": (as_avro, _AVRO),
}
