"""Lines in order by one number each, as by the two that it is made of."""

import numpy as np
import pytest

from pipelines.querying.columns.standing import Standing


@pytest.mark.parametrize("most", [3, 1_000_000_000_000], ids=["plays", "more time than one number holds"])
@pytest.mark.parametrize("lines", [0, 1, 200])
def test_lines_stand_as_by_amount_and_last(most: int, lines: int) -> None:
    dice = np.random.default_rng(lines)
    amounts = dice.integers(-1, most, lines) // max(most // 20, 1) * max(most // 20, 1)
    last = 1_700_000_000 + dice.integers(0, 7, lines) * 100_000_000
    both = list(zip(amounts.tolist(), last.tolist(), strict=True))
    of, every = Standing(amounts, last), np.arange(lines)
    for some in (every[:7], every):  # a few are counted, many are looked up
        assert of.before(some).tolist() == [sum(other > both[one] for other in both) for one in some]
        assert of.alike(some).tolist() == [both.count(both[one]) for one in some]
        assert of.with_more(some).tolist() == [np.count_nonzero(amounts > amounts[one]) for one in some]
        assert of.with_as_many(some).tolist() == [np.count_nonzero(amounts >= amounts[one]) for one in some]
    for among in (every, every[::3]):
        for limit in (1, 10):
            least = sorted((both[one] for one in among), reverse=True)[:limit][-1:]
            assert of.best(among, limit).tolist() == [one for one in among if [both[one]] >= least]
