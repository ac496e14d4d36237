"""Bytes to rows: the same as the standard library's JSON, wherever a file is cut, and no error but ours."""

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from producer.importing import decoding
from producer.importing.containers import ExportError
from producer.importing.decoding import DecodingError, decode, has_history, has_rows
from producer.importing.finding import find
from tests.producer.exports import account, extended

# Titles that look like what is between two rows, and what JSON escapes.
_texts = st.text(max_size=8) | st.sampled_from(['"},{"', "}, {", "\\", "\\ud83d", "[", "]", "ñ", "𝄞", "\n"])
_values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _texts
_rows = st.lists(st.dictionaries(_texts, _values | st.lists(_values, max_size=2), max_size=4), max_size=12)


def decoded(data: bytes, chunk: int = 7, batch: int = 40) -> list[Any]:
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    return [row for rows, _ in decode(lambda: chunks, batch) for row in rows]


@settings(deadline=None, max_examples=300)
@given(_rows, st.integers(4, 50), st.integers(1, 400), st.sampled_from([None, 1]), st.booleans(), st.data())
def test_rows_are_those_of_the_standard_library_wherever_they_are_cut(
    rows: list[dict[str, Any]], chunk: int, batch: int, indent: int | None, is_ascii: bool, data: st.DataObject
) -> None:
    # A row is never longer than what is parsed at once.
    batch = max(batch, *(len(json.dumps(row, indent=indent)) + 8 for row in rows), 8)
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]))
    text = json.dumps(rows, indent=indent, ensure_ascii=is_ascii)
    assert decoded(text.encode(encoding), chunk, batch) == rows


@settings(deadline=None, max_examples=300)
@given(_rows.filter(bool), st.integers(0, 10**6), st.binary(max_size=3))
def test_damage_is_told_with_its_place_or_changes_a_row(rows: list[dict[str, Any]], at: int, by: bytes) -> None:
    text = json.dumps(rows).encode()
    at %= len(text)
    damaged = text[:at] + by + text[at + 1 :]
    try:
        expected = json.loads(damaged)
    except (ValueError, RecursionError):
        expected = None
    try:
        got = decoded(damaged, batch=10_000)
    except DecodingError:
        return
    assert expected is None or got == expected or b"\\u" in damaged


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\u0d8 1tsn', max_size=60).map(str.encode))
def test_no_bytes_whatever_raise_another_error(data: bytes) -> None:
    has_history(data)
    has_rows(data)
    for prefix in (b"", b"[", b'[{"ts":1},', b"\xff\xfe", b"\0["):
        try:
            rows = decoded(prefix + data)
        except DecodingError:
            continue
        assert isinstance(rows, list)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("batch", [200, 1_000, 100_000])
def test_the_place_of_an_error_is_that_in_the_whole_file(indent: int | None, batch: int) -> None:
    text = json.dumps([{"a": "ñ" * 20, "b": n} for n in range(50)], indent=indent, ensure_ascii=False)
    at = text.index('"b": 33') + 5
    broken = text[:at] + "x" + text[at + 2 :]
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(broken)
    with pytest.raises(DecodingError, match=f"at line {expected.value.lineno}, column {expected.value.colno};"):
        decoded(broken.encode(), batch=batch)


@pytest.mark.parametrize("batch", [200, 100_000])
def test_another_encoding_is_told_as_that_also_far_into_a_file(batch: int) -> None:
    text = json.dumps([{"a": "n", "b": n} for n in range(50)], indent=1).replace('"b": 33', '"b": "ñ"')
    line = text[: text.index("ñ")].count("\n") + 1
    with pytest.raises(DecodingError, match=f"is not in UTF-8 at line {line}, column 9: .* Windows-1252"):
        decoded(text.encode("cp1252"), batch=batch)


def test_rows_without_end_are_no_listening_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_ROWS", 20)
    assert len(decoded(json.dumps([{}] * 20).encode())) == 20
    with pytest.raises(DecodingError, match="it has more than 20 rows"):
        decoded(json.dumps([{}] * 21).encode())


_members = st.sampled_from(
    ["endsong_0.json", "a/StreamingHistory.json", "other.json", "Userdata.json", "a.zip", "../../endsong_1.json", "/x"]
)
_contents: st.SearchStrategy[bytes] = st.binary(max_size=60) | st.lists(
    st.sampled_from([extended(), account(), {"username": "u"}, {}, 1, None]), max_size=4
).map(lambda rows: json.dumps(rows).encode())


def _zip(members: list[tuple[str, bytes]], kind: int) -> bytes:
    data = io.BytesIO()
    with ZipFile(data, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name.replace("/x", "/x.json"), content)
    return data.getvalue()


_kinds = st.sampled_from([ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
_zips = st.builds(_zip, st.lists(st.tuples(_members, _contents), max_size=4, unique_by=lambda it: it[0]), _kinds)
_nested = st.builds(
    _zip, st.lists(st.tuples(_members, _contents | _zips), max_size=3, unique_by=lambda it: it[0]), _kinds
)


_one = _zip([("a.json", b"[]")], ZIP_STORED)


@example(_one, [(_one.rindex(b"a.json"), 0)])  # its member has an empty name then
@settings(deadline=None, max_examples=200)
@given(_nested, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4))
def test_no_zip_whatever_raises_another_error_or_leaves_a_file(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for at, by in changes:
        damaged[at % len(damaged)] = by
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.zip").write_bytes(damaged)
        for rows in _read(folder):
            assert isinstance(rows, list)
        assert [path.name for path in folder.rglob("*")] == ["a.zip"]


def _read(folder: Path) -> Iterator[list[Any]]:
    try:
        files = find([folder]).files
    except ExportError:
        return
    for file in files:
        with suppress(ExportError):
            for rows, _ in file.batches():
                yield rows
