"""A history that many tests of pages read, and none writes."""

import pytest

from pipelines.domain.play import Play
from tests.web.client import Client
from tests.web.histories import a_history, opened, written


@pytest.fixture(scope="session")
def plays() -> list[Play]:
    return a_history()


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory, plays: list[Play]) -> str:
    return written(tmp_path_factory.mktemp("history"), plays)


@pytest.fixture(scope="session")
def browser(warehouse: str) -> Client:
    return opened(warehouse)
