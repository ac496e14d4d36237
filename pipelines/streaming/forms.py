"""How the stream's state lies in bytes: the form of a piece, and how pieces of earlier forms are read.

A piece: its head, its plays, the marks of its songs, and what is said of them, a line for each. The head has the
version, whether it is the large piece, the number of its plays, its first song's number, and of how many songs it has
marks: of all, or none. The large one has its plays in columns, small ones in rows.

Who changes the form goes on reading those before it: a job that is updated finds its state as it left it.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from pipelines.streaming.contenders import MARK, MARKS, marks_of
from pipelines.streaming.songs import Ints, lines_of_before, names_of

VERSION = 4
_HEAD = Struct("<BB2xIII")
# Of versions 1 to 3: in place of the last two, the large one had the number of all its songs, others that of the first.
_HEAD_BEFORE = Struct("<BB2xII")
_SONG = Struct(f"<{MARKS}I")
# A play: milliseconds since the month began, the song's number, and a preference as a number, in two parts.
ROW = Struct("<IIIH")
COLUMNS = ("<u4", "<u4", "<u4", "<u2")


class StateError(Exception):
    """The state was written by a newer version."""


class Piece(NamedTuple):
    """What a piece has; ``plays`` in rows or columns, ``marks`` in rows."""

    is_large: bool
    first: int
    plays: bytes
    marks: bytes
    lines: Sequence[bytes]


def packed(piece: Piece) -> bytes:
    """The piece's bytes."""
    plays, marks = len(piece.plays) // ROW.size, len(piece.marks) // _SONG.size
    head = _HEAD.pack(VERSION, piece.is_large, plays, piece.first, marks)
    return b"".join([head, piece.plays, piece.marks, b"\n".join(piece.lines)])


def unpacked(pieces: Iterable[bytes]) -> list[Piece]:
    """Pieces in the order of their songs' numbers: a runner gives them in any. Raises StateError."""
    return sorted(map(_unpacked, pieces), key=attrgetter("first"))


def marks_of_names(names: Sequence[Any]) -> bytes:
    """A song's marks. ``names`` are ``songs.Names``."""
    return _SONG.pack(*marks_of(*names[:-1]))


def marks_of_lines(lines: Iterable[bytes]) -> bytes:
    """The marks of songs, by what is said of each."""
    return b"".join(map(marks_of_names, names_of(lines)))


def in_columns(marks: Iterable[bytes]) -> Ints:
    """Marks in columns, of which there are MARKS."""
    return np.frombuffer(b"".join(marks), MARK).reshape(-1, MARKS).T


def _unpacked(piece: bytes) -> Piece:
    if piece[0] != VERSION:
        return _of_before(piece)
    _, is_large, plays, first, marks = _HEAD.unpack_from(piece)
    begin = _HEAD.size + plays * ROW.size
    end = begin + marks * _SONG.size
    return Piece(bool(is_large), first, piece[_HEAD.size : begin], piece[begin:end], _lines(piece[end:]))


def _of_before(piece: bytes) -> Piece:
    version, is_large, plays, number = _HEAD_BEFORE.unpack_from(piece)
    if version > VERSION:
        raise StateError(f"state of form {version}, and this version knows {VERSION}: go on with a newer one")
    begin = _HEAD_BEFORE.size + plays * ROW.size
    # The large one had marks from the second form on, in columns. Lines are in today's order since the third.
    end = begin + (number * _SONG.size if is_large and version > 1 else 0)
    lines = _lines(piece[end:])
    if version < 3:
        lines = lines_of_before(lines)
    columns = np.frombuffer(piece[begin:end], MARK).reshape(MARKS, -1)
    marks = columns.T.tobytes() if end > begin else marks_of_lines(lines)
    return Piece(bool(is_large), 0 if is_large else number, piece[_HEAD_BEFORE.size : begin], marks, lines)


def _lines(text: bytes) -> list[bytes]:
    return text.split(b"\n") if text else []
