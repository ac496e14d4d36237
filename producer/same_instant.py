"""Telling apart the rows of an export that carry one and the same instant.

Exports have whole seconds, account data whole minutes, and a play's identity is its instant. Rows of one
instant with the same track and the same ms_played are one play. Otherwise they are different plays: sorted by
track id, then ms_played, the first keeps the instant, the next is a millisecond later, and so on. The order
comes from what the rows say, never from where they lie, so the same rows get the same identities from any
files, in any order, however often.

The two kinds of export are settled apart: a play of both has another instant and another id in each, and its
identity must not depend on whether both were imported together.
"""

from array import array
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import SOURCE_RANK, Play

# What settle() says of a row instead of an offset.
DUPLICATE = -1


class Rows:
    """The rows that count, in the order of reading: some twenty bytes each, so that all of them fit."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._tracks = array("I")
        self._ms_played = array("q")
        self._numbers: dict[str, int] = {}

    def add(self, play: Play) -> None:
        """Take in the next row, read as a play with the export's own instant."""
        self._keys.append(key(play))
        self._tracks.append(self._numbers.setdefault(play.track_id, len(self._numbers)))
        self._ms_played.append(play.ms_played or 0)

    def settle(self) -> "Settled":
        """Decide over all rows taken in."""
        ids = list(self._numbers)
        offsets = array("q", bytes(8 * len(self._keys)))
        order = sorted(range(len(self._keys)), key=self._keys.__getitem__)
        for _, group in groupby(order, key=self._keys.__getitem__):
            rows = list(group)
            if len(rows) == 1:
                continue
            contents: dict[tuple[str, int], int] = {}
            for row in rows:
                content = ids[self._tracks[row]], self._ms_played[row]
                if content in contents:
                    offsets[row] = DUPLICATE
                else:
                    contents[content] = row
            for offset, content in enumerate(sorted(contents)):
                offsets[contents[content]] = offset
        return Settled(self._keys, offsets)


class Settled:
    """For each row, in the order in which it was added: how many milliseconds to add, or DUPLICATE."""

    def __init__(self, keys: "array[int]", offsets: "array[int]") -> None:
        self._keys = keys
        self._offsets = offsets

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The key and the offset of each row."""
        return zip(self._keys, self._offsets, strict=True)

    def instants(self) -> Iterator[datetime]:
        """The instant of each distinct play."""
        return (from_millis(key // len(SOURCE_RANK)) for key, offset in self if offset != DUPLICATE)

    @property
    def duplicates(self) -> int:
        """How many rows are a play that another row is already."""
        return self._offsets.count(DUPLICATE)


def key(play: Play) -> int:
    """The instant and the kind of export as one number."""
    return to_millis(play.played_at) * len(SOURCE_RANK) + SOURCE_RANK[play.source]
