"""From a file's bytes to its rows: JSON, in whatever Unicode encoding an editor may have left it."""

import json
import re
from typing import Any

import orjson

# An export's rows have some twenty values in 700 bytes, so the largest file that is read has no more. Of values that
# take two bytes each a file can hold as many as take all the memory.
MOST_VALUES = 8_000_000
HEAD_BYTES = 2**16
_MARK = "\ufeff"
# What every row of listening history has, of music or not, extended or not.
_FIELD = re.compile(r'"(ms_played|msPlayed)"\s*:')
_ROWS = re.compile(r"\s*\[\s*\{")
# An escape in JSON: a whole pair of surrogates, a single surrogate (the group), or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class DecodingError(Exception):
    """Why bytes are no rows: what follows a file's name in a sentence."""


def has_history(head: bytes) -> bool:
    """Whether a file that begins so looks like rows of listening history, in JSON or in something like it."""
    return bool(_FIELD.search(_text(head)))


def has_rows(head: bytes) -> bool:
    """Whether a file that begins so looks like an array of objects."""
    return bool(_ROWS.match(_text(head)))


def decode(data: bytes) -> list[Any]:
    """The rows. Raises DecodingError, for bad JSON with the place.

    A surrogate without the other half of its pair, as a title that was cut in two has it, becomes U+FFFD.
    """
    if not data.strip(b" \t\r\n\0"):
        raise DecodingError("is empty; download the export again, or leave this file out")
    utf8 = _to_utf8(data)
    # Looked at before the rest is parsed: of what cannot be rows, nothing has to fit into memory.
    match utf8[:HEAD_BYTES].lstrip()[:1]:
        case b"[":
            pass
        case b"{":
            raise DecodingError("is JSON, but not listening history")
        case _:
            raise DecodingError("is not JSON")
    if len(utf8) > MOST_VALUES and sum(map(utf8.count, (b",", b"{", b"["))) > MOST_VALUES:
        raise DecodingError(f"is not listening history: it has more than {MOST_VALUES:,} values")
    return _loads(utf8)


def _loads(utf8: bytes) -> list[Any]:
    try:
        try:
            rows = orjson.loads(utf8)
        except orjson.JSONDecodeError:
            rows = orjson.loads(_without_lone_surrogates(utf8))
    except orjson.JSONDecodeError as error:
        what = "is cut short or damaged" if error.pos >= len(error.doc) - 1 else "is not valid JSON"
        raise DecodingError(
            f"{what}: {error.msg} at line {error.lineno}, column {error.colno}; unpack or download it again"
        ) from None
    assert isinstance(rows, list)
    return rows


def _text(head: bytes) -> str:
    return head.decode(json.detect_encoding(head), "replace").removeprefix(_MARK)


def _to_utf8(data: bytes) -> bytes:
    encoding = json.detect_encoding(data[:4])
    if encoding.startswith("utf-8"):
        return data.removeprefix(_MARK.encode())
    return data.decode(encoding, "replace").removeprefix(_MARK).encode()


def _without_lone_surrogates(utf8: bytes) -> bytes:
    """The same with U+FFFD for each, written as an escape or not. Raises DecodingError for what is not UTF-8."""
    try:
        utf8.decode()
    except UnicodeDecodeError:
        try:
            text = utf8.decode(errors="surrogatepass")
        except UnicodeDecodeError as error:
            raise DecodingError(_other_encoding(utf8, error.start)) from None
        # Halves that belong together become one character.
        utf8 = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], utf8)


def _other_encoding(data: bytes, at: int) -> str:
    line = data.count(b"\n", 0, at) + 1
    what = f"is not in UTF-8 (line {line})"
    try:
        orjson.loads(data.decode("cp1252"))
    except ValueError:
        return f"{what}; download the export again"
    return (
        f"{what}: an editor saved it in another encoding, most likely Windows-1252, which is also called ANSI; save it "
        "there as UTF-8, or take the file as Spotify sent it"
    )
