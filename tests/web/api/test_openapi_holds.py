"""The API against its own description: whatever is sent, answers are as documented, and none is an error of ours."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.web.histories import a_history, written
from tests.web.serving import serving
from web.settings import Settings

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    warehouse = written(tmp_path_factory.mktemp("warehouse"), a_history(number=300))
    with serving(Settings(warehouse)) as address:
        yield address


@pytest.fixture(scope="module")
def described(address: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_it_answers_is_what_it_says(case: schemathesis.Case) -> None:
    # What a schema cannot say, a sentence does: of a year that is none, of SQL that is none.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
