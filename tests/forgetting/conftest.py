"""No waiting between a mark and its instant in this process."""

from datetime import timedelta

import pytest

from pipelines.storage import forgotten


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark is at once in force: nobody else is at work in these places."""
    monkeypatch.setattr(forgotten, "SETTLED", timedelta(milliseconds=100))
    monkeypatch.setattr(forgotten, "LATELY", timedelta())
