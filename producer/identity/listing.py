"""Which instant a play gets that Spotify lists: that of an import which knew it first, or the API's own.

The same rule as for imports (``reconciling``), the other way around: the listed plays are paired, one to one, with
the rows that were imported. What was paired before stays so, if need be with another.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from producer.identity.candidates import Candidates
from producer.identity.matching import Candidate, pairs
from producer.identity.remembered import ImportedPlay, PolledPlay, TrackName
from producer.identity.rows import ACCOUNT, EXTENDED, Copies, Rows, Tracks

# A play as Spotify lists it: the API's instant (milliseconds) and the track. Two tracks can have one instant.
Listed = tuple[int, TrackName]


def polled_before(listed: Listed, polled: Iterable[PolledPlay]) -> PolledPlay | None:
    """The one of these plays that is the listed one: of its instant, and of the same track."""
    stamp, track = listed
    return next((play for play in polled if play.stamp == stamp and play.track.is_same(track)), None)


def instants_of(
    listed: Iterable[Listed], polled: Sequence[PolledPlay], imported: Sequence[ImportedPlay]
) -> list[PolledPlay]:
    """The listed plays, each once, with the instants under which to publish them.

    ``polled`` and ``imported`` are what the account's state remembers; none of ``listed`` is among ``polled``.
    """
    known = [*polled, *_polled_elsewhere(polled, imported)]
    of_stamp: defaultdict[int, list[PolledPlay]] = defaultdict(list)
    for play in known:
        of_stamp[play.stamp].append(play)
    given = {play.instant for play in known} | {row.instant for row in imported}
    new: list[PolledPlay] = []
    unknown: list[PolledPlay] = []
    for stamp, track in sorted(listed):
        if before := polled_before((stamp, track), of_stamp[stamp]):
            new.append(before._replace(track=track))
            continue
        instant = stamp
        # Another track's play can have this very instant: it is another play all the same.
        while instant in given:
            instant += 1
        given.add(instant)
        unknown.append(PolledPlay(stamp, instant, track))
        of_stamp[stamp].append(unknown[-1])
    taken = _places_of(unknown, known, imported) if imported else {}
    return [*new, *(play._replace(instant=taken.get(play.instant, play.instant)) for play in unknown)]


def _polled_elsewhere(polled: Sequence[PolledPlay], imported: Sequence[ImportedPlay]) -> list[PolledPlay]:
    """The plays that rows were paired with, and that this state does not remember: another one polled them."""
    remembered = {play.instant for play in polled}
    return [
        PolledPlay(row.instant, row.instant, row.track)
        for row in imported
        if row.is_polled and row.instant not in remembered
    ]


def _places_of(
    listed: Sequence[PolledPlay], known: Sequence[PolledPlay], imported: Sequence[ImportedPlay]
) -> dict[int, int]:
    """The instants of imported rows for those of the listed plays that get one, by their own ones."""
    tracks = Tracks()
    rows, copies = Rows(tracks), Copies(tracks)
    for row in imported:
        rows.add_row(row.end, row.source, tracks.number(*row.track), row.ms_played, row.reported)
    for play in (*known, *listed):
        copies.add_polled(play, tracks.number(*play.track))
    paired = {play.instant for play in known}
    for row in imported:
        if row.instant in paired:
            copies.add(row.instant, row.source, tracks.number(*row.track), row.ms_played)
    copies.sort()
    rows_of = {instant: row for row, instant in pairs(*_turns(rows, copies)).items() if row >= 0}
    taken: dict[int, int] = {}
    for play in listed:
        number = rows_of.get(play.instant)
        # Where its row had a play before, that play has changed over to another row, and in the end one to a new one.
        while number is not None and imported[number].instant in paired:
            number = rows_of.get(imported[number].instant)
        if number is not None:
            taken[play.instant] = imported[number].instant
    return taken


def _turns(rows: Rows, copies: Copies) -> list[list[Candidate]]:
    """The rows that have a play, then those that have none; the extended export's before account data's."""
    before: list[Candidate] = []
    after: list[list[Candidate]] = []
    for source in EXTENDED, ACCOUNT:
        if chosen := [row for row in range(len(rows)) if rows.sources[row] == source]:
            candidates = Candidates(rows, chosen, copies, set())
            candidates.pair_near_copies()
            paired, absent, new = candidates.find(dropped=frozenset())
            before += [(apart, chosen[number], instant) for apart, number, instant in paired] + absent
            after.append([(apart, chosen[number], instant) for apart, number, instant in new])
    return [before, *after]
