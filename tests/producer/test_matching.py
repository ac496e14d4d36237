"""Pairs of rows and known plays: as many as can be, nearest first, whatever the order."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.identity.matching import Candidate, pairs


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([], {}),
        ([[(5, 0, 10)]], {0: 10}),
        ([[(5, 0, 10), (1, 1, 10)]], {1: 10}),
        ([[(5, 0, 10), (5, 1, 10)]], {0: 10}),
        # The nearest pair would leave row 0 over.
        ([[(5, 0, 10), (1, 1, 10), (9, 1, 11)]], {0: 10, 1: 11}),
        # A chain: all three change over.
        ([[(3, 0, 10), (2, 1, 10), (3, 1, 11), (2, 2, 11), (3, 2, 12)]], {0: 10, 1: 11, 2: 12}),
        # Whoever has an earlier turn keeps a play, though not always the nearest.
        ([[(5, 0, 10)], [(1, 1, 10)]], {0: 10}),
        ([[(5, 0, 10), (9, 0, 11)], [(1, 1, 10)]], {0: 11, 1: 10}),
    ],
)
def test_cases(turns: list[list[Candidate]], expected: dict[int, int]) -> None:
    assert pairs(*turns) == expected


candidate = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(10, 14))


@given(st.lists(candidate, max_size=12, unique_by=lambda each: each[1:]), st.randoms(use_true_random=False))
def test_no_choice_gives_more_pairs_and_order_does_not_matter(candidates: list[Candidate], rng: random.Random) -> None:
    found = pairs(candidates)
    allowed = {(row, play) for _, row, play in candidates}
    assert found.items() <= allowed
    assert len(set(found.values())) == len(found)
    most = max(sum((row, play) in allowed for row, play in enumerate(plays)) for plays in permutations(range(10, 15)))
    assert len(found) == most
    rng.shuffle(candidates)
    assert pairs(candidates) == found


@given(st.lists(candidate, max_size=12), st.lists(candidate, max_size=12))
def test_an_earlier_turn_is_never_undone(first: list[Candidate], second: list[Candidate]) -> None:
    later = [(apart, row + 10, play) for apart, row, play in second]
    assert pairs(first).keys() <= pairs(first, later).keys()


def test_a_track_on_repeat_for_a_week() -> None:
    nights = 20_000
    # Every play is known by its start but for the first: each row takes it, and none is over but one.
    chain = [(2 + row % 7, row, row) for row in range(nights)] + [(1, row, row - 1) for row in range(1, nights)]
    assert len(pairs(chain)) == nights
