"""Scanning: whatever an archive holds, and whoever wrote it, it says of each play what a general reader says."""

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.instants import to_millis
from pipelines.domain.play import SOURCE_RANK, Artist, Play
from pipelines.storage import scanning
from pipelines.storage.encoding import encode
from pipelines.storage.files import StorageError
from pipelines.storage.scanning import Scanned, ScannedTrack, Scanner
from pipelines.tables import play_schema
from tests.builders import play, plays
from tests.storage.test_encoding import ANY_PLAY


def told(one: Play) -> Scanned:
    track = ScannedTrack(one.track_id, one.track_name, one.artists[0].name if one.artists else "")
    ingested_at = to_millis(one.ingested_at)
    return Scanned(one.user_id, to_millis(one.played_at), track, one.ms_played, SOURCE_RANK[one.source], ingested_at)


def scan(data: bytes) -> list[Scanned]:
    return list(Scanner().plays("a file", data))


def written_by_fastavro(some: Sequence[Play], schema: dict[str, Any], codec: str = "deflate") -> bytes:
    file = io.BytesIO()
    names = {field["name"] for field in schema["fields"]}
    known = {"mood": "calm", "stars": 5, "loved": True, "weight": 1.5}
    records = [{name: value for name, value in (one.to_record() | known).items() if name in names} for one in some]
    fastavro.writer(
        file, fastavro.parse_schema(schema), records, codec=codec, metadata={"heavy_rotation.plays": str(len(some))}
    )
    return file.getvalue()


def without_field(name: str) -> dict[str, Any]:
    schema = play_schema()
    return schema | {"fields": [field for field in schema["fields"] if field["name"] != name]}


def with_fields(*fields: tuple[str, str]) -> dict[str, Any]:
    added = [{"name": name, "type": ["null", kind], "default": None} for name, kind in fields]
    return play_schema() | {"fields": play_schema()["fields"] + added}


SCHEMAS = {
    "today's": play_schema(),
    "of 2026-11-21": without_field("album_artist_name"),
    "of a newer version": with_fields(("mood", "string"), ("stars", "long"), ("loved", "boolean")),
    "of a newer version with a type of its own": with_fields(("weight", "double")),
    "of another order": play_schema() | {"fields": play_schema()["fields"][::-1]},
    "without a field in the middle": without_field("isrc"),
}


@settings(deadline=None)
@given(st.lists(ANY_PLAY, max_size=5))
def test_it_says_of_any_play_what_the_play_says(some: list[Play]) -> None:
    # Each twice: the second time what the first has in common with it is known.
    assert scan(encode(some + some)) == [*map(told, some), *map(told, some)]


@pytest.mark.parametrize("codec", ["deflate", "null", "bzip2"])
@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_of_another_version_or_program(name: str, codec: str) -> None:
    some = [*plays("abc"), play(ms_played=2**40, isrc="i", artists=(), explicit=True), play("2003-01-01T00:00:00Z")]
    assert scan(written_by_fastavro(some, SCHEMAS[name], codec)) == list(map(told, some))


@pytest.mark.parametrize("name", list(SCHEMAS)[:3])
def test_files_of_our_versions_are_not_read_field_by_field(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "fields_of", None)
    assert len(scan(written_by_fastavro(plays("abc"), SCHEMAS[name]))) == 3


def test_long_ids_and_many_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MOST_TRACKS", 3)
    some = [play(track=f"{number % 7}" * 100, artists=(Artist("A"),) * 70) for number in range(50)]
    assert scan(encode(some)) == list(map(told, some))


def test_one_id_under_changing_names() -> None:
    some = [play(track="t", track_name=name) for name in ("one", "one", "other", "one", "")]
    assert scan(encode(some)) == list(map(told, some))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: data[:0],
    "not Avro": lambda data: b"PK" + data,
    "cut in the header": lambda data: data[:100],
    "cut in a block": lambda data: data[: len(data) // 2],
    "cut by a byte": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\0",
    "a mark that is none": lambda data: data[:-3] + b"abc",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_file_is_named(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(StorageError, match=r"a file cannot be read \(.+\); restore it from a copy"):
        scan(damage(encode(plays("abc" * 3_000))))


def test_a_file_that_is_cut_at_the_end_of_a_block_is_not_complete() -> None:
    data = encode(plays("abc" * 3_000))
    *_, last = fastavro.block_reader(io.BytesIO(data))
    with pytest.raises(StorageError, match="of its 9000 records are left"):
        scan(data[: last.offset])


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_whatever_is_wrong_with_a_byte_ends_with_plays_or_with_a_sentence(place: int, byte: int) -> None:
    data = bytearray(written_by_fastavro(plays("abca"), play_schema(), "null"))
    data[place % len(data)] = byte
    with suppress(StorageError):
        scan(bytes(data))
