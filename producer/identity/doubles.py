"""Rows of the extended export that cannot be plays of their own: the track had just ended.

Plays of one track that end less than 30 seconds apart would have been heard at once. Spotify writes such rows, of one
instant or a few seconds apart, with lengths that differ a little or with another id of the same recording.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from pipelines.domain.exports import COUNTS_FROM_MS
from producer.identity.rows import Rows

# The least between the ends of two plays of one track: each takes that long. Ends are compared as whole seconds: some
# are cut to them, others begin at one, and what is 30 seconds apart would be a little less.
APART_MS = COUNTS_FROM_MS
SECOND_MS = 1_000


def doubles(rows: Rows, order: Sequence[int], stays: bytearray) -> set[int]:
    """Those of the rows, given by their ends, that go: of a track, within 30 seconds of the end of one that is kept.

    ``stays`` has 1 for the rows that are kept in any case; of the others the longest are kept first.
    """
    return {row for cluster in _clusters(rows, order) for row in _of_cluster(rows, cluster, stays)}


def are_near(one: int, other: int) -> bool:
    """Whether two plays of one track cannot have ended at both instants."""
    return abs(one // SECOND_MS - other // SECOND_MS) * SECOND_MS < APART_MS


def _clusters(rows: Rows, order: Sequence[int]) -> Iterator[list[int]]:
    """Rows that follow each other closely; nearly all of a history follow nobody."""
    cluster: list[int] = []
    for row in order:
        if cluster and not are_near(rows.instants[row], rows.instants[cluster[-1]]):
            if len(cluster) > 1:
                yield cluster
            cluster = []
        cluster.append(row)
    if len(cluster) > 1:
        yield cluster


def _of_cluster(rows: Rows, cluster: list[int], stays: bytearray) -> Iterator[int]:
    tracks = rows.all_tracks

    def preference(row: int) -> tuple[bool, int, bool, int, str]:
        # Of equally long ones, one with an id of Spotify's, then the first.
        track_id = tracks.texts[rows.tracks[row]].id
        is_synthetic = track_id.startswith("names:")
        return not stays[row], -rows.ms_played[row], is_synthetic, rows.instants[row], track_id

    ends_by_id: dict[int, list[int]] = {}
    ends_by_names: dict[int, list[int]] = {}
    for row in sorted(cluster, key=preference):
        end, track = rows.instants[row], rows.tracks[row]
        kept = (
            ends_by_id.setdefault(tracks.id_of[track], []),
            ends_by_names.setdefault(tracks.names_of[track], []),
        )
        if not stays[row] and any(_has_near(ends, end) for ends in kept):
            yield row
        else:
            for ends in kept:
                insort(ends, end)


def _has_near(ends: list[int], end: int) -> bool:
    """Whether one of the sorted instants is too near."""
    place = bisect_left(ends, end)
    return any(are_near(other, end) for other in ends[max(0, place - 1) : place + 1])
