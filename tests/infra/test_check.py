"""What `make infra-check` finds: each mistake is made in a copy of infra/, and told with its place."""

import shutil
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT, run_check

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("*.tfvars", "check"))
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    return tmp_path / "infra"


def test_infra_as_it_is(copy: Path) -> None:
    done = run_check(copy, "validate")
    assert done.returncode == 0, done.stderr
    assert not list(copy.glob(".terraform*"))


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        ("pubsub.tf", "retain_acked_messages =", "retain_acked_message =", "retain_acked_message"),
        ("pubsub.tf", "ack_deadline_seconds       =", "ack_deadline               =", "ack_deadline"),
        ("pubsub.tf", "  expiration_policy {", "  expirations {", "expirations"),
        ("storage.tf", "  location = var.region\n", "", '"location" is required'),
        ("stream.tf", "container_spec_gcs_path =", "container_spec_path     =", "container_spec_path"),
        ("pubsub.tf", "google_pubsub_topic.plays[0].id", "google_pubsub_topic.play[0].id", '"play"'),
        ("pubsub.tf", "google_pubsub_topic.plays[0].id", "google_pubsub_topic.plays[0].path", '"path"'),
        ("budget.tf", '"FORECASTED_SPEND"', '"FORECAST_SPEND"', "CURRENT_SPEND"),
        ("budget.tf", "threshold_percent = 0.5", 'threshold_percent = "half"', "threshold_percent"),
        ("budget.tf", '"google_billing_budget" "this"', '"google_billing_budgets" "this"', "google_billing_budgets"),
    ],
)
def test_a_mistake_is_told_with_its_place(copy: Path, file: str, right: str, wrong: str, told: str) -> None:
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    line = text[: text.index(right)].count("\n") + 1
    done = run_check(copy, "validate")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert told in said
    if "is required" not in told:  # what is missing has no line: the block's is told
        assert f"on {file} line {line}" in said


def test_without_terraform_it_says_so(copy: Path) -> None:
    done = run_check(copy, "validate", path="/nonexistent")
    assert done.returncode == 2
    assert "terraform is not installed" in done.stderr
