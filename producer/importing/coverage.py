"""What an import covers: between which instants an account's plays are all known by now.

That holds within a file, and from one file of an export to the next one: they are numbered in the order of time. With
the second of three files missing, nothing is known of what lies between the first and the third.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from producer.importing.containers import Place
from producer.importing.exports import ExportFile

# Streaming_History_Audio_2019-2021_3.json, endsong_3.json, StreamingHistory3.json. A year is no number.
_NUMBERED = re.compile(r"(\D+).*?(?<!\d)(\d{1,3})\.json")


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read: its number, and its first and last play (milliseconds), if it has any that count."""

    number: int | None
    kind: int | None
    first: int = 0
    last: int = 0


class Coverage:
    """Filled file by file."""

    def __init__(self) -> None:
        self._exports: dict[tuple[Place, str], list[_File]] = {}

    def add(self, file: ExportFile, instants: Sequence[int], kind: int | None) -> None:
        """A file that was read, with the instants (milliseconds) of its plays that count, and the kind of its rows."""
        name = _NUMBERED.fullmatch(file.short_name.lower())
        family, number = (name[1], int(name[2])) if name else (file.name, None)
        read = _File(number, kind, min(instants), max(instants)) if instants else _File(number, None)
        self._exports.setdefault((file.place.container, family), []).append(read)

    def spans(self) -> list[tuple[int, int, int]]:
        """The kind, and the first and the last play (milliseconds), of files that follow on each other."""
        spans: list[list[_File]] = []
        for files in self._exports.values():
            in_order = sorted(files, key=lambda file: -1 if file.number is None else file.number)
            runs = [[in_order[0]]]
            for before, file in pairwise(in_order):
                if _follows(file, before):
                    runs[-1].append(file)
                else:
                    runs.append([file])
            spans += runs
        return [
            (kind, min(file.first for file in span if file.kind == kind), max(file.last for file in span))
            for span in spans
            for kind in {file.kind for file in span}
            if kind is not None
        ]


def _follows(file: _File, before: _File) -> bool:
    if file.number is None or before.number is None or file.number != before.number + 1:
        return False
    return file.kind == before.kind or None in (file.kind, before.kind)
