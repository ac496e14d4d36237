"""Files of the archive to columns: many files at once, and what is wrong with each."""

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import fastavro
import polars as pl

from pipelines.storage.archive import check_count, readable, schema_of
from pipelines.storage.blocks import Blocks, blocks_of, joined
from pipelines.storage.encoding import COUNT
from pipelines.storage.files import StorageError
from pipelines.tables import play_schema

# Which of the files that were read a play is of, beside the columns of ``play.avsc``.
FILE = "file"


class Decoded(NamedTuple):
    """The plays of some files, with their file's number in the column FILE, and by number why a file cannot be read."""

    plays: pl.DataFrame
    troubles: Mapping[int, str]


def read_all(files: Sequence[tuple[str, bytes]]) -> Decoded:
    """The plays of files (path and bytes), in one piece of memory: cut in pieces, everything done to them takes longer.

    Files of one form are joined before they are decoded. Where that fails each is decoded alone, to see which it was.
    """
    alone, forms = [], dict[Any, list[tuple[int, Blocks]]]()
    for number, (_, data) in enumerate(files):
        blocks = blocks_of(data)
        if blocks is None or blocks.about.get(COUNT) not in (None, b"%d" % blocks.records):
            alone.append(number)
        elif blocks.records:
            forms.setdefault(blocks.form, []).append((number, blocks))
    frames, troubles = [no_plays().with_columns(_file(0))], dict[int, str]()
    for group in forms.values():
        try:
            plays = _decode(joined(blocks for _, blocks in group))
            counts = pl.DataFrame([(number, blocks.records) for number, blocks in group], orient="row")
            numbers = counts.select(pl.col("column_0").cast(pl.UInt32).repeat_by("column_1").explode()).to_series()
            frames.append(plays.with_columns(numbers.alias(FILE)))
        except (ValueError, pl.exceptions.PolarsError):
            alone += [number for number, _ in group]
    for number in alone:
        try:
            frames.append(read_plays(*files[number]).with_columns(_file(number)))
        except StorageError as error:
            troubles[number] = str(error)
    return Decoded(pl.concat(frames, rechunk=True), troubles)


def read_plays(path: str, data: bytes) -> pl.DataFrame:
    """The plays of an archive file, in the columns of ``play.avsc``. Raises StorageError for a broken file."""
    with readable(path):
        is_empty = next(fastavro.block_reader(io.BytesIO(data)), None) is None
        plays = no_plays() if is_empty else _decode_somehow(data)  # to Polars a file without a block is broken
    check_count(path, data, plays.height)
    return plays


def no_plays() -> pl.DataFrame:
    """What ``read_plays`` gives for a file of none."""
    return pl.DataFrame(schema=_columns())


def _file(number: int) -> pl.Expr:
    return pl.lit(number, pl.UInt32).alias(FILE)


def _decode_somehow(data: bytes) -> pl.DataFrame:
    """By fastavro, a tenth as fast, what Polars does not know: other codecs, types that Avro resolves."""
    try:
        return _decode(data)
    except (ValueError, pl.exceptions.PolarsError):
        with suppress(Exception):
            records: Any = fastavro.reader(io.BytesIO(data), reader_schema=schema_of())
            return pl.DataFrame(list(records), schema=_columns())
        raise


def _decode(data: bytes) -> pl.DataFrame:
    """Raises ValueError or one of Polars' errors."""
    try:
        plays = pl.read_avro(io.BytesIO(data))
    except (pl.exceptions.PanicException, OSError) as error:  # to Rust that some bytes can't be is a bug, no Exception
        raise ValueError(str(error)) from None
    for field in play_schema()["fields"]:
        if field["name"] not in plays.columns and "default" not in field:
            raise ValueError(f"it has no {field['name']}")
    return plays.select(
        pl.col(name).cast(kind) if name in plays.columns else pl.lit(None, kind).alias(name)
        for name, kind in _columns().items()
    )


@cache
def _columns() -> dict[str, pl.DataType]:
    """The types of ``play.avsc``."""
    return {field["name"]: _type(field["type"]) for field in play_schema()["fields"]}


def _type(avro: Any) -> pl.DataType:
    match avro:
        case ["null", kind]:
            return _type(kind)
        case {"logicalType": "timestamp-millis"}:
            return pl.Datetime("ms", "UTC")
        case {"type": "array", "items": {"fields": fields}}:
            return pl.List(pl.Struct({field["name"]: _type(field["type"]) for field in fields}))
        case "long":
            return pl.Int64()
        case "boolean":
            return pl.Boolean()
        case _:
            return pl.String()  # enums too
