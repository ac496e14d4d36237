"""Which instant each row of an export gets: the one that its play is known by, or its own.

``docs/import.md`` has the rule in words, and a test for each of its cases. In short, for each kind of export:

1. Rows of one instant, track and ms_played are one play.
2. A row that an earlier import archived under its own instant keeps that.
3. The other rows are paired, one to one, with the plays of the same track that polling, or the other kind of
   export, has put into the archive. A row gets the instant of its pair.
4. A row without a pair keeps its own instant, moved by whole milliseconds to the first that is free.

What an earlier import of the same kind archived is no known play in the sense of 3: a row would take the place of
its neighbour. And a known play that a row of the same kind has taken before is kept for that row.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from producer.matching import Candidate, pairs
from producer.rows import ACCOUNT, EXTENDED, NO_TRACK, POLLED, Copies, Rows

# The instant of a row that is the same play as another row.
DUPLICATE = -1
# Exports have whole seconds, and the API may stamp a play seconds later. Up to 15 s no known play is near the ends
# of two rows: plays that count, of one track, end at least 30 s apart.
TOLERANCE_MS = 10_000
_MINUTE_MS = 60_000
# Rows of one instant are told apart within a second: exports know no shorter time.
_SECOND_MS = 1_000


@dataclass
class Identities:
    """For each row, in the order in which it was added, its instant in milliseconds since 1970, or DUPLICATE.

    ``archived`` is 1 for a row that the archive already holds with that instant. ``polled`` counts the rows whose
    play is known from polling, ``exported`` those known from the other kind of export only.
    """

    instants: "array[int]"
    archived: bytearray
    polled: int = 0
    exported: int = 0


def identities(rows: Rows, copies: Copies) -> Identities:
    """Decide over all rows. ``copies`` is what the archive holds of the months they touch, sorted.

    The result depends on what the rows and the archive say, never on the order of the rows. The extended export
    goes first, since it is the more exact one, and what it decides is added to ``copies`` for account data.
    """
    decided = Identities(array("q", rows.instants), bytearray(len(rows)))
    for source in EXTENDED, ACCOUNT:
        order = list(_each_play(rows, source, decided))
        _Kind(rows, copies, source, decided).place(order)
        if source == EXTENDED and order and ACCOUNT in rows.sources:
            for row in order:
                copies.add(decided.instants[row], source, rows.tracks[row], rows.ms_played[row])
            copies.sort()
    return decided


def _each_play(rows: Rows, source: int, decided: Identities) -> Iterator[int]:
    """The rows of one kind by instant, then track id, then ms_played; those that are one play again are marked."""
    texts, tracks = rows.all_tracks.texts, rows.tracks
    order = [row for row in range(len(rows)) if rows.sources[row] == source]
    order.sort(key=rows.instants.__getitem__)
    for _, group in groupby(order, key=rows.instants.__getitem__):
        contents: dict[tuple[str, int], int] = {}
        for row in group:
            first = contents.setdefault((texts[tracks[row]][0], rows.ms_played[row]), row)
            if first != row:
                decided.instants[row] = DUPLICATE
        yield from (contents[content] for content in sorted(contents))


class _Kind:
    """The rows of one kind of export, and the copies they are compared with."""

    def __init__(self, rows: Rows, copies: Copies, source: int, decided: Identities) -> None:
        self._rows = rows
        self._copies = copies
        self._source = source
        self._decided = decided
        self._kept: set[int] = set()
        # Account data names the minute in which a play ended.
        self._width = _MINUTE_MS - 1 if source == ACCOUNT else 0

    def place(self, order: list[int]) -> None:
        """Decide about these rows, given in the order of what they say."""
        others = [row for row in order if not self._keeps_its_own(row)]
        paired = pairs(self._candidates(others)) if others and self._copies else {}
        for number, instant in paired.items():
            self._give(others[number], instant)
        self._tell_apart([row for number, row in enumerate(others) if number not in paired])

    def _keeps_its_own(self, row: int) -> bool:
        own = self._rows.instants[row]
        for copy in self._copies.between(own, own + _SECOND_MS - 1):
            instant = self._copies.instants[copy]
            # At a polled instant it was paired, by chance within the second of its own.
            if self._copies.is_copy_of(copy, self._rows, row) and not self._has(instant, POLLED):
                self._kept.add(instant)
                self._give(row, instant)
                return True
        return False

    def _candidates(self, others: list[int]) -> Iterator[Candidate]:
        """Each of these rows, by its number, with each known play of its track that is near its end or its start."""
        ends = array("q", map(self._rows.instants.__getitem__, others))
        by_start = sorted(range(len(others)), key=lambda number: ends[number] - self._rows.ms_played[others[number]])
        starts = array("q", (ends[number] - self._rows.ms_played[others[number]] for number in by_start))
        for instant, group in groupby(range(len(self._copies)), key=self._copies.instants.__getitem__):
            known = list(group)
            tracks = self._known_tracks(instant, known)
            if not tracks:
                continue
            first, last = self._spread(instant, known)
            for number in _between(ends, first - TOLERANCE_MS - self._width, last + TOLERANCE_MS):
                if self._may_take(others[number], known, tracks):
                    yield 2 * self._apart(ends[number], first, last), number, instant
            # Only the API stamps a play's start at times.
            if not self._has(instant, POLLED):
                continue
            for place in _between(starts, first - TOLERANCE_MS - self._width, last + TOLERANCE_MS):
                number = by_start[place]
                if self._may_take(others[number], known, tracks):
                    # Of two that are equally near, the end: it is the usual stamp.
                    yield 2 * self._apart(starts[place], first, last) + 1, number, instant

    def _known_tracks(self, instant: int, known: list[int]) -> set[int]:
        """The tracks that others than this kind of export know for a play, if no row has kept it."""
        if instant in self._kept:
            return set()
        others = {self._copies.tracks[copy] for copy in known if self._copies.sources[copy] != self._source}
        return others - {NO_TRACK}

    def _spread(self, instant: int, known: list[int]) -> tuple[int, int]:
        """Between which instants a known play ended: a minute, if only account data knows it."""
        sources = {self._copies.sources[copy] for copy in known} - {self._source}
        if sources == {ACCOUNT} and instant % _MINUTE_MS < _SECOND_MS:
            minute = instant - instant % _MINUTE_MS
            return minute, minute + _MINUTE_MS - 1
        return instant, instant

    def _apart(self, stamp: int, first: int, last: int) -> int:
        """How far a row's end or start, exact or within a minute, is from a known play."""
        return max(0, first - stamp - self._width, stamp - last)

    def _may_take(self, row: int, known: list[int], tracks: set[int]) -> bool:
        """Whether it is a play of the same track that no other row of the same kind took at an earlier import."""
        same = self._rows.all_tracks.same
        if not any(same(self._rows.tracks[row], track) for track in tracks):
            return False
        own = [copy for copy in known if self._copies.sources[copy] == self._source]
        return not own or any(self._copies.is_copy_of(copy, self._rows, row) for copy in own)

    def _tell_apart(self, order: list[int]) -> None:
        for own, group in groupby(order, key=self._rows.instants.__getitem__):
            instant = own
            for row in group:
                # Another track's play can have this very instant: it is another play all the same.
                while self._copies.at(instant):
                    instant += 1
                self._decided.instants[row] = instant
                instant += 1

    def _give(self, row: int, instant: int) -> None:
        self._decided.instants[row] = instant
        self._decided.archived[row] = self._has(instant, self._source)
        if self._has(instant, POLLED):
            self._decided.polled += 1
        elif self._has(instant, ACCOUNT + EXTENDED - self._source):
            self._decided.exported += 1

    def _has(self, instant: int, source: int) -> bool:
        return any(self._copies.sources[copy] == source for copy in self._copies.at(instant))


def _between(sorted_instants: "array[int]", first: int, last: int) -> range:
    return range(bisect_left(sorted_instants, first), bisect_right(sorted_instants, last))
