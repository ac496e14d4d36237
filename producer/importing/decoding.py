"""From a file's bytes to its rows: a JSON array of objects, in whatever Unicode encoding an editor may have left it.

Rows are parsed some megabytes at a time, so that it needs no more memory than that, however long a file is.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

# How much of a file tells whether it is of interest.
HEAD_BYTES = 2**16
# Parsed at once; several times that where rows are longer than any that Spotify writes.
BATCH_BYTES = 2**20
_LONGER = 4
# A play a minute for a lifetime is less.
MOST_ROWS = 5_000_000
_MARK = "\ufeff"
# The bytes of a character in UTF-8 but its first.
_CONTINUING = bytes(range(0x80, 0xC0))
_NOT_ASCII = bytes(range(0x80, 0x100))
# Between two rows; in a title too, so that it is only tried.
_BETWEEN = re.compile(rb"\}\s*,\s*$")
_TRIES, _LOOKS = 8, 1_000
# What every row of listening history has, of music or not, extended or not.
_FIELD = re.compile(r'"(ms_played|msPlayed)"\s*:')
_ROWS = re.compile(r"\s*\[\s*\{")
# An escape in JSON: a whole pair of surrogates, a single surrogate (the group), or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class DecodingError(Exception):
    """Why bytes are no rows: what follows a file's name in a sentence."""


class OtherContentError(DecodingError):
    """They are something else altogether."""


def has_history(head: bytes) -> bool:
    """Whether a file that begins so looks like rows of listening history, in JSON or in something like it."""
    return bool(_FIELD.search(_text(head)))


def has_rows(head: bytes) -> bool:
    """Whether a file that begins so looks like an array of objects."""
    return bool(_ROWS.match(_text(head)))


def decode(reopened: Callable[[], Iterable[bytes]], batch_bytes: int = BATCH_BYTES) -> Iterator[tuple[list[Any], int]]:
    """The rows of a file, some at a time, and the bytes that they took, as UTF-8.

    ``reopened`` gives the file in chunks, from its beginning. A surrogate without the other half of its pair, as a
    title that was cut in two has it, becomes U+FFFD. Raises DecodingError, for bad JSON with the place; what came
    before may have been given by then.
    """
    source = _to_utf8(iter(reopened()))
    at, rest = _opened(source)
    wanted, count, is_end = batch_bytes, 0, False
    while not is_end:
        rest, is_end = _filled(source, rest, wanted)
        try:
            if is_end:
                rows, taken = _loads(b"[" + rest), len(rest)
            elif found := _first(rest):
                rows, taken = found
            elif wanted < _LONGER * batch_bytes:
                wanted *= 2
                continue
            else:
                _loads(b"[" + rest.rstrip(_NOT_ASCII))  # no half of a character
                raise DecodingError("is not valid JSON: there is more behind the rows")
        except _BrokenError as error:
            if isinstance(error, _CutError) and not is_end:
                raise DecodingError(f"is not listening history: a row has more than {wanted:,} bytes") from None
            raise DecodingError(error.told(*_place(reopened(), at))) from None
        count += len(rows)
        if count > MOST_ROWS:
            raise DecodingError(f"is not listening history: it has more than {MOST_ROWS:,} rows")
        yield rows, taken
        at, rest, wanted = at + taken, rest[taken:], batch_bytes


class _BrokenError(Exception):
    """Bytes behind a bracket that are no rows, as they stand; line and column in them, counted from 1."""

    def __init__(self, what: str, line: int, column: int, hint: str) -> None:
        super().__init__(what)
        self.what, self.line, self.column, self.hint = what, line, column, hint

    def told(self, line: int, column: int) -> str:
        """In words, if what is behind the bracket begins at this line and column of a file."""
        if self.line == 1:
            column += self.column - 2
        else:
            column = self.column
        return f"{self.what} at line {line + self.line - 1}, column {column}{self.hint}"


class _CutError(_BrokenError):
    """What is there is right, and more should come."""


class _EncodingError(_BrokenError):
    """It is not UTF-8, wherever it is cut."""


def _place(chunks: Iterable[bytes], at: int) -> tuple[int, int]:
    """Line and column after so many bytes of UTF-8, counted from 1."""
    line, column = 1, 1
    for chunk in _to_utf8(iter(chunks)):
        part = chunk[:at]
        last = part.rpartition(b"\n")[2]
        column = _length(last) + (column if len(last) == len(part) else 1)
        line += part.count(b"\n")
        at -= len(part)
        if not at:
            break
    return line, column


def _length(utf8: bytes) -> int:
    """In characters, also where one was cut."""
    return len(utf8.translate(None, _CONTINUING))


def _opened(source: Iterator[bytes]) -> tuple[int, bytes]:
    """Where the opening bracket ends, and what comes after it. What cannot be rows is not read any further."""
    head = b""
    for chunk in source:
        head += chunk
        if head.strip() or len(head) > _LONGER * BATCH_BYTES:
            break
    begin = head.lstrip()
    match begin[:1]:
        case b"[":
            return len(head) - len(begin) + 1, begin[1:]
        case b"{":
            raise OtherContentError("is JSON, but not listening history")
        case b"":
            raise DecodingError("is empty; download the export again, or leave this file out")
        case _:
            raise OtherContentError("is not JSON")


def _filled(source: Iterator[bytes], rest: bytes, wanted: int) -> tuple[bytes, bool]:
    """So many bytes at least, and whether the file ends with them."""
    parts, size = [rest], len(rest)
    while size < wanted:
        chunk = next(source, None)
        if chunk is None:
            return b"".join(parts), True
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts), False


def _first(rest: bytes) -> tuple[list[Any], int] | None:
    """The rows before the last comma that is between two, and the bytes up to there, with the comma."""
    for comma in islice(_commas(rest), _TRIES):
        try:
            return _loads(b"[" + rest[:comma] + b"]"), comma + 1
        except _EncodingError:
            raise
        except _BrokenError:
            continue  # it was in a title; or what is wrong here will be found in the end
    return None


def _commas(rest: bytes) -> Iterator[int]:
    """Those that may be between two rows, the last first."""
    start = len(rest)
    for _ in range(_LOOKS):
        start = max(0, rest.rfind(b"{", 0, start))
        if between := _BETWEEN.search(rest, max(0, start - 100), start):
            yield rest.index(b",", between.start())


def _loads(utf8: bytes) -> list[Any]:
    try:
        try:
            rows = orjson.loads(utf8)
        except orjson.JSONDecodeError:
            rows = orjson.loads(_without_lone_surrogates(utf8))
    except orjson.JSONDecodeError as error:
        is_cut = error.pos >= len(error.doc) - 1
        what = f"is {'cut short or damaged' if is_cut else 'not valid JSON'}: {error.msg}"
        kind = _CutError if is_cut else _BrokenError
        raise kind(what, error.lineno, error.colno, "; unpack or download it again") from None
    assert isinstance(rows, list)
    return rows


def _text(head: bytes) -> str:
    return head.decode(json.detect_encoding(head), "replace").removeprefix(_MARK)


def _to_utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    encoding = json.detect_encoding(first[:4])
    if encoding.startswith("utf-8"):
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from chunks
    else:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        yield decoder.decode(first).removeprefix(_MARK).encode()
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()


def _without_lone_surrogates(utf8: bytes) -> bytes:
    """The same with U+FFFD for each, written as an escape or not. Raises _BrokenError for what is not UTF-8."""
    try:
        utf8.decode()
    except UnicodeDecodeError:
        try:
            text = utf8.decode(errors="surrogatepass")
        except UnicodeDecodeError as error:
            before = utf8[: error.start]
            column = _length(before.rpartition(b"\n")[2]) + 1
            raise _EncodingError("is not in UTF-8", before.count(b"\n") + 1, column, _other_encoding(utf8)) from None
        # Halves that belong together become one character.
        utf8 = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], utf8)


def _other_encoding(data: bytes) -> str:
    """What to do about it."""
    try:
        orjson.loads(data.decode("cp1252"))
    except ValueError:
        return "; download the export again"
    return (
        ": an editor saved it in another encoding, most likely Windows-1252, also called ANSI; save it there as UTF-8, "
        "or take the file as Spotify sent it"
    )
