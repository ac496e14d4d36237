"""Files of the archive to columns: many files at once, and what is wrong with each."""

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import fastavro
import polars as pl

from pipelines.storage.archive import check_count, readable
from pipelines.storage.blocks import Blocks, blocks_of, joined
from pipelines.storage.encoding import COUNT
from pipelines.storage.files import StorageError
from pipelines.tables import play_schema, snapshot_schema

# Which of the files that were read a record is of, beside the columns of its schema.
FILE = "file"
# What files hold that hold no kind of snapshots.
PLAY = "play"


class Decoded(NamedTuple):
    """The records of some files, with their file's number in the column FILE, and by number why one cannot be read."""

    records: pl.DataFrame
    troubles: Mapping[int, str]


def read_all(files: Sequence[tuple[str, bytes]], kind: str = PLAY) -> Decoded:
    """The plays, or snapshots of a kind, of files (path and bytes), in one piece of memory: cut in pieces, everything
    done to them takes longer.

    Files of one form are joined before they are decoded. Where that fails each is decoded alone, to see which it was.
    """
    alone, forms = [], dict[Any, list[tuple[int, Blocks]]]()
    for number, (_, data) in enumerate(files):
        blocks = blocks_of(data)
        if blocks is None or blocks.about.get(COUNT) not in (None, b"%d" % blocks.records):
            alone.append(number)
        elif blocks.records:
            forms.setdefault(blocks.form, []).append((number, blocks))
    frames, troubles = [none_of(kind).with_columns(_file(0))], dict[int, str]()
    for group in forms.values():
        try:
            records = _decode(joined(blocks for _, blocks in group), kind)
            counts = pl.DataFrame([(number, blocks.records) for number, blocks in group], orient="row")
            numbers = counts.select(pl.col("column_0").cast(pl.UInt32).repeat_by("column_1").explode()).to_series()
            frames.append(records.with_columns(numbers.alias(FILE)))
        except (ValueError, pl.exceptions.PolarsError):
            alone += [number for number, _ in group]
    for number in alone:
        try:
            frames.append(read_file(*files[number], kind).with_columns(_file(number)))
        except StorageError as error:
            troubles[number] = str(error)
    return Decoded(pl.concat(frames, rechunk=True), troubles)


def read_file(path: str, data: bytes, kind: str = PLAY) -> pl.DataFrame:
    """The records of an archive file, in the columns of their schema. Raises StorageError for a broken file."""
    with readable(path):
        is_empty = next(fastavro.block_reader(io.BytesIO(data)), None) is None
        # To Polars a file without a block is broken.
        records = none_of(kind) if is_empty else _decode_somehow(data, kind)
    check_count(path, data, records.height)
    return records


def none_of(kind: str = PLAY) -> pl.DataFrame:
    """What ``read_file`` gives for a file of none."""
    return pl.DataFrame(schema=_columns(kind))


def _file(number: int) -> pl.Expr:
    return pl.lit(number, pl.UInt32).alias(FILE)


def _decode_somehow(data: bytes, kind: str) -> pl.DataFrame:
    """By fastavro, a tenth as fast, what Polars does not know: other codecs, types that Avro resolves."""
    try:
        return _decode(data, kind)
    except (ValueError, pl.exceptions.PolarsError):
        with suppress(Exception):
            records: Any = fastavro.reader(io.BytesIO(data), reader_schema=_parsed(kind))
            return pl.DataFrame(list(records), schema=_columns(kind))
        raise


def _decode(data: bytes, kind: str) -> pl.DataFrame:
    """Raises ValueError or one of Polars' errors."""
    try:
        records = pl.read_avro(io.BytesIO(data))
    except (pl.exceptions.PanicException, OSError) as error:  # to Rust that some bytes can't be is a bug, no Exception
        raise ValueError(str(error)) from None
    for field in _schema(kind)["fields"]:
        if field["name"] not in records.columns and "default" not in field:
            raise ValueError(f"it has no {field['name']}")
    return records.select(
        pl.col(name).cast(type_) if name in records.columns else pl.lit(None, type_).alias(name)
        for name, type_ in _columns(kind).items()
    )


def _schema(kind: str) -> dict[str, Any]:
    return play_schema() if kind == PLAY else snapshot_schema(kind)


@cache
def _parsed(kind: str) -> Any:
    return fastavro.parse_schema(_schema(kind))


@cache
def _columns(kind: str) -> dict[str, pl.DataType]:
    """The types of a schema's fields."""
    return {field["name"]: _type(field["type"]) for field in _schema(kind)["fields"]}


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
        case "double":
            return pl.Float64()
        case _:
            return pl.String()  # enums too
