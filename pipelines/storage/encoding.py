"""From plays and snapshots to the bytes of an Avro file, as their schemas have them: the archive's own writer.

Each field's encoder is chosen once, by its type in the schema, where a general library asks for it at every value:
that takes five times as long. Whatever reads Avro reads the result, and the tests read it by such a library.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from secrets import token_bytes
from typing import Any

from pipelines.domain.instants import to_millis
from pipelines.domain.play import Artist, Play
from pipelines.domain.snapshots import Snapshot
from pipelines.tables import play_schema, snapshot_schema

# Avro files do not say how many records they hold: one cut at the end of a block would read as complete. Snapshots are
# counted under the name that plays gave it.
COUNT = "heavy_rotation.plays"
# Before compressing. Deflate looks back 32 KB, so that larger blocks are smaller files: a quarter, beside 16 KB.
_BLOCK_BYTES = 2**18
_NULL, _THERE = b"\x00", b"\x02"
# The same names come again and again, within a file and from file to file.
_TEXTS = 2**12
_SMALL = [bytes([number]) for number in range(0x80)]

Encoder = Callable[[Any], bytes]


def encode(plays: Sequence[Play]) -> bytes:
    """The bytes of an Avro file with these plays."""
    return file_of([record_of(play) for play in plays])


def record_of(play: Play) -> bytes:
    """The bytes of a play in a file, between others."""
    values = _values(play)
    parts = *values[:_TRACK_BEGINS], values[_TRACK_BEGINS:_TRACK_ENDS], *values[_TRACK_ENDS:]
    return b"".join([encoder(part) for encoder, part in zip(_PARTS, parts, strict=True)])


@lru_cache(_TEXTS)
def _of_track(values: tuple[Any, ...]) -> bytes:
    """What is the same for all plays of a track, or nearly: half of a record, and encoded once for many."""
    return b"".join(
        [encoder(value) for encoder, value in zip(_ENCODERS[_TRACK_BEGINS:_TRACK_ENDS], values, strict=True)]
    )


def pieces_of(play: Play, *left_open: str) -> tuple[bytes, ...]:
    """The bytes of a play around some of its fields, given in the schema's order, whose own bytes are left out.

    For plays that differ in these alone: ``encoded`` gives what belongs in between.
    """
    pieces: list[list[bytes]] = [[]]
    for name, encoder, value in zip(_NAMES, _ENCODERS, _values(play), strict=True):
        if name in left_open:
            pieces.append([])
        else:
            pieces[-1].append(encoder(value))
    return tuple(map(b"".join, pieces))


def file_of(records: Sequence[bytes]) -> bytes:
    """The bytes of an Avro file with these records of plays, compressed."""
    return _file_of(_SCHEMA_TEXT, records)


def encode_snapshots(kind: str, snapshots: Sequence[Snapshot]) -> bytes:
    """The bytes of an Avro file with these snapshots, all of one kind."""
    schema = snapshot_schema(kind)
    encode_record = _snapshot_encoder(kind)
    return _file_of(json.dumps(schema), [encode_record(snapshot) for snapshot in snapshots])


@cache
def _snapshot_encoder(kind: str) -> Encoder:
    return _record_encoder(snapshot_schema(kind))


def _file_of(schema_text: str, records: Sequence[bytes]) -> bytes:
    sync = token_bytes(16)
    about = {"avro.codec": "deflate", "avro.schema": schema_text, COUNT: str(len(records))}
    parts = [b"Obj\x01", _map_of(about), sync]
    for block in _blocks(records):
        data = b"".join(block)
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(data) + packer.flush()
        parts += [long(len(block)), long(len(packed)), packed, sync]
    return b"".join(parts)


def _blocks(records: Iterable[bytes]) -> Iterable[list[bytes]]:
    block: list[bytes] = []
    size = 0
    for record in records:
        block.append(record)
        size += len(record)
        if size >= _BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _map_of(texts: dict[str, str]) -> bytes:
    return b"".join([long(len(texts)), *(text(part) for pair in texts.items() for part in pair), _NULL])


def long(number: int) -> bytes:
    """Seven bits a byte, the lowest first, the sign last of all. Raises OverflowError for more than 64 bits."""
    rest = number << 1 if number >= 0 else ~(number << 1)
    if rest < 0x80:
        return _SMALL[rest]
    if rest < 0x4000:
        return bytes((rest & 0x7F | 0x80, rest >> 7))
    if rest < 0x1000_0000:
        return _more(rest)
    # An instant: what is above 37 hours is mostly what it was for the play before.
    low = rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14 & 0x7F | 0x80, rest >> 21 & 0x7F | 0x80
    return bytes(low) + _above(rest >> 28)


def _more(rest: int) -> bytes:
    if rest >= 1 << 64:
        raise OverflowError("a number does not fit in 64 bits")
    found = bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


@lru_cache(1_000)
def _above(rest: int) -> bytes:
    if rest >= 1 << 36:
        raise OverflowError("a number does not fit in 64 bits")
    return _more(rest)


@lru_cache(_TEXTS)
def text(value: str) -> bytes:
    """Its bytes in UTF-8, behind their number."""
    data = value.encode()
    return long(len(data)) + data


def optional_long(value: int | None) -> bytes:
    """A number, or that there is none."""
    return _NULL if value is None else _THERE + long(value)


@lru_cache(_TEXTS)
def _optional_text(value: str | None) -> bytes:
    return _NULL if value is None else _THERE + text(value)


def _optional_flag(value: bool | None) -> bytes:
    return _NULL if value is None else b"\x02\x01" if value else b"\x02\x00"


def _flag(value: bool) -> bytes:
    return b"\x01" if value else _NULL


def _optional_double(value: float | None) -> bytes:
    return _NULL if value is None else _THERE + struct.pack("<d", value)


def _instant(value: datetime) -> bytes:
    return long(to_millis(value))


def _optional_instant(value: datetime | None) -> bytes:
    return _NULL if value is None else _THERE + _instant(value)


def _artists(value: Sequence[Artist]) -> bytes:
    if not value:
        return _NULL
    parts = [part for artist in value for part in (_optional_text(artist.id), text(artist.name))]
    return b"".join([long(len(value)), *parts, _NULL])


_PLAIN: dict[str, Encoder] = {"string": text, "long": long, "boolean": _flag}
_OPTIONAL: dict[str, Encoder] = {
    "string": _optional_text,
    "long": optional_long,
    "boolean": _optional_flag,
    "double": _optional_double,
}


def _record_encoder(schema: Any) -> Encoder:
    """Of any object that has the schema's fields as attributes."""
    names = [field["name"] for field in schema["fields"]]
    encoders = [_encoder_of(field["type"]) for field in schema["fields"]]
    values = attrgetter(*names)
    return lambda item: b"".join([encoder(value) for encoder, value in zip(encoders, values(item), strict=True)])


def _list_encoder(encode_item: Encoder) -> Encoder:
    def encode_list(value: Sequence[Any]) -> bytes:
        return b"".join([long(len(value)), *map(encode_item, value), _NULL]) if value else _NULL

    return encode_list


def _encoder_of(kind: Any) -> Encoder:
    """The encoder of a field by its type in the schema. Raises KeyError for one that no field has had."""
    match kind:
        case ["null", {"logicalType": "timestamp-millis"}]:
            return _optional_instant
        case ["null", of]:
            return _OPTIONAL[of]
        case {"logicalType": "timestamp-millis"}:
            return _instant
        case {"type": "enum", "symbols": symbols}:
            return {symbol: long(number) for number, symbol in enumerate(symbols)}.__getitem__
        case {"type": "array", "items": {"name": "Artist"}}:
            return _artists
        case {"type": "array", "items": items}:
            return _list_encoder(_record_encoder(items))
    return _PLAIN[kind]


_SCHEMA_TEXT = json.dumps(play_schema())
_NAMES = tuple(field["name"] for field in play_schema()["fields"])
_ENCODERS = tuple(_encoder_of(field["type"]) for field in play_schema()["fields"])
_values = attrgetter(*_NAMES)
# Of the fields that stand together and are a track's.
_TRACK_BEGINS, _TRACK_ENDS = _NAMES.index("track_id"), _NAMES.index("album_image_url") + 1
_PARTS: tuple[Encoder, ...] = *_ENCODERS[:_TRACK_BEGINS], _of_track, *_ENCODERS[_TRACK_ENDS:]
