"""The newest plays that were imported, for polls that list them later."""

from collections.abc import Iterable, Iterator, Sequence, Set
from heapq import nlargest

from producer.identity.doubles import SECOND_MS
from producer.identity.reconciling import DUPLICATE, Identities
from producer.identity.remembered import IMPORTED_PLAYS, ImportedPlay
from producer.identity.rows import POLLED, Copies, Rows


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
        track = rows.all_tracks.texts[rows.tracks[row]]
        yield ImportedPlay(instant, end, rows.ms_played[row], rows.sources[row], is_polled, track, rows.reported[row])
