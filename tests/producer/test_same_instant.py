"""Rows of one instant: which are one play, and which identities different ones get."""

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.instants import MILLISECOND, to_millis
from pipelines.domain.play import SOURCE_RANK, Play
from pipelines.domain.spotify import from_account_row, from_extended_row
from producer.identity.reconciling import DUPLICATE
from producer.identity.reconciling import identities as decide
from producer.identity.rows import Copies, Rows, Tracks
from tests.producer.exports import account, extended

NOW = datetime(2026, 11, 21, tzinfo=UTC)
INSTANTS = ["2026-05-01T10:00:00Z", "2026-05-01T10:00:01Z", "2026-05-31T21:59:59Z"]


def read(*rows: dict[str, object]) -> list[Play]:
    return [(from_extended_row if "ts" in row else from_account_row)("me", row, NOW) for row in rows]


def offsets(*rows: dict[str, object]) -> list[int]:
    """How many milliseconds each row is moved, or DUPLICATE; nothing is known yet."""
    counting = Rows(Tracks())
    for play in read(*rows):
        track = counting.all_tracks.number(play.track_id, play.artists[0].name, play.track_name)
        counting.add(to_millis(play.played_at), SOURCE_RANK[play.source], track, play.ms_played)
    instants = decide(counting, Copies(counting.all_tracks)).instants
    return [
        DUPLICATE if instant == DUPLICATE else instant - own
        for own, instant in zip(counting.instants, instants, strict=True)
    ]


def test_a_row_alone_keeps_its_instant() -> None:
    assert offsets(extended(INSTANTS[0]), extended(INSTANTS[1])) == [0, 0]


def test_the_same_track_for_the_same_time_is_one_play() -> None:
    assert offsets(extended(), extended(), extended()) == [0, DUPLICATE, DUPLICATE]


def test_other_tracks_and_other_times_are_other_plays_in_the_order_of_their_content() -> None:
    rows = extended(track="b"), extended(track="a", ms_played=90_000), extended(track="a", ms_played=40_000)
    assert offsets(*rows) == [2, 1, 0]


def test_ms_played_is_ordered_as_a_number() -> None:
    assert offsets(extended(ms_played=100_000), extended(ms_played=99_000)) == [1, 0]


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
    assert len(identities(rows)) == len(set(rows)), "every different row is a play of its own"


def identities(rows: list[tuple[str, str, int]]) -> set[tuple[str, datetime]]:
    written = [extended(*row) for row in rows]
    return {
        (play.track_id, play.played_at + offset * MILLISECOND)
        for play, offset in zip(read(*written), offsets(*written), strict=True)
        if offset != DUPLICATE
    }
