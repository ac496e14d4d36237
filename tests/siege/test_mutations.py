"""Mutations fit the code, so that a siege without a protection is one."""

import pytest

from tests.siege.mutations import MUTATIONS, missing


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_a_mutation_takes_away_is_there_once(name: str) -> None:
    assert missing(MUTATIONS[name]) is None
