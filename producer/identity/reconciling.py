"""Which instant each row of an export gets: the one that its play is known by, or its own.

``docs/import.md`` has the rule in words, and a test for each of its cases. In short, for each kind of export:

1. Rows of one instant, track and ms_played are one play.
2. A row that an earlier import archived under its own instant keeps that.
3. The other rows are paired, one to one, with the plays of the same track that polling, or the other kind of
   export, has put into the archive. A row gets the instant of its pair.
4. A row without a pair keeps its own instant, moved by whole milliseconds to the first that is free.

What an earlier import of the same kind archived is no known play in the sense of 3: a row would take the place of
its neighbour. And rows that were paired at an earlier import stay paired, also where they are not among the present
ones; if need be with another play.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from heapq import nlargest
from itertools import groupby

from producer.identity.candidates import SECOND_MS, Candidates
from producer.identity.matching import pairs
from producer.identity.remembered import IMPORTED_PLAYS, ImportedPlay, TrackName
from producer.identity.rows import ACCOUNT, EXTENDED, POLLED, Copies, Rows

# The instant of a row that is the same play as another row.
DUPLICATE = -1


@dataclass
class Identities:
    """For each row, in the order in which it was added, its instant in milliseconds since 1970, or DUPLICATE.

    ``archived`` is 1 for a row of which the archive has a copy from an earlier import. ``polled`` counts the rows whose
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


def newest(rows: Rows, copies: Copies, decided: Identities, before: Sequence[ImportedPlay]) -> tuple[ImportedPlay, ...]:
    """The newest plays that have been imported, oldest first: of these rows, and of those remembered before.

    A play that both kinds of export have is the extended one's, which is the more exact.
    """
    known = [row for row in range(len(rows)) if decided.instants[row] != DUPLICATE]
    # Two kinds of export may have the same plays.
    latest = nlargest(2 * IMPORTED_PLAYS, known, key=rows.instants.__getitem__)
    polled = copies.instants_of(POLLED)
    # An import that was interrupted may have remembered rows, and not written them: each is where it is now.
    here = {play.row: play for play in _plays(rows, polled, decided, latest)}
    plays = [*(play for play in before if play.row not in here), *here.values()]
    by_instant = {play.instant: play for play in sorted(plays, key=lambda play: play.source, reverse=True)}
    return tuple(sorted(by_instant.values(), key=lambda play: (play.end, play.instant))[-IMPORTED_PLAYS:])


def _plays(rows: Rows, polled: Set[int], decided: Identities, chosen: Iterable[int]) -> Iterator[ImportedPlay]:
    for row in chosen:
        instant, end = decided.instants[row], rows.instants[row]
        # Within its own second a row's instant is its own; a poll may have taken it from there.
        is_polled = not end <= instant < end + SECOND_MS and instant in polled
        track = TrackName(*rows.all_tracks.texts[rows.tracks[row]])
        yield ImportedPlay(instant, end, rows.ms_played[row], rows.sources[row], is_polled, track)


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
    """The rows of one kind of export, and the copies they are compared with."""

    def __init__(self, rows: Rows, copies: Copies, source: int, decided: Identities) -> None:
        self._rows = rows
        self._copies = copies
        self._source = source
        self._decided = decided
        self._polled = copies.instants_of(POLLED)
        self._exported = copies.instants_of(ACCOUNT + EXTENDED - source)
        self._kept: set[int] = set()

    def place(self, order: list[int]) -> None:
        """Decide about these rows, given in the order of what they say."""
        others = [row for row in order if not self._keeps_its_own(row)]
        paired: dict[int, int] = {}
        if others and self._copies:
            candidates = Candidates(self._rows, others, self._copies, self._kept)
            paired = pairs(*candidates.find())
            for number, instant in paired.items():
                if number >= 0:
                    # A row that changes over to a play that the archive lacks is its only copy there.
                    is_there = number in candidates.paired_before and instant not in self._copies.unwritten
                    self._give(others[number], instant, archived=is_there)
        self._tell_apart([row for number, row in enumerate(others) if number not in paired])

    def _keeps_its_own(self, row: int) -> bool:
        copies, own = self._copies, self._rows.instants[row]
        for copy in copies.between(own, own + SECOND_MS - 1):
            instant = copies.instants[copy]
            # At a polled instant it was paired, by chance within the second of its own.
            if copies.is_copy_of(copy, self._rows, row) and instant not in self._polled:
                self._kept.add(instant)
                self._give(row, instant, archived=True)
                return True
        return False

    def _tell_apart(self, order: list[int]) -> None:
        for own, group in groupby(order, key=self._rows.instants.__getitem__):
            instant = own
            for row in group:
                # Another track's play can have this very instant: it is another play all the same.
                while self._copies.at(instant):
                    instant += 1
                self._decided.instants[row] = instant
                instant += 1

    def _give(self, row: int, instant: int, *, archived: bool) -> None:
        self._decided.instants[row] = instant
        self._decided.archived[row] = archived
        if instant in self._polled:
            self._decided.polled += 1
        elif instant in self._exported:
            self._decided.exported += 1
