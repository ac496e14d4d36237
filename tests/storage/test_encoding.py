"""The archive's own writer: whatever a play says, a library that knows nothing of it reads the same."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.play import Artist, Play, Source, from_record
from pipelines.storage.encoding import encode, file_of, long, optional_long, pieces_of, record_of
from pipelines.tables import play_schema
from tests.builders import play, plays

_64_BITS = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(max_size=200)
_INSTANTS = st.integers(-(10**12), 4 * 10**12).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXTS,
    int: _64_BITS,
    bool: st.booleans(),
    datetime: _INSTANTS,
    Source: st.sampled_from(Source),
    tuple[Artist, ...]: st.lists(st.builds(Artist, _TEXTS, st.none() | _TEXTS), max_size=5).map(tuple),
}


def _values_of(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _VALUES:
        return _VALUES[kind]
    some, none = get_args(kind)
    assert none is type(None)
    return st.none() | _VALUES[some]


ANY_PLAY = st.builds(Play, **{name: _values_of(kind) for name, kind in get_type_hints(Play).items()})


def read(data: bytes) -> list[Play]:
    return [from_record(record) for record in fastavro.reader(io.BytesIO(data))]


@settings(deadline=None)
@given(st.lists(ANY_PLAY, max_size=4))
def test_what_is_encoded_is_read_by_fastavro_field_by_field(some: list[Play]) -> None:
    assert read(encode(some)) == some


@settings(deadline=None)
@given(ANY_PLAY, _INSTANTS, st.none() | _64_BITS)
def test_pieces_with_what_was_left_open_are_the_record(one: Play, instant: datetime, ms_played: int | None) -> None:
    first, second, third = pieces_of(one, "played_at", "ms_played")
    millis = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    values = {name: getattr(one, name) for name in get_type_hints(Play)}
    other = Play(**values | {"played_at": instant, "ms_played": ms_played})
    assert first + long(millis) + second + optional_long(ms_played) + third == record_of(other)


@given(_64_BITS)
def test_a_number_has_the_bytes_that_fastavro_gives_it(number: int) -> None:
    theirs = io.BytesIO()
    fastavro.schemaless_writer(theirs, {"type": "long"}, number)
    assert long(number) == theirs.getvalue()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**80])
def test_a_number_of_more_than_64_bits_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        long(number)


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode([play(track_name="\ud83d")])


def test_a_long_file_is_cut_into_blocks_which_hold_all_plays_in_their_order() -> None:
    some = plays("abcdefgh" * 500)
    data = encode(some)
    blocks: Any = fastavro.block_reader(io.BytesIO(data))
    sizes = [sum(1 for _ in block) for block in blocks]
    assert len(sizes) > 1
    assert min(sizes) > 1
    assert read(data) == some


def test_a_file_says_its_schema_its_codec_and_how_many_plays_it_has() -> None:
    metadata = fastavro.reader(io.BytesIO(encode(plays("ab")))).metadata
    assert json.loads(metadata["avro.schema"]) == play_schema()
    assert metadata["avro.codec"] == "deflate"
    assert metadata["heavy_rotation.plays"] == "2"


def test_two_files_of_one_play_have_marks_of_their_own() -> None:
    assert file_of([record_of(play())]) != file_of([record_of(play())])
