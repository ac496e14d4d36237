"""What Terraform would make: held to the tables, to the commands' own options, to the runbook and to its promises."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import tables
from pipelines.options import parse_rebuild, parse_stream
from producer.__main__ import _parser as producer_parser
from tests.infra.conftest import EVERYTHING, MINIMUM, ROOT, Plan, run_check

pytestmark = pytest.mark.xdist_group("infra")

INFRA = ROOT / "infra"
SIZES = ("small", "stream")
# Each is explained where it is given.
PROJECT_ROLES = {
    "small": {
        ("builder_logs", "roles/logging.logWriter"),
        ("load_jobs", "roles/bigquery.jobUser"),
        ("producer_lists_logins", None),  # a role of our own, with one permission
        ("producer_keeps_logins", "roles/secretmanager.secretAccessor"),
        ("producer_keeps_logins", "roles/secretmanager.secretVersionManager"),
        ("slack_starts", "roles/workflows.invoker"),
    },
    "stream": {("stream_launches", None), ("stream_works", "roles/dataflow.worker")},
}
PROJECT_ROLES["stream"] |= PROJECT_ROLES["small"]


def test_tables_are_those_of_the_pipelines(plan: Plan) -> None:
    made = plan().all("google_bigquery_table")
    found = {values["table_id"]: values for address, values in made.items() if ".table[" in address}
    assert set(found) == set(tables.TABLES)
    for name, values in found.items():
        assert values["schema"] == (ROOT / "pipelines" / "tables" / f"{name}.json").read_text()
        layout = json.loads((ROOT / "pipelines" / "tables" / "layout.json").read_text())[name]
        partition = values["time_partitioning"][0]
        assert {"type": partition["type"], "field": partition["field"]} == layout["timePartitioning"]
        assert values["clustering"] == layout.get("clustering", {}).get("fields")
        assert values["deletion_protection"]


def test_views_are_those_of_the_pipelines_and_come_after_what_they_read(plan: Plan) -> None:
    made = plan().all("google_bigquery_table")
    lower = {values["table_id"]: values for address, values in made.items() if ".lower_view[" in address}
    upper = {values["table_id"]: values for address, values in made.items() if ".upper_view[" in address}
    assert set(lower) | set(upper) == set(tables.VIEWS)
    for name, values in (lower | upper).items():
        query = values["view"][0]["query"]
        assert query == tables.view_sql(name, "my-project.heavy_rotation")
        read = set(re.findall(r"my-project\.heavy_rotation\.(\w+)", query))
        assert read <= set(tables.TABLES) | (set(lower) if name in upper else set())


@pytest.mark.parametrize("size", SIZES)
def test_rights_for_the_whole_project_are_few(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    given = {
        (address.split(".")[1].partition("[")[0], values.get("role"))
        for address, values in made.all("google_project_iam_member").items()
    }
    assert given == PROJECT_ROLES[size]
    others = {address.split(".")[0] for address in made.resources if address.startswith("google_project_iam")}
    assert others == {"google_project_iam_member", "google_project_iam_custom_role"}
    for values in made.all("google_project_iam_member").values():
        if (values.get("role") or "").startswith("roles/secretmanager"):
            expression = values["condition"][0]["expression"]
            assert expression.startswith('resource.name.startsWith("projects/')
            assert expression.endswith('/secrets/heavy-rotation-")')


def test_rights_for_the_whole_project_are_explained() -> None:
    for path in INFRA.glob("*.tf"):
        for before, body in re.findall(
            r'(.*)\nresource "google_project_iam_\w+" "\w+" {\n(.*?)\n}', path.read_text(), re.DOTALL
        ):
            assert before.rstrip().splitlines()[-1].startswith("#") or "\n  # " in f"\n{body}", body


@pytest.mark.parametrize("size", SIZES)
def test_nobody_is_anybody_and_nobody_has_a_key(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    assert not [
        a for a in made.resources if a.startswith(("google_service_account_key", "google_secret_manager_secret_v"))
    ]
    members = {address: values["member"] for address, values in made.resources.items() if "member" in values}
    # Whom Cloud Storage works as, only Google says.
    members.pop('google_kms_crypto_key_iam_member.service["storage"]')
    assert members
    assert all(member.startswith("serviceAccount:") for member in members.values())
    roles = {values.get("role") for values in made.resources.values()}
    assert not roles & {"roles/owner", "roles/editor", "roles/viewer", "roles/storage.admin", "roles/bigquery.admin"}


def test_nothing_that_stays_depends_on_the_size(plan: Plan) -> None:
    """So that moving from one size to the other is a matter of who reads."""
    small, stream = plan(size="small", **EVERYTHING), plan(size="stream", **EVERYTHING)
    kinds = (
        "google_pubsub_topic", "google_pubsub_subscription", "google_storage_bucket", "google_storage_managed_folder",
        "google_bigquery_dataset", "google_bigquery_table", "google_secret_manager_secret",
        "google_artifact_registry_repository",
    )  # fmt: skip
    for kind in kinds:
        assert small.all(kind)
        assert small.all(kind) == stream.all(kind)


def test_a_message_is_lost_nowhere(plan: Plan) -> None:
    made = plan()
    topic = made.resources["google_pubsub_topic.plays"]
    assert topic["message_retention_duration"] == f"{31 * 24 * 3600}s"
    reader = made.resources["google_pubsub_subscription.stream"]
    assert reader["name"] == "plays-stream"
    assert reader["retain_acked_messages"]
    assert reader["message_retention_duration"] == f"{7 * 24 * 3600}s"
    assert reader["expiration_policy"] == [{"ttl": ""}]
    dead = made.resources["google_pubsub_subscription.dead_letter"]
    assert dead["expiration_policy"] == [{"ttl": ""}]
    assert "topic                      = google_pubsub_topic.dead_letter.id" in (INFRA / "pubsub.tf").read_text()


def test_no_rule_deletes_from_the_archive(plan: Plan) -> None:
    bucket = plan().resources["google_storage_bucket.this"]
    assert bucket["versioning"] == [{"enabled": True}]
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"]
    assert not bucket["force_destroy"]
    for rule in bucket["lifecycle_rule"]:
        condition = rule["condition"][0]
        deletes = rule["action"][0]["type"] == "Delete"
        assert (
            not deletes or condition["with_state"] == "ARCHIVED" or condition["matches_prefix"] == ["temp/", "staging/"]
        )


@pytest.mark.parametrize("size", SIZES)
def test_commands_have_options_that_are_there(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    ran = set()
    for script in [
        _script(made.resources["google_cloud_run_v2_job.poll[0]"]),
        made.outputs["doctor"],
        made.outputs["login"],
    ]:
        for command in re.split(r";|&&", script):
            words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=|polled=|exit|\$polled", word)]
            if words:
                ran.add(_parse(words))
    words = _container(made.resources["google_cloud_run_v2_job.rebuild[0]"])
    assert words[0] == "as_listener"
    ran.add(_parse(words[1:]))
    if size == "stream":
        job = made.resources["google_dataflow_flex_template_job.stream[0]"]
        ran.add(_parse(["python", "-m", "pipelines.stream", *(f"--{k}={v}" for k, v in job["parameters"].items())]))
    assert ran == {"poll", "doctor", "login", "pipelines.stream", "pipelines.rebuild"}


def _parse(words: list[str]) -> str:
    """Parse a command with its own parser, which exits where an option is unknown, and say which it was."""
    assert words[:2] == ["python", "-m"]
    if words[2] == "producer":
        producer_parser().parse_args(words[3:])
        return words[3]
    {"pipelines.stream": parse_stream, "pipelines.rebuild": parse_rebuild}[words[2]](words[3:])
    return words[2]


def _container(job: dict[str, Any]) -> list[str]:
    container = job["template"][0]["template"][0]["containers"][0]
    return [*container["command"], *container["args"]]


def _script(job: dict[str, Any]) -> str:
    words = _container(job)
    assert words[:3] == ["as_listener", "/bin/sh", "-c"]
    assert len(words) == 4
    return words[3]


@pytest.mark.parametrize(
    ("poll", "stream", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)], ids=lambda value: str(value)
)
def test_size_small_streams_whatever_became_of_the_poll(
    plan: Plan, tmp_path: Path, poll: int, stream: int, code: int
) -> None:
    script = _script(plan(**EVERYTHING).resources["google_cloud_run_v2_job.poll[0]"])
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$2" >> {tmp_path}/ran\ncase $2 in producer) exit {poll};; *) exit {stream};; esac\n'
    )
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", script], env=environment, check=False, timeout=60)
    assert (tmp_path / "ran").read_text().split() == ["producer", "pipelines.stream"]
    assert done.returncode == code


def _sections() -> set[str]:
    """The anchors of the runbook's sections."""
    headings = re.findall(r"^##+ (.*)$", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("size", SIZES)
def test_every_alert_reaches_a_person_and_names_its_section(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    alerts = made.all("google_monitoring_alert_policy")
    named = set()
    for alert in alerts.values():
        section = re.search(r"docs/operations\.md#([a-z-]+)$", alert["documentation"][0]["content"])
        assert section, alert["display_name"]
        assert section[1] in _sections()
        named.add(section[1])
    for condition in ("data-is-old", "the-producer-fails", "a-gap", "a-token-near-its-end", "backlog", "rejects"):
        assert condition in named
    budget = made.resources["google_billing_budget.this[0]"]
    assert budget["display_name"].endswith("#what-it-costs")
    assert made.resources["google_monitoring_notification_channel.email"]["labels"] == {
        "email_address": "me@example.com"
    }
    about_dataflow = [address for address, alert in alerts.items() if "dataflow_job" in str(alert)]
    assert bool(about_dataflow) == (size == "stream")
    source = (INFRA / "alerts.tf").read_text()
    assert source.count('resource "google_monitoring_alert_policy"') == source.count("= local.channels\n")


@pytest.mark.parametrize("size", SIZES)
def test_the_runbook_tells_of_every_alert(plan: Plan, size: str) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    for alert in plan(size=size, **EVERYTHING).all("google_monitoring_alert_policy").values():
        title = alert["display_name"].removeprefix("Heavy Rotation: ")
        section = alert["documentation"][0]["content"].rpartition("#")[2]
        assert re.search(rf"\| {re.escape(title)} \|.*\(#{section}\)", table), title


def test_alerts_ask_for_fields_that_polls_have() -> None:
    producer = (ROOT / "docs" / "producer.md").read_text(encoding="utf-8")
    fields = set(re.findall(r"jsonPayload\.(\w+)", (INFRA / "alerts.tf").read_text()))
    assert fields == {"event", "ok", "seconds_since_success", "gaps_open", "token_days_left", "plays_rejected"}
    for field in fields:
        assert f"`{field}`" in producer


def test_before_there_is_an_image_nothing_runs_and_nothing_is_watched_for_running(plan: Plan) -> None:
    for size in SIZES:
        made = plan(size=size)
        assert not made.all("google_cloud_run_v2_job")
        assert not made.all("google_dataflow_flex_template_job")
        assert set(made.all("google_monitoring_alert_policy")) == {
            'google_monitoring_alert_policy.metric["dead_letters"]',
            'google_monitoring_alert_policy.metric["rejects"]',
        }


def test_slack_is_told_by_a_workflow_that_reads_the_webhook(plan: Plan) -> None:
    source = plan(size="small", **EVERYTHING).resources["google_workflows_workflow.slack[0]"]["source_contents"]
    steps = {name: step for part in yaml.safe_load(source)["main"]["steps"] for name, step in part.items()}
    assert "$${" not in source
    assert steps["webhook"]["args"] == {"secret_id": "slack-webhook", "version": "latest"}
    assert steps["tell"]["try"]["args"]["body"]["text"].startswith("${")


def test_variables_say_what_they_are() -> None:
    blocks = dict(
        re.findall(r'^variable "(\w+)" {\n(.*?)^}', (INFRA / "variables.tf").read_text(), re.MULTILINE | re.DOTALL)
    )
    for name, block in blocks.items():
        assert re.search(r"^  description = \"[A-Za-z].*\.\"$", block, re.MULTILINE), name
        kind = re.search(r"^  type +=.* (string|number|bool)$", block, re.MULTILINE)
        assert kind, name
        assert kind[1] == "bool" or "validation {" in block, name
    required = {name for name, block in blocks.items() if not re.search(r"^  default ", block, re.MULTILINE)}
    assert required == {"project_id", "alert_email"}
    example = (INFRA / "terraform.tfvars.example").read_text()
    assert required == set(re.findall(r"^(\w+) +=", example, re.MULTILINE))
    assert set(re.findall(r"^# (\w+) +=", example, re.MULTILINE)) <= set(blocks)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("size", "large", "small and stream"),
        ("poll_minutes", "30", "plays are missed"),
        ("time_zone", "Paris, France", "IANA"),
        ("alert_email", "nobody", "e-mail address"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: str, told: str) -> None:
    variables = [f"-var={key}={text}" for key, text in {**MINIMUM, name: value}.items()]
    done = run_check(INFRA, "plan", *variables)
    assert done.returncode == 1
    assert told in done.stderr
