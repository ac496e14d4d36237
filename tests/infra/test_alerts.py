"""What is watched, from when on it alarms, whom, and with which section of the runbook."""

import re
from typing import Any

import pytest
import yaml

from pipelines.streaming.replaying import PASSED_OVER_LINE
from pipelines.warehouse.bigquery import REJECTED_LINE
from tests.infra.conftest import EVERYTHING, ROOT, Plan

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans

INFRA = ROOT / "infra"
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SIZES = ("small", "stream")
# What a poll's line must have for an alert.
LOGS = {
    "The producer fails": "ok=false AND "
    "(jsonPayload.seconds_since_success>3600 OR jsonPayload.seconds_since_success=NULL_VALUE)",
    "A gap": "gaps_open>0",
    "A token near its end": "token_days_left<30",
    "Spotify lists what cannot be read": "plays_rejected>0",
}
# What the pipelines log.
LINES = {"Rejects": REJECTED_LINE, "A file of the archive cannot be read": PASSED_OVER_LINE}
POLL = 'resource.type="cloud_run_job" AND resource.labels.job_name="poll" AND jsonPayload.event="poll" AND jsonPayload.'
OLDEST = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
RUNS = "run.googleapis.com/job/completed_execution_count"
POLLS = "logging.googleapis.com/user/heavy-rotation-polls"
LAG = "dataflow.googleapis.com/job/system_lag"
# The metric, what it is asked of, the threshold, for how long, over which period, and how it becomes one number.
BOTH = {
    "The producer is silent": (POLLS, "", "< 1 or none", "60s", "3600s", "SUM"),
    "Watching fails": (RUNS, "one_of(enrich, snapshot) failed", "> 0", "0s", "3600s", "SUM"),
}
METRICS_OF = {
    "small": BOTH | {"The runs fail": (RUNS, "poll failed", "> 2", "0s", "3600s", "SUM")},
    "stream": BOTH
    | {
        "Data is old": (OLDEST, "plays-stream", "> 3600", "300s", "300s", "MAX"),
        "The nightly rebuild fails": (RUNS, "rebuild failed", "> 0", "0s", "3600s", "SUM"),
        "Backlog": (OLDEST, "plays-stream", "> 600", "300s", "300s", "MAX"),
        "The stream lags": (LAG, "stream", "> 300", "600s", "300s", "MAX"),
        "The stream does not run": (LAG, "stream", "absent", "900s", "300s", "MAX"),
    },
}


def _condition(alert: dict[str, Any], kind: str) -> dict[str, Any]:
    (condition,) = alert["conditions"]
    (found,) = condition[kind]
    return dict(found)


def _title(alert: dict[str, Any]) -> str:
    return str(alert["display_name"].removeprefix("Heavy Rotation: "))


def test_what_is_found_in_the_log(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    found = {}
    for address, alert in made.all("google_monitoring_alert_policy").items():
        if ".log[" in address:
            found[_title(alert)] = _condition(alert, "condition_matched_log")
    assert {title: log["filter"] for title, log in found.items() if title not in LINES} == {
        title: POLL + text for title, text in LOGS.items()
    }
    for title in LOGS:
        assert found[title]["label_extractors"] == {"account": "EXTRACT(labels.account)"}
    assert made.resources["google_logging_metric.polls"]["filter"] == f"{POLL}ok=true"


@pytest.mark.parametrize("title", LINES)
def test_what_the_pipelines_tell_is_found(plan: Plan, title: str) -> None:
    """In the JSON line of a run on Cloud Run, and as Dataflow takes up what a worker logs."""
    alerts = plan(**EVERYTHING).all("google_monitoring_alert_policy").values()
    (alert,) = [alert for alert in alerts if _title(alert) == title]
    found = re.fullmatch(
        r'\(resource\.type="cloud_run_job" OR resource\.type="dataflow_step"\) AND jsonPayload\.message:"(.+)"',
        _condition(alert, "condition_matched_log")["filter"],
    )
    assert found
    assert found[1] in LINES[title]
    assert "account" not in str(alert)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_measured(plan: Plan, size: str) -> None:
    found = {}
    for address, alert in plan(size=size, **EVERYTHING).all("google_monitoring_alert_policy").items():
        if ".log[" in address:
            continue
        is_absence = ".absence[" in address
        asked = _condition(alert, "condition_absent" if is_absence else "condition_threshold")
        (how,) = asked["aggregations"]
        labels = dict(re.findall(r"([\w.]+)=(\w+\([^)]*\)|[^ ]+)", asked["filter"].replace('"', "")))
        metric, _ = labels.pop("metric.type"), labels.pop("resource.type")
        sign = "absent" if is_absence else {"COMPARISON_GT": "> ", "COMPARISON_LT": "< "}[asked["comparison"]]
        threshold = "" if is_absence else f"{asked['threshold_value']:g}"
        missing = {None: "", "EVALUATION_MISSING_DATA_ACTIVE": " or none"}[asked.get("evaluation_missing_data")]
        aligner = how["per_series_aligner"].removeprefix("ALIGN_")
        assert how["cross_series_reducer"] == f"REDUCE_{aligner}"
        found[_title(alert)] = (
            metric,
            " ".join(labels.values()),
            f"{sign}{threshold}{missing}",
            asked["duration"],
            how["alignment_period"],
            aligner,
        )
    assert found == METRICS_OF[size]


def test_jobs_that_there_are_not_are_not_watched_over(plan: Plan) -> None:
    without = plan(size="small", image_tag="v1").all("google_monitoring_alert_policy").values()
    assert "Watching fails" not in map(_title, without)
    some = plan(size="small", image_tag="v1", watch="true").all("google_monitoring_alert_policy").values()
    (alert,) = [alert for alert in some if _title(alert) == "Watching fails"]
    assert 'one_of("snapshot")' in _condition(alert, "condition_threshold")["filter"]


@pytest.mark.parametrize("size", SIZES)
def test_every_alert_reaches_a_person_and_names_its_section(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    alerts = made.all("google_monitoring_alert_policy")
    headings = re.findall(r"^##+ (.*)$", RUNBOOK, re.MULTILINE)
    sections = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    table = RUNBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    for alert in alerts.values():
        title = _title(alert)
        section = re.search(r"docs/operations\.md#([a-z-]+)$", alert["documentation"][0]["content"])
        assert section, title
        assert section[1] in sections
        assert re.search(rf"\| {re.escape(title)} \|.*\(#{section[1]}\)", table), title
    about_dataflow = [address for address, alert in alerts.items() if "dataflow_job" in str(alert)]
    assert bool(about_dataflow) == (size == "stream")
    for address in ("metric", "log", "absence"):
        assert made.refers(f"google_monitoring_alert_policy.{address}", "notification_channels") == "local.channels"
    source = (INFRA / "alerts.tf").read_text()
    assert re.search(r"channels = concat\(\n.*channel\.email\.id\],\n.*channel\.slack\[\*\]\.id,\n", source)


def test_the_channels(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    told = {
        address.removeprefix("google_monitoring_notification_channel."): (channel["type"], channel["labels"])
        for address, channel in made.all("google_monitoring_notification_channel").items()
        if "slack" not in address
    }
    assert told == {
        "email": ("email", {"email_address": "me@example.com"}),
        "budget[0]": ("email", {"email_address": "channel@example.slack.com"}),
    }
    slack = made.resources["google_monitoring_notification_channel.slack[0]"]
    assert slack["type"] == "pubsub"
    budget = made.resources["google_billing_budget.this[0]"]
    assert budget["display_name"].endswith("docs/operations.md#what-it-costs")
    assert [(rule["threshold_percent"], rule["spend_basis"]) for rule in budget["threshold_rules"]] == [
        (0.5, None),
        (1, None),
        (1, "FORECASTED_SPEND"),
    ]
    channels = made.referred("google_billing_budget.this", "all_updates_rule", 0, "monitoring_notification_channels")
    assert {
        "google_monitoring_notification_channel.email.id",
        "google_monitoring_notification_channel.budget",
    } <= channels
    without = plan(billing_account=EVERYTHING["billing_account"])
    assert set(without.all("google_monitoring_notification_channel")) == {
        "google_monitoring_notification_channel.email"
    }


def test_alerts_ask_for_fields_that_polls_have() -> None:
    producer = (ROOT / "docs" / "producer.md").read_text(encoding="utf-8")
    fields = set(re.findall(r"jsonPayload\.(\w+)", (INFRA / "alerts.tf").read_text())) - {"message"}
    assert fields == {"event", "ok", "seconds_since_success", "gaps_open", "token_days_left", "plays_rejected"}
    for field in fields:
        assert f"`{field}`" in producer


def test_before_there_is_an_image_nothing_runs_and_nothing_is_watched_for_running(plan: Plan) -> None:
    for size in SIZES:
        made = plan(size=size)
        assert not made.all("google_cloud_run_v2_job")
        assert not made.all("google_cloud_scheduler_job")
        assert not made.all("google_dataflow_flex_template_job")
        assert not made.all("google_monitoring_alert_policy")


def test_slack_is_told_by_a_workflow_that_reads_the_webhook(plan: Plan) -> None:
    source = plan(size="small", **EVERYTHING).resources["google_workflows_workflow.slack[0]"]["source_contents"]
    steps = {name: step for part in yaml.safe_load(source)["main"]["steps"] for name, step in part.items()}
    assert "$${" not in source
    assert steps["webhook"]["args"] == {"secret_id": "slack-webhook", "version": "latest"}
    assert steps["tell"]["try"]["args"]["body"]["text"].startswith("${")
