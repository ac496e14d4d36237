"""Rows of one instant: which are one play, and which identities different ones get."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.exports import from_account_row, from_extended_row
from pipelines.domain.instants import MILLISECOND, parse, to_millis
from pipelines.domain.play import SOURCE_RANK, Play
from producer.identity.reconciling import DUPLICATE
from producer.identity.reconciling import identities as decide
from producer.identity.rows import Copies, Rows, Tracks
from tests.producer.exports import account, extended

NOW = datetime(2026, 11, 21, tzinfo=UTC)
INSTANTS = ["2026-05-01T10:00:00Z", "2026-05-01T10:00:01Z", "2026-05-01T10:00:30Z", "2026-05-31T21:59:59Z"]


def read(*rows: dict[str, object]) -> list[Play]:
    read = [(from_extended_row if "ts" in row else from_account_row)(row, to_millis(NOW)) for row in rows]
    return [exported.to_play("me", NOW) for exported in read]


def offsets(*rows: dict[str, object]) -> list[int]:
    """How many milliseconds each row is moved, or DUPLICATE; nothing is known yet."""
    counting = Rows(Tracks())
    for play in read(*rows):
        track = counting.all_tracks.number(play.track_id, play.artists[0].name, play.track_name)
        end = to_millis(play.played_at)
        counting.add_row(end, SOURCE_RANK[play.source], track, play.ms_played, end)
    instants = decide(counting, Copies(counting.all_tracks)).instants
    return [
        DUPLICATE if instant == DUPLICATE else instant - own
        for own, instant in zip(counting.instants, instants, strict=True)
    ]


def test_a_row_alone_keeps_its_instant() -> None:
    assert offsets(extended(INSTANTS[0]), extended(INSTANTS[2])) == [0, 0]


def test_the_same_track_for_the_same_time_is_one_play() -> None:
    assert offsets(extended(), extended(), extended()) == [0, DUPLICATE, DUPLICATE]


def test_other_tracks_are_other_plays_in_the_order_of_their_ids() -> None:
    assert offsets(extended(track="c"), extended(track="b"), extended(track="a")) == [2, 1, 0]


def test_of_a_track_that_ends_twice_at_once_the_longest_row_is_the_play() -> None:
    # Longest as a number, not as a text.
    assert offsets(extended(ms_played=99_000), extended(ms_played=100_000)) == [DUPLICATE, 0]
    assert offsets(account(ms_played=99_000), account(ms_played=100_000)) == [0, 1], "a minute can hold both"


def test_within_30_seconds_of_a_row_that_is_kept_all_others_of_its_track_go() -> None:
    times = [f"2026-05-01T10:0{second // 60}:{second % 60:02}Z" for second in (0, 29, 30, 59, 60)]
    rows = [extended(time, ms_played=180_000 + (number == 2)) for number, time in enumerate(times)]
    assert offsets(*rows) == [0, DUPLICATE, 0, DUPLICATE, 0]
    names = {"master_metadata_track_name": "Track a"}
    assert offsets(extended(times[0]), extended(times[1], track="other-id", **names)) == [0, DUPLICATE]
    assert offsets(extended(times[0]), extended(times[1], track="b")) == [0, 0]


def test_a_row_with_spotifys_id_is_kept_before_one_without() -> None:
    assert offsets(extended(spotify_track_uri=None), extended()) == [DUPLICATE, 0]


def test_duplicates_do_not_move_the_others() -> None:
    rows = extended(track="b"), extended(track="a"), extended(track="b"), extended(track="a"), extended(track="c")
    assert offsets(*rows) == [1, 0, DUPLICATE, DUPLICATE, 2]


def test_a_play_of_account_data_has_no_instant_of_the_extended_export() -> None:
    assert offsets(account(track="z"), extended(track="a"), extended(track="b")) == [2, 0, 1]


plays = st.tuples(st.sampled_from(INSTANTS), st.sampled_from("abcd"), st.sampled_from([30_000, 99_000, 100_000]))


@given(st.lists(plays, max_size=20), st.lists(plays, max_size=10), st.randoms(use_true_random=False))
def test_identities_do_not_depend_on_order_and_repetition(
    rows: list[tuple[str, str, int]], repeated: list[tuple[str, str, int]], rng: random.Random
) -> None:
    again = rows + [row for row in repeated if row in rows]
    rng.shuffle(again)
    assert identities(again) == identities(rows)
    # Every track keeps plays that are apart, and each row that went is near one of them.
    ends = sorted((track, instant.replace(microsecond=0)) for track, instant in identities(rows))
    assert not [1 for one, other in pairwise(ends) if are_near(one, other)]
    assert all(any(are_near(kept, (row[1], parse(row[0]))) for kept in ends) for row in rows)


def are_near(one: tuple[str, datetime], other: tuple[str, datetime]) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) < timedelta(seconds=30)


def identities(rows: list[tuple[str, str, int]]) -> set[tuple[str, datetime]]:
    written = [extended(*row) for row in rows]
    return {
        (play.track_id, play.played_at + offset * MILLISECOND)
        for play, offset in zip(read(*written), offsets(*written), strict=True)
        if offset != DUPLICATE
    }
