"""An Avro file as its blocks, without a look into them: many files of one form are joined to one, and decoded at once.

A file is a header (a map of texts to bytes, and sixteen bytes of its own), then blocks: how many records, how many
bytes, the bytes, the sixteen bytes again. https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MAGIC = b"Obj\x01"
_MARK = 16
_LONGEST = 10


@dataclass(frozen=True, slots=True)
class Blocks:
    """A file that is whole: what its header says, where that ends, and of each block its records and where it lies."""

    data: bytes
    about: Mapping[str, bytes]
    begin: int
    spans: tuple[tuple[int, int, int], ...]

    @property
    def records(self) -> int:
        """How many all blocks have together."""
        return sum(count for count, _, _ in self.spans)

    @property
    def form(self) -> tuple[bytes, bytes]:
        """Schema and codec: blocks of files that have the same may stand in one file."""
        return self.about.get("avro.schema", b""), self.about.get("avro.codec", b"null")


def blocks_of(data: bytes) -> Blocks | None:
    """The blocks of a file; None where anything is not as it has to be, for a decoder to say what."""
    try:
        about, begin = _header(data)
        mark, spans, at = data[begin - _MARK : begin], [], begin
        while at < len(data):
            start = at
            count, at = _long(data, at)
            size, at = _long(data, at)
            at += size
            if count < 0 or size < 0 or data[at : at + _MARK] != mark:
                return None
            spans.append((count, start, at))
            at += _MARK
    except (IndexError, ValueError):
        return None
    return Blocks(data, about, begin, tuple(spans))


def joined(files: Iterable[Blocks]) -> bytes:
    """One file with the blocks of files that are of one form, under the header of the first."""
    files = list(files)
    first = files[0]
    mark = first.data[first.begin - _MARK : first.begin]
    parts: list[bytes | memoryview] = [first.data[: first.begin]]
    for file in files:
        view = memoryview(file.data)
        for _, start, end in file.spans:
            parts += (view[start:end], mark)
    return b"".join(parts)


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    if not data.startswith(_MAGIC):
        raise ValueError("not Avro")
    about, at = {}, len(_MAGIC)
    count, at = _long(data, at)
    while count:
        if count < 0:  # its size in bytes follows
            count, (_, at) = -count, _long(data, at)
        for _ in range(count):
            name, at = _bytes(data, at)
            about[name.decode()], at = _bytes(data, at)
        count, at = _long(data, at)
    if at + _MARK > len(data):
        raise ValueError("cut short")
    return about, at + _MARK


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("cut short")
    return data[at : at + size], at + size


def _long(data: bytes, at: int) -> tuple[int, int]:
    """Avro's long at a place, and the place behind it: seven bits a byte, the lowest first, zigzag."""
    value = 0
    for n in range(_LONGEST):
        byte = data[at + n]
        value |= (byte & 0x7F) << 7 * n
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + n + 1
    raise ValueError("no long")
