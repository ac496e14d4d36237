"""What grows with listeners, in docs/performance.md, is what the arithmetic says, and agrees with the costs."""

import importlib
import sys
from types import ModuleType

import pytest

from tests.infra.conftest import ROOT

pytestmark = pytest.mark.xdist_group("infra")


@pytest.fixture
def growth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    for name in ("cost", "growth"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("growth")


def test_the_document_has_the_table_of_today(growth: ModuleType) -> None:
    assert growth.report() in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [-3, -2, -1])
def test_its_dollars_are_those_of_the_cost_table(growth: ModuleType, number: int) -> None:
    cost = importlib.import_module("cost")
    shape = cost.SHAPES[number]
    assert shape.size == "stream"
    dollars = growth.rows(shape.listeners)["dollars a month, size stream"]
    assert dollars == growth.in_short(cost.total(shape))
