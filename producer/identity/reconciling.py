"""Which instant each row of an export gets: the one that its play is known by, or its own.

``docs/import.md`` has the rule in words, and a test for each of its cases. In short, for each kind of export:

1. Rows of one instant, track and ms_played are one play.
2. A row that an earlier import archived keeps its instant: its own, or the one at which it was reported.
3. Of the other rows go those of a track that had ended less than 30 seconds before or after (``doubles``).
4. What is left is paired, one to one, with the plays of the same track that polling, or the other kind of export, has
   put into the archive (``candidates``). A row gets the instant of its pair.
5. Rows of equal names and ms_played within a day are paired too, where both kinds of export have all (``far``).
6. A row without a pair keeps its own instant, moved by whole milliseconds to the first that is free.

What an earlier import of the same kind archived is no known play in the sense of 4: a row would take the place of
its neighbour. And rows that were paired at an earlier import stay paired, also where they are not among the present
ones; if need be with another play.
"""

from array import array
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import groupby

from producer.identity.candidates import Candidates
from producer.identity.doubles import APART_MS, SECOND_MS, are_near, doubles
from producer.identity.far import candidates_within_a_day, places_by_key, whole_days
from producer.identity.matching import pairs
from producer.identity.rows import ACCOUNT, EXTENDED, POLLED, Copies, Rows

# The instant of a row that is the same play as another row.
DUPLICATE = -1


@dataclass
class Identities:
    """For each row, in the order in which it was added, its instant in milliseconds since 1970, or DUPLICATE.

    ``archived`` is 1 for a row of which the archive has a copy from an earlier import, ``in_both`` for a row of
    account data whose play another row has, of the extended export. Of the plays of all other rows that are not
    archived, ``polled`` counts those known from polling, ``exported`` those known from the other kind of export only.
    """

    instants: "array[int]"
    archived: bytearray
    in_both: bytearray
    polled: int = 0
    exported: int = 0


def identities(rows: Rows, copies: Copies) -> Identities:
    """Decide over all rows. ``copies`` is what the archive holds of the months they touch, sorted.

    The result depends on what the rows and the archive say, never on the order of the rows. The extended export
    goes first, since it is the more exact one, and what it decides is added to ``copies`` for account data.
    """
    decided = Identities(array("q", rows.instants), bytearray(len(rows)), bytearray(len(rows)))
    extended = list(_each_play(rows, EXTENDED, decided))
    _Kind(rows, copies, EXTENDED, decided, frozenset()).place(extended)
    if ACCOUNT in rows.sources:
        # Once rows are placed, those that are doubles of others have no instant.
        extended = [row for row in extended if decided.instants[row] != DUPLICATE]
        for row in extended:
            copies.add_copy(rows, row, decided.instants[row])
        copies.sort()
        present = frozenset(map(decided.instants.__getitem__, extended))
        _Kind(rows, copies, ACCOUNT, decided, present).place(list(_each_play(rows, ACCOUNT, decided)))
    return decided


def _each_play(rows: Rows, source: int, decided: Identities) -> Iterator[int]:
    """The rows of one kind by instant, then track id, then ms_played; those that are one play again are marked."""
    texts, tracks = rows.all_tracks.texts, rows.tracks
    order = [row for row in range(len(rows)) if rows.sources[row] == source]
    order.sort(key=rows.instants.__getitem__)
    for _, group in groupby(order, key=rows.instants.__getitem__):
        first, *more = group
        if not more:  # nearly always
            yield first
            continue
        contents = {(texts[tracks[first]][0], rows.ms_played[first]): first}
        for row in more:
            if contents.setdefault((texts[tracks[row]][0], rows.ms_played[row]), row) != row:
                decided.instants[row] = DUPLICATE
        yield from (contents[content] for content in sorted(contents))


class _Kind:
    """The rows of one kind of export, and the copies they are compared with.

    ``present`` are the instants that rows of the other kind got in this import.
    """

    def __init__(self, rows: Rows, copies: Copies, source: int, decided: Identities, present: Set[int]) -> None:
        self._rows = rows
        self._copies = copies
        self._source = source
        self._other = ACCOUNT + EXTENDED - source
        self._decided = decided
        self._present = present
        self._polled = copies.instants_of(POLLED)
        self._exported = copies.instants_of(self._other)
        # The plays whose copy of this kind is that of a present row, and 1 for each row that the archive has.
        self._kept: set[int] = set()
        self._stays = bytearray(len(rows))

    def place(self, order: list[int]) -> None:
        """Decide about these rows, given in the order of what they say."""
        self._keep_own(order)
        others = [row for row in order if not self._stays[row]]
        if not others:
            return
        days = whole_days(self._rows.spans.get(self._source, ()))
        candidates = Candidates(self._rows, others, self._copies, self._kept, days)
        for number in candidates.pair_near_copies():
            self._stays[others[number]] = True
        dropped = self._drop_doubles(order) if self._source == EXTENDED else set()
        before, absent, new = candidates.find(dropped)
        paired = pairs(before, absent, [it for it in new if others[it[1]] not in dropped])
        left = [number for number, row in enumerate(others) if number not in paired and row not in dropped]
        # What a double ended with is told by the row that it doubles, and by no row from hours away.
        doubled = {instant for _, number, instant in new if others[number] in dropped}
        far = self._within_a_day(others, left, {*paired.values(), *doubled})
        for number, instant in (paired | far).items():
            if number >= 0:
                # A row that changes over to a play that the archive lacks is its only copy there.
                is_there = number in candidates.paired_before and instant not in self._copies.unwritten
                self._give(others[number], instant, archived=is_there)
        self._tell_apart([others[number] for number in left if number not in far])

    def _keep_own(self, order: list[int]) -> None:
        """Rows that were archived, and stay where they are: under their own instant, or, by a version of before
        2026-11-28, under the one at which they were reported.
        """
        if self._source not in self._copies.sources:
            return
        other_id: list[int] = []
        late: list[int] = []
        for row, is_there in self._with_own_copy(order):
            if is_there:
                self._keep(row, self._rows.instants[row])
                continue
            found = self._own_copies(row)
            exact = [instant for instant, has_id in found if has_id]
            if exact:
                self._keep(row, exact[0])
            elif found:
                other_id.append(row)
            elif self._rows.reported[row] != self._rows.instants[row]:
                late.append(row)
        for row in other_id:
            for instant, _ in self._own_copies(row)[:1]:
                self._keep(row, instant)
        for row, found in [(row, self._own_copies(row, self._rows.reported[row])) for row in late]:
            for instant, _ in sorted(found, key=lambda it: (not it[1], it[0]))[:1]:
                if instant in self._kept:
                    # That version took plays of a track that were reported at once for one, and one they stay.
                    self._decided.instants[row], self._stays[row] = DUPLICATE, True
                else:
                    self._keep(row, instant)

    def _with_own_copy(self, order: list[int]) -> Iterator[tuple[int, bool]]:
        """The rows, and whether the very copy of each is at its own instant: so it is with nearly all of them, and
        what ``_own_copies`` would find first.
        """
        rows, copies, last = self._rows, self._copies, len(self._copies)
        place = 0
        for row in order:
            own, is_there = rows.instants[row], False
            while place < last and copies.instants[place] < own:
                place += 1
            at = place
            while at < last and copies.instants[at] == own and not is_there:
                is_there = (
                    copies.tracks[at] == rows.tracks[row]
                    and copies.ms_played[at] == rows.ms_played[row]
                    and copies.sources[at] == self._source
                )
                at += 1
            is_taken = own in self._polled or own in self._kept
            yield row, is_there and rows.reported[row] == own and not is_taken

    def _own_copies(self, row: int, at: int | None = None) -> list[tuple[int, bool]]:
        """The instants near the row's end, or near another one, that have its copy; and whether that has its id."""
        copies, own = self._copies, self._rows.instants[row]
        first = own if at is None else at
        if at is None and self._rows.reported[row] != own:
            # Rows are moved on only; but of an offline play one export knows the milliseconds, the other doesn't.
            first -= SECOND_MS - 1
        last = (own if at is None else at) + SECOND_MS - 1
        return [
            (copies.instants[copy], copies.has_id_of(copy, self._rows, row))
            for copy in copies.between(first, last)
            # At a polled instant it was paired, by chance within the second of its own.
            if copies.is_copy_of(copy, self._rows, row)
            and copies.instants[copy] not in self._polled
            and copies.instants[copy] not in self._kept
        ]

    def _keep(self, row: int, instant: int) -> None:
        self._stays[row] = True
        self._kept.add(instant)
        self._give(row, instant, archived=True)

    def _drop_doubles(self, order: list[int]) -> set[int]:
        """The rows that are no plays of their own, beside others and beside what the archive has."""
        dropped = set()
        if self._source in self._copies.sources:
            dropped = {row for row in order if not self._stays[row] and self._is_archived_beside(row)}
        left = [row for row in order if row not in dropped and self._decided.instants[row] != DUPLICATE]
        dropped |= doubles(self._rows, left, self._stays)
        for row in dropped:
            self._decided.instants[row] = DUPLICATE
        return dropped

    def _is_archived_beside(self, row: int) -> bool:
        """Whether the archive has a row of the track, not among the present ones, that had just ended."""
        copies, own = self._copies, self._rows.instants[row]
        return any(
            copies.sources[copy] == self._source
            and copies.all_tracks.same(copies.tracks[copy], self._rows.tracks[row])
            # A present row's end is known, and that of a row that was paired is not.
            and copies.instants[copy] not in self._kept
            and copies.instants[copy] not in self._polled
            and copies.instants[copy] not in self._exported
            and are_near(copies.instants[copy], own)
            for copy in copies.between(own - APART_MS, own + APART_MS)
        )

    def _within_a_day(self, others: list[int], left: list[int], taken: Set[int]) -> dict[int, int]:
        """Plays of the other kind of export for rows that have found none near, where both kinds have all."""
        copies = self._copies
        spans = [[*self._rows.spans.get(kind, ()), *copies.spans.get(kind, ())] for kind in (ACCOUNT, EXTENDED)]
        if not (days := set.intersection(*map(whole_days, spans))):
            return {}
        own = copies.instants_of(self._source)
        free = (
            copy
            for copy, (instant, source) in enumerate(zip(copies.instants, copies.sources, strict=True))
            if source == self._other and instant not in own and instant not in taken
        )
        places = places_by_key(copies, free, days)
        return pairs(candidates_within_a_day(self._rows, others, left, places, days))

    def _tell_apart(self, order: list[int]) -> None:
        instant = 0
        for row in order:
            instant = max(instant, self._rows.instants[row])
            # Another track's play can have this very instant: it is another play all the same.
            while self._copies.at(instant):
                instant += 1
            self._decided.instants[row] = instant
            instant += 1

    def _give(self, row: int, instant: int, *, archived: bool) -> None:
        self._decided.instants[row] = instant
        self._decided.archived[row] = archived
        if instant in self._present:
            self._decided.in_both[row] = True
        elif archived:
            return
        elif instant in self._polled:
            self._decided.polled += 1
        elif instant in self._exported:
            self._decided.exported += 1
