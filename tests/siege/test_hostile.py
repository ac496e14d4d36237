"""Every parser that hostile input goes to is there, and takes it: some cases of each; `make siege` feeds many."""

import time

import pytest

from tests.siege.apart import begin
from tests.siege.hostile import PARSERS
from tests.siege.hostile.__main__ import attack

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", PARSERS)
def test_some_cases_find_nothing(name: str) -> None:
    fed, seeds = begin(attack, name, 1, time.monotonic()).wait(300)
    assert (fed > 10, seeds) == (True, 1)
