"""Avro files joined by their blocks, and files that are not whole."""

import io
from typing import Any

import fastavro
import pytest

from pipelines.storage.blocks import blocks_of, joined

SCHEMA = fastavro.parse_schema(
    {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}, {"name": "text", "type": "string"}]}
)


def file_of(records: list[dict[str, Any]], codec: str = "deflate", **about: str) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, SCHEMA, records, codec=codec, metadata=about, sync_interval=100)
    return file.getvalue()


def records(first: int, count: int) -> list[dict[str, Any]]:
    return [{"n": (-1) ** n * n**5, "text": "é" * (n % 100)} for n in range(first, first + count)]


def read(data: bytes) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(data)))


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_files_of_one_form_joined_hold_the_records_of_all(codec: str) -> None:
    parts = [records(0, 1), [], records(1, 300), records(301, 7)]
    files = [blocks_of(file_of(some, codec)) for some in parts]
    assert [file and file.records for file in files] == [1, 0, 300, 7]
    whole = [file for file in files if file]
    assert len(whole[2].spans) > 3
    assert len({file.form for file in whole}) == 1
    assert read(joined(whole)) == records(0, 308)


def test_a_header_says_what_was_written_into_it() -> None:
    found = blocks_of(file_of(records(0, 3), "null", plays="3"))
    assert found
    assert found.about["plays"] == b"3"
    assert found.form != blocks_of(file_of(records(0, 3))).form  # type: ignore[union-attr]  # another codec


def test_a_file_that_is_cut_anywhere_but_behind_a_block_is_not_whole() -> None:
    data = file_of(records(0, 60))
    found = blocks_of(data)
    assert found
    ends = {found.begin, *(end + 16 for _, _, end in found.spans)}
    assert {cut for cut in range(len(data) + 1) if blocks_of(data[:cut])} == ends


def test_what_is_not_avro_or_has_another_mark_between_its_blocks_is_not_whole() -> None:
    data = file_of(records(0, 60))
    assert blocks_of(b"") is None
    assert blocks_of(b"not Avro") is None
    assert blocks_of(data[:-1] + bytes([data[-1] ^ 1])) is None
    assert blocks_of(data + b"\x00") is None
