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


Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read: its number, and by kind its first and last play that count (milliseconds)."""

    number: int | None
    spans: dict[int, Span]


class Coverage:
    """Filled file by file."""

    def __init__(self) -> None:
        self._exports: dict[tuple[Place, str], list[_File]] = {}

    def add(self, file: ExportFile, instants: Sequence[int], kinds: Sequence[int]) -> None:
        """A file that was read, with the instants (milliseconds) of its plays that count, and the kind of each."""
        name = _NUMBERED.fullmatch(file.short_name.lower())
        family, number = (name[1], int(name[2])) if name else (file.name, None)
        spans: dict[int, Span] = {}
        for kind in set(kinds):
            of_kind = [instant for instant, other in zip(instants, kinds, strict=True) if other == kind]
            spans[kind] = min(of_kind), max(of_kind)
        self._exports.setdefault((file.place.container, family), []).append(_File(number, spans))

    def spans(self) -> list[tuple[int, int, int]]:
        """The kind, and the first and the last play (milliseconds), of files that follow on each other."""
        found = []
        for files in self._exports.values():
            in_order = sorted(files, key=lambda file: -1 if file.number is None else file.number)
            for kind in {kind for file in files for kind in file.spans}:
                # A file of other kinds alone says nothing of this one; a file without plays does.
                for run in _runs([file for file in in_order if kind in file.spans or not file.spans]):
                    if of_kind := [file.spans[kind] for file in run if kind in file.spans]:
                        found.append((kind, min(first for first, _ in of_kind), max(last for _, last in of_kind)))
        return found


def _runs(files: Sequence[_File]) -> list[list[_File]]:
    """The files, parted where a number is missing; one without a number stands alone."""
    runs = [list(files[:1])]
    for before, file in pairwise(files):
        if file.number is not None and before.number is not None and file.number == before.number + 1:
            runs[-1].append(file)
        else:
            runs.append([file])
    return runs
