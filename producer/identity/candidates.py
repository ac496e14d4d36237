"""Which known plays the rows of an export may be: the same track, near the row's end or start."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from producer.identity.matching import Candidate
from producer.identity.rows import ACCOUNT, EXTENDED, NO_TRACK, POLLED, Copies, Rows

# Exports have whole seconds, and the API may stamp a play seconds later. Up to 15 s no known play is near the ends
# of two rows: plays that count, of one track, end at least 30 s apart.
TOLERANCE_MS = 10_000
_MINUTE_MS = 60_000
# Rows of one instant are told apart within a second: exports know no shorter time.
SECOND_MS = 1_000


class Candidates:
    """The candidates of rows of one kind of export, by their number in ``chosen``. ``taken`` plays are left out.

    ``paired_before`` are the rows of which the archive has a copy that an earlier import has paired. They have one
    copy each, wherever they are paired later.
    """

    def __init__(self, rows: Rows, chosen: list[int], copies: Copies, taken: set[int]) -> None:
        self._rows = rows
        self._chosen = chosen
        self._copies = copies
        self._taken = taken
        self._source = rows.sources[chosen[0]]
        # Account data names the minute in which a play ended.
        self._width = _MINUTE_MS - 1 if self._source == ACCOUNT else 0
        self._ends = array("q", map(rows.instants.__getitem__, chosen))
        starts = [end - rows.ms_played[row] for end, row in zip(self._ends, chosen, strict=True)]
        self._by_start = sorted(range(len(chosen)), key=starts.__getitem__)
        self._starts = array("q", map(starts.__getitem__, self._by_start))
        self.paired_before: set[int] = set()

    def find(self) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
        """All of them, in the three turns in which they are to be paired; finds out who was ``paired_before``.

        First those rows, then rows like them that are not among the present ones, by negative numbers, then the
        new ones: so what was paired once stays paired.
        """
        near: list[Candidate] = []
        absent: list[Candidate] = []
        for instant in sorted(self._copies.instants_of(POLLED, ACCOUNT + EXTENDED - self._source)):
            known = self._copies.at(instant)
            tracks = self._tracks(instant, known)
            if not tracks:
                continue
            here = list(self._near(instant, known))
            near += [it for it in here if self._same_track(self._chosen[it[1]], tracks)]
            for copy in known:
                if self._copies.sources[copy] == self._source:
                    own = {n for _, n, _ in here if self._copies.is_copy_of(copy, self._rows, self._chosen[n])}
                    self.paired_before |= own
                    near += [(-1, number, instant) for number in own]
                    if not own:
                        absent += self._of_absent(copy)
        before = [it for it in near if it[1] in self.paired_before]
        new = [it for it in near if it[1] not in self.paired_before]
        return before, absent, new

    def _near(self, instant: int, known: range) -> Iterator[Candidate]:
        yield from self._around(*self._spread(instant, known), instant, known)
        if (stamp := self._copies.stamps.get(instant)) is not None:
            yield from self._around(stamp, stamp, instant, known)

    def _around(self, first: int, last: int, instant: int, known: range) -> Iterator[Candidate]:
        for number in _between(self._ends, first - TOLERANCE_MS - self._width, last + TOLERANCE_MS):
            yield 2 * self._apart(self._ends[number], first, last), number, instant
        # Only the API stamps a play with its start at times.
        if any(self._copies.sources[copy] == POLLED for copy in known):
            for place in _between(self._starts, first - TOLERANCE_MS - self._width, last + TOLERANCE_MS):
                # Of two that are equally near, the end: it is the usual stamp.
                yield 2 * self._apart(self._starts[place], first, last) + 1, self._by_start[place], instant

    def _of_absent(self, copy: int) -> Iterator[Candidate]:
        """Where a row of an earlier import could be instead, as far as its copy tells.

        The present rows must not be given its play, but it may make room: what it was given may have been the end
        of the play before.
        """
        copies, instant = self._copies, self._copies.instants[copy]
        for shift in (0, copies.ms_played[copy], -copies.ms_played[copy]):
            middle, width = instant + shift, TOLERANCE_MS + self._width
            near = {copies.instants[place] for place in copies.between(middle - width, middle + width)}
            near |= {other for other, stamp in copies.stamps.items() if abs(stamp - middle) <= width}
            for other in near:
                tracks = self._tracks(other, copies.at(other))
                if any(copies.all_tracks.same(copies.tracks[copy], track) for track in tracks):
                    yield abs(other - middle) + abs(shift), -1 - copy, other

    def _tracks(self, instant: int, known: Iterable[int]) -> set[int]:
        """The tracks that others than this kind of export know for a play, none if it is taken."""
        if instant in self._taken:
            return set()
        others = {self._copies.tracks[copy] for copy in known if self._copies.sources[copy] != self._source}
        return others - {NO_TRACK}

    def _same_track(self, row: int, tracks: set[int]) -> bool:
        return any(self._rows.all_tracks.same(self._rows.tracks[row], track) for track in tracks)

    def _spread(self, instant: int, known: range) -> tuple[int, int]:
        """Between which instants a known play ended: a minute, if it is known by account data's."""
        sources = {self._copies.sources[copy] for copy in known} - {self._source}
        if ACCOUNT in sources and instant % _MINUTE_MS < SECOND_MS:
            minute = instant - instant % _MINUTE_MS
            return minute, minute + _MINUTE_MS - 1
        return instant, instant

    def _apart(self, stamp: int, first: int, last: int) -> int:
        """How far a row's end or start, exact or within a minute, is from a known play."""
        return max(0, first - stamp - self._width, stamp - last)


def _between(sorted_instants: "array[int]", first: int, last: int) -> range:
    return range(bisect_left(sorted_instants, first), bisect_right(sorted_instants, last))
