"""One play that the two kinds of export put hours apart, told by its names and by how long it was played.

What was heard offline has a late ``ts`` in the extended export now and then, without a sound time beside it; account
data has the minute. Within a day a tenth of plays have a twin: the same song, heard whole again. So this counts
only where both exports have all there was: then each row's own twin is there, and takes it.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping

from producer.identity.matching import Candidate
from producer.identity.rows import NO_TRACK, Copies, Plays, Rows

DAY_MS = 86_400_000
# With one track on repeat for days there would be too many to try them all.
_NEAREST = 8
# Artist and title, and how long it was played.
Key = tuple[int, int]


def whole_days(spans: Iterable[tuple[int, int]]) -> set[int]:
    """The days (UTC, counted from 1970) that lie between the first and the last instant of any of the spans."""
    return {day for first, last in spans for day in range(-(-first // DAY_MS), last // DAY_MS)}


def key_of(plays: Plays, play: int) -> Key:
    """What two rows of one play have in common."""
    return plays.all_tracks.names_of[plays.tracks[play]], plays.ms_played[play]


def places_by_key(copies: Copies, chosen: Iterable[int], days: Collection[int]) -> dict[Key, "array[int]"]:
    """The instants of some copies, given in order, that are on these days."""
    places: dict[Key, array[int]] = {}
    for copy in chosen:
        instant = copies.instants[copy]
        if instant // DAY_MS in days and copies.tracks[copy] != NO_TRACK:
            found = places.setdefault(key_of(copies, copy), array("q"))
            if not found or found[-1] != instant:
                found.append(instant)
    return places


def candidates_within_a_day(
    rows: Rows,
    chosen: list[int],
    numbers: Iterable[int],
    places: Mapping[Key, "array[int]"],
    days: Collection[int],
) -> Iterator[Candidate]:
    """Of some rows of ``chosen``, by their numbers there, that ended on these days: the places with their key."""
    for number in numbers:
        row = chosen[number]
        if rows.instants[row] // DAY_MS in days and (instants := places.get(key_of(rows, row))):
            for told in {rows.instants[row], rows.reported[row]}:
                middle = bisect_left(instants, told)
                for instant in instants[max(0, middle - _NEAREST) : middle + _NEAREST]:
                    if abs(instant - told) <= DAY_MS:
                        yield abs(instant - told), number, instant
