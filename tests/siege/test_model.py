"""The models of the protocol: their promises hold in every order of steps, and each protection is needed."""

import pytest

from tests.siege.model import MODELS, check, missing_tools, mutations

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing_tools()), reason=f"{' and '.join(missing_tools())} not installed"),
]


@pytest.mark.parametrize("model", MODELS)
def test_the_promises_hold_in_every_order_of_steps(model: str) -> None:
    assert check(model).broken is None


@pytest.mark.parametrize(("model", "mutation"), [(model, what) for model in MODELS for what in mutations(model)])
def test_without_a_protection_a_promise_breaks(model: str, mutation: str) -> None:
    assert check(model, mutation).broken not in (None, "invalid end state")
