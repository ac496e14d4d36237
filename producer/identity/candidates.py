"""Which known plays the rows of an export may be: the same track, near an instant that the row tells of."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Set
from operator import sub
from typing import NamedTuple

from producer.identity.doubles import APART_MS, SECOND_MS
from producer.identity.far import candidates_within_a_day, places_by_key
from producer.identity.matching import Candidate, pairs
from producer.identity.rows import ACCOUNT, EXTENDED, NO_TRACK, POLLED, Copies, Rows

# The API stamps a play when it learns that it ended. A stamp that is nearer than one play to the next has one row
# only that it can belong to, or its neighbour's is taken by the neighbour: pairs are one to one.
_POLLED_TOLERANCE_MS = APART_MS - 1
# The end is the usual stamp: a start counts only where it is that much nearer. When an offline play was reported is the
# last choice, behind all that is near its end or its start: others were reported then, and ended then.
_START_HANDICAP_MS = 10_000
_REPORTED_HANDICAP_MS = _START_HANDICAP_MS + APART_MS
# The two kinds of export tell of one instant, cut to the second and to the minute.
_EXPORTED_TOLERANCE_MS = 10_000
_MINUTE_MS = 60_000


class _Instants(NamedTuple):
    """Instants of rows, sorted, and the rows' numbers; ``handicap`` (milliseconds) is added to how far they are off."""

    sorted: "array[int]"
    numbers: "array[int]"
    handicap: int


class Candidates:
    """The candidates of rows of one kind of export, by their number in ``chosen``. ``taken`` plays are left out.

    ``paired_before`` are the rows of which the archive has a copy that an earlier import has paired. They have one
    copy each, wherever they are paired later. ``days`` are those that the present rows cover as a whole.
    """

    def __init__(
        self, rows: Rows, chosen: list[int], copies: Copies, taken: Set[int], days: Collection[int] = ()
    ) -> None:
        self._rows = rows
        self._chosen = chosen
        self._copies = copies
        self._taken = taken
        self._days = days
        self._source = rows.sources[chosen[0]]
        # Account data names the minute in which a play ended.
        self._width = _MINUTE_MS - 1 if self._source == ACCOUNT else 0
        self.paired_before: set[int] = set()
        # By instant, the copy of this kind that is with a play of others; who is near what; which row made which.
        self._own_copies: dict[int, int] = {}
        self._near_plays: list[Candidate] = []
        self._near_copies: list[Candidate] = []
        self._made: dict[int, int] = {}

    def pair_near_copies(self) -> Set[int]:
        """The rows of which the archive has a copy with a play that is near, one row for each copy."""
        plays = sorted(self._copies.instants_of(POLLED, ACCOUNT + EXTENDED - self._source))
        if plays:  # into an empty archive nothing is compared
            self._sort_instants()
        for instant in plays:
            known = self._copies.at(instant)
            if not (others := self._others(instant, known)):
                continue
            here = list(self._near(instant, known))
            lengths = self._lengths(known)
            for apart, number, _ in here:
                off = self._off(self._rows, self._chosen[number], others, lengths)
                if off is not None:
                    self._near_plays.append((apart + off, number, instant))
            if copies := [copy for copy in known if self._copies.sources[copy] == self._source]:
                own = {n for _, n, _ in here if any(self._is_copy_of(copy, n) for copy in copies)}
                self._near_copies += [(-1, number, instant) for number in own]
                self._own_copies[instant] = copies[0]
        # Of two rows that are near one copy the other's is elsewhere, if there is one; and so the other way round.
        self._made = pairs(self._near_copies)
        return self._made.keys()

    def _sort_instants(self) -> None:
        everyone = range(len(self._chosen))
        ends = array("q", map(self._rows.instants.__getitem__, self._chosen))
        starts = array("q", map(sub, ends, map(self._rows.ms_played.__getitem__, self._chosen)))
        reported = array("q", map(self._rows.reported.__getitem__, self._chosen))
        late = [number for number in everyone if reported[number] != ends[number]]
        self._ends = _sorted(ends, everyone, 0)
        self._starts = _sorted(starts, everyone, _START_HANDICAP_MS)
        self._reported = _sorted(reported, late, _REPORTED_HANDICAP_MS)

    def find(self, dropped: Set[int]) -> tuple[list[Candidate], list[Candidate], list[Candidate]]:
        """All of them, in the three turns in which they are to be paired; a row that is ``dropped`` has none far away.

        First the rows ``paired_before``, then rows like them that are not among the present ones, by negative numbers,
        then the new ones: so what was paired once stays paired.
        """
        from_afar = list(self._paired_from_afar(dropped))
        self.paired_before = {*self._made, *(number for _, number, _ in from_afar)}
        has_row = {*self._made.values(), *(instant for _, _, instant in from_afar)}
        absent = [it for at, copy in self._own_copies.items() if at not in has_row for it in self._of_absent(copy)]
        near = self._near_plays + self._near_copies + from_afar
        before = [it for it in near if it[1] in self.paired_before]
        new = [it for it in near if it[1] not in self.paired_before]
        return before, absent, new

    def _near(self, instant: int, known: range) -> Iterator[Candidate]:
        is_polled = any(self._copies.sources[copy] == POLLED for copy in known)
        tolerance = _POLLED_TOLERANCE_MS if is_polled else _EXPORTED_TOLERANCE_MS
        # Only the API stamps a play with its start at times.
        tellings = (self._ends, self._starts, self._reported) if is_polled else (self._ends, self._reported)
        spans = [self._span(instant, known)]
        if (stamp := self._copies.stamps.get(instant)) is not None:
            spans.append((stamp, stamp))
        for first, last in spans:
            for telling in tellings:
                for place in _between(telling.sorted, first - tolerance - self._width, last + tolerance):
                    apart = self._apart(telling.sorted[place], first, last)
                    yield apart + telling.handicap, telling.numbers[place], instant

    def _paired_from_afar(self, dropped: Set[int]) -> Iterator[Candidate]:
        """Rows whose copies are with a play hours away: those that no row near them has made.

        Where the present rows cover the copy's whole day and none is near, its row is one of those further away.
        """
        made = set(self._made.values())
        free = (copy for instant, copy in self._own_copies.items() if instant not in made)
        copies = places_by_key(self._copies, free, self._days)
        if not copies:
            return
        rows = [n for n, row in enumerate(self._chosen) if n not in self._made and row not in dropped]
        for number, instant in pairs(
            candidates_within_a_day(self._rows, self._chosen, rows, copies, self._days)
        ).items():
            yield -1, number, instant

    def _of_absent(self, copy: int) -> Iterator[Candidate]:
        """Where a row of an earlier import could be instead, as far as its copy tells.

        The present rows must not be given its play, but it may make room: what it was given may have been the end
        of the play before.
        """
        copies, instant = self._copies, self._copies.instants[copy]
        for shift in (0, copies.ms_played[copy], -copies.ms_played[copy]):
            middle, width = instant + shift, _POLLED_TOLERANCE_MS + self._width
            near = {copies.instants[place] for place in copies.between(middle - width, middle + width)}
            near |= copies.stamped_between(middle - width, middle + width)
            for other in near:
                known = copies.at(other)
                off = self._off(copies, copy, self._others(other, known), self._lengths(known))
                if off is not None:
                    yield abs(other - middle) + abs(shift) + off, -1 - copy, other

    def _others(self, instant: int, known: range) -> list[int]:
        """The copies that others than this kind of export have of a play, none if it is taken."""
        if instant in self._taken:
            return []
        sources, tracks = self._copies.sources, self._copies.tracks
        return [copy for copy in known if sources[copy] != self._source and tracks[copy] != NO_TRACK]

    def _lengths(self, known: range) -> set[int]:
        """How long a play was, as the other kind of export has it."""
        sources, ms_played = self._copies.sources, self._copies.ms_played
        return {ms_played[copy] for copy in known if sources[copy] not in (POLLED, self._source)}

    def _off(self, plays: Rows | Copies, play: int, others: list[int], lengths: set[int]) -> int | None:
        """What is added to how far a row, or a row's copy, is from the play that others know; None if it is another.

        A minute alone is a weak sign: a play that only the other kind of export knows must be as long there. One that
        was polled may have been given to the wrong one of two rows before.
        """
        same, tracks = self._copies.all_tracks.same, self._copies.tracks
        if not any(same(plays.tracks[play], tracks[copy]) for copy in others):
            return None
        if not lengths or plays.ms_played[play] in lengths:
            return 0
        is_polled = any(self._copies.sources[copy] == POLLED for copy in others)
        return _MINUTE_MS if is_polled else None

    def _is_copy_of(self, copy: int, number: int) -> bool:
        return self._copies.is_copy_of(copy, self._rows, self._chosen[number])

    def _span(self, instant: int, known: range) -> tuple[int, int]:
        """Between which instants a known play ended: a minute, if it is known by account data's."""
        sources = {self._copies.sources[copy] for copy in known} - {self._source}
        if ACCOUNT in sources and instant % _MINUTE_MS < SECOND_MS:
            minute = instant - instant % _MINUTE_MS
            return minute, minute + _MINUTE_MS - 1
        return instant, instant

    def _apart(self, told: int, first: int, last: int) -> int:
        """How far an instant of a row, exact or within a minute, is from a known play."""
        return max(0, first - told - self._width, told - last)


def _sorted(instants: "array[int]", numbers: Collection[int], handicap: int) -> _Instants:
    in_order = array("I", sorted(numbers, key=instants.__getitem__))
    return _Instants(array("q", map(instants.__getitem__, in_order)), in_order, handicap)


def _between(sorted_instants: "array[int]", first: int, last: int) -> range:
    return range(bisect_left(sorted_instants, first), bisect_right(sorted_instants, last))
