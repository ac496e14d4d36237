"""What one play is told from another by, of all plays of a file: an import asks it of all that the archive has.

A general reader makes an object of each field of each play. Here what a track's plays have in common, eleven fields, is
read once and then known by its bytes, and the rest is stepped over: a quarter of the time.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from pipelines.domain.instants import to_millis
from pipelines.domain.play import SOURCE_RANK, Source
from pipelines.storage.archive import fields_of, readable
from pipelines.storage.encoding import COUNT
from pipelines.tables import play_schema

_FIELDS = ("user_id", "played_at", "track_id", "track_name", "artists", "ms_played", "source", "ingested_at")
# What a file may know after these is stepped over by its type; before them it is an older or a newer version's.
_FIRST = play_schema()["fields"][: [field["name"] for field in play_schema()["fields"]].index("ingested_at") + 1]
# By the number that a file has for a source, which is its place in the schema.
_RANKS = list(SOURCE_RANK.values())
_MOST_TRACKS = 2**14
_MAGIC, _SYNC_BYTES = b"Obj\x01", 16
# The marks of a number's bytes that more of it follows: of an instant from 2004 to 2039, and of a play's length.
_MARKS_6, _MARKS_6_SET = 0x8080_8080_8080, 0x0080_8080_8080
_MARKS_3, _MARKS_3_SET = 0x80_80_80, 0x00_80_80


class ScannedTrack(NamedTuple):
    """A track by its id, its title, and the name of its main artist, empty where there is none."""

    id: str
    name: str
    artist: str


class Scanned(NamedTuple):
    """A play. Instants and durations are milliseconds, instants since 1970, UTC; ``rank`` is its source's."""

    user_id: str
    played_at: int
    track: ScannedTrack
    ms_played: int | None
    rank: int
    ingested_at: int


class Scanner:
    """Reads files one after the other, and remembers what their tracks look like."""

    def __init__(self) -> None:
        self._tracks: dict[bytes, tuple[bytes, ScannedTrack]] = {}

    def plays(self, path: str, data: bytes) -> Iterator[Scanned]:
        """The plays of a file's bytes, one at a time.

        Raises StorageError, possibly after the last play, for a file that is cut short or is not Avro.
        """
        with readable(path):
            about, place = _header(data)
            later = _fields_behind(about.get("avro.schema", b""))
        if later is None or about.get("avro.codec", b"null") not in _UNPACK:
            yield from _read_by_fastavro(path, data)
            return
        with readable(path):
            unpack, count = _UNPACK[about.get("avro.codec", b"null")], 0
            sync, place = data[place : place + _SYNC_BYTES], place + _SYNC_BYTES
            while place < len(data):
                plays, place = _long(data, place)
                size, place = _long(data, place)
                end = place + size
                if data[end : end + _SYNC_BYTES] != sync or plays < 0 or size < 0:
                    raise ValueError("it is damaged")
                yield from self._of_block(unpack(data[place:end]), plays, later)
                count += plays
                place = end + _SYNC_BYTES
            expected = int(about.get(COUNT, count))
            if count != expected:
                raise ValueError(f"{count} of its {expected} records are left")

    def _of_block(self, block: bytes, count: int, later: tuple[str, ...]) -> Iterator[Scanned]:
        place = 0
        user_id, user_bytes = "", _NOTHING
        ingested_at, ingested_bytes = 0, _NOTHING
        tracks = self._tracks
        for _ in range(count):
            if not block.startswith(user_bytes, place):
                user_id, end = _text(block, place)
                user_bytes = block[place:end]
            place += len(user_bytes)
            number = int.from_bytes(block[place : place + 6], "little")
            if number & _MARKS_6 == _MARKS_6_SET:
                played_at = (
                    (number & 0x7F)
                    | (number & 0x7F00) >> 1
                    | (number & 0x7F_0000) >> 2
                    | (number & 0x7F00_0000) >> 3
                    | (number & 0x7F_0000_0000) >> 4
                    | (number & 0x7F00_0000_0000) >> 5
                )
                played_at = -(played_at >> 1) - 1 if played_at & 1 else played_at >> 1
                place += 6
            else:
                played_at, place = _long(block, place)
            track_id = block[place : place + 1 + (block[place] >> 1)]
            track_bytes, track = tracks.get(track_id, _NO_TRACK)
            if not block.startswith(track_bytes, place):
                track, end = _track(block, place)
                track_bytes = block[place:end]
                if len(tracks) >= _MOST_TRACKS:
                    tracks.clear()
                tracks[track_id] = track_bytes, track
            place += len(track_bytes)
            ms_played: int | None = None
            number = int.from_bytes(block[place + 1 : place + 4], "little")
            if not block[place]:
                place += 1
            elif number & _MARKS_3 == _MARKS_3_SET and not number & 1:
                ms_played = (number & 0x7F | (number & 0x7F00) >> 1 | (number & 0x7F_0000) >> 2) >> 1
                place += 4
            else:
                ms_played, place = _long(block, place + 1)
            place += 2 if block[place] else 1  # skipped
            place = _behind_text(block, _behind_text(block, place))  # reason_start, reason_end
            rank = _RANKS[block[place] >> 1]
            place += 1
            if not block.startswith(ingested_bytes, place):
                ingested_at, end = _long(block, place)
                ingested_bytes = block[place:end]
            place += len(ingested_bytes)
            for kind in later:
                place = _BEHIND[kind](block, place)
            yield Scanned(user_id, played_at, track, ms_played, rank, ingested_at)
        if place != len(block):
            raise ValueError("it is damaged")


# No number has so many bytes, so that nothing begins like this.
_NOTHING = b"\xff" * 11
_NO_TRACK = _NOTHING, ScannedTrack("", "", "")
_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"deflate": lambda data: zlib.decompress(data, wbits=-zlib.MAX_WBITS),
    b"null": bytes,
}


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    """What a file says of itself, and where its mark between blocks begins."""
    if not data.startswith(_MAGIC):
        raise ValueError("it is not Avro")
    about: dict[str, bytes] = {}
    place = len(_MAGIC)
    while True:
        count, place = _long(data, place)
        if count < 0:
            count, (_, place) = -count, _long(data, place)
        if not count:
            return about, place
        for _ in range(count):
            name, place = _text(data, place)
            size, place = _size(data, place)
            about[name] = data[place : place + size]
            place += size


@cache
def _fields_behind(schema: bytes) -> tuple[str, ...] | None:
    """The types of the fields after ``ingested_at``, all optional; None where the file has others before them."""
    fields = json.loads(schema)["fields"]
    kinds = [_kind(field) for field in fields]
    if kinds[: len(_FIRST)] != [_kind(field) for field in _FIRST]:
        return None
    later = [kind for _, kind in kinds[len(_FIRST) :]]
    names = [kind[1] for kind in later if isinstance(kind, list) and len(kind) == 2 and kind[0] == "null"]
    return tuple(names) if len(names) == len(later) and all(name in _BEHIND for name in names) else None


def _kind(field: dict[str, Any]) -> tuple[str, Any]:
    """A field's name and type, without what says nothing of its bytes."""
    kind = field["type"]
    match kind:
        case {"type": "array", "items": {"fields": fields}}:
            kind = [_kind(each) for each in fields]
        case {"type": "enum", "symbols": symbols}:
            kind = symbols
        case {"type": name}:
            kind = name
    return field["name"], kind


def _long(data: bytes, place: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place
        shift += 7
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _size(data: bytes, place: int) -> tuple[int, int]:
    size, place = _long(data, place)
    if not 0 <= size <= len(data) - place:
        raise ValueError("it is damaged")
    return size, place


def _text(data: bytes, place: int) -> tuple[str, int]:
    size, place = _size(data, place)
    return data[place : place + size].decode(), place + size


def _behind_text(data: bytes, place: int) -> int:
    """Where an optional text ends."""
    if not data[place]:
        return place + 1
    size = data[place + 1]
    if size < 0x80:
        return place + 2 + (size >> 1)
    long_size, place = _size(data, place + 1)
    return place + long_size


def _behind_long(data: bytes, place: int) -> int:
    return _long(data, place + 1)[1] if data[place] else place + 1


def _behind_flag(data: bytes, place: int) -> int:
    return place + 2 if data[place] else place + 1


_BEHIND = {"string": _behind_text, "long": _behind_long, "boolean": _behind_flag}


def _track(data: bytes, place: int) -> tuple[ScannedTrack, int]:
    """The fields from ``track_id`` to ``context_uri``, and where they end."""
    track_id, place = _text(data, place)
    name, place = _text(data, place)
    place = _behind_flag(data, _behind_text(data, _behind_long(data, place)))  # duration_ms, isrc, explicit
    artists: list[str] = []
    while True:
        count, place = _long(data, place)
        if count < 0:
            count, (_, place) = -count, _long(data, place)
        if not count:
            break
        for _ in range(count):
            artist, place = _text(data, _behind_text(data, place))
            artists.append(artist)
    for _ in range(5):  # album_id, album_name, album_release_date, album_image_url, context_uri
        place = _behind_text(data, place)
    return ScannedTrack(track_id, name, artists[0] if artists else ""), place


def _read_by_fastavro(path: str, data: bytes) -> Iterator[Scanned]:
    for play in fields_of(path, data, _FIELDS):
        artist = play["artists"][0]["name"] if play["artists"] else ""
        yield Scanned(
            play["user_id"],
            to_millis(play["played_at"]),
            ScannedTrack(play["track_id"], play["track_name"], artist),
            play["ms_played"],
            SOURCE_RANK[Source(play["source"])],
            to_millis(play["ingested_at"]),
        )
