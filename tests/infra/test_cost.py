"""The runbook's tables of costs are what the arithmetic says, of what infra/ has."""

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.infra.conftest import EVERYTHING, ROOT, Plan

pytestmark = pytest.mark.xdist_group("infra")


@pytest.fixture(scope="module")
def cost() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cost", ROOT / "infra" / "cost.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["cost"] = module
    spec.loader.exec_module(module)
    return module


def test_the_runbook_has_the_tables_of_today(cost: ModuleType) -> None:
    assert cost.report() in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("size", ["small", "stream"])
def test_it_counts_the_conditions_that_there_are(cost: ModuleType, plan: Plan, size: str) -> None:
    alerts = plan(size=size, **EVERYTHING).all("google_monitoring_alert_policy")
    on_logs = [address for address in alerts if ".log[" in address]
    assert len(on_logs) == cost.LOG_CONDITIONS
    assert len(alerts) - len(on_logs) == cost.METRIC_CONDITIONS[size] + cost.WATCHING_CONDITIONS


def test_a_month_by_hand(cost: ModuleType) -> None:
    """4,320 runs of a minute: 259,200 vCPU-seconds, of which 240,000 are free."""
    found = {name: dollars for name, _, dollars in cost.lines(cost.Shape("small", 1))}
    assert found["Cloud Run jobs"] == pytest.approx(19_200 * 0.000018)
    assert found["Pub/Sub, kept"] == 0
    assert found["Cloud Scheduler"] == 0
    assert found["Secret Manager"] == 0
    assert found["Dataflow"] == 0
