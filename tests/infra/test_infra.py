"""What Terraform would make: held to the tables, to the commands' own options, to the runbook and to its promises."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipelines import tables
from pipelines.options import parse_rebuild, parse_stream, stream_parser
from pipelines.warehouse.bigquery import TIME_ZONE_LABEL, as_label
from producer import commandline
from tests.gcloud import refused_by_gcloud
from tests.infra.conftest import EVERYTHING, MINIMUM, ROOT, Plan, run_check
from tests.templates.launcher import BUCKET, JOB

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans

INFRA = ROOT / "infra"
LITTLE = {"image_tag": "v1", "bucket": BUCKET}
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SIZES = ("small", "stream")


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


def test_raw_plays_takes_its_columns_from_a_file_of_this_version(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    reference = made.resources["google_storage_bucket_object.play_schema[0]"]
    (external,) = made.resources["google_bigquery_table.raw_plays[0]"]["external_data_configuration"]
    assert external["reference_file_schema_uri"] == f"gs://my-project-heavy-rotation/{reference['name']}"
    # It is no file of plays, neither to BigQuery nor to the archive's readers.
    assert not reference["name"].startswith("archive/")
    assert (INFRA / reference["source"]).resolve() == ROOT / "pipelines" / "tables" / "play.avro"


def test_nothing_that_stays_depends_on_the_size(plan: Plan) -> None:
    """So that moving from one size to the other is a matter of who reads."""
    small, stream = plan(size="small", **EVERYTHING), plan(size="stream", **EVERYTHING)
    kinds = (
        "google_storage_bucket", "google_storage_managed_folder",
        "google_bigquery_dataset", "google_bigquery_table", "google_secret_manager_secret",
        "google_artifact_registry_repository",
    )  # fmt: skip
    for kind in kinds:
        assert small.all(kind)
        assert small.all(kind) == stream.all(kind)


def test_labels_are_the_same_in_both_sizes(plan: Plan) -> None:
    """What stays would otherwise be labelled anew with each move."""
    for size in SIZES:
        for provider in plan(size=size).providers.values():
            assert provider["expressions"]["default_labels"]["references"] == ["local.labels"]
    (labels,) = re.findall(r"^  labels += (.*)$", (INFRA / "apis.tf").read_text(), re.MULTILINE)
    assert labels == '{ application = "heavy-rotation" }'


def test_a_message_is_lost_nowhere(plan: Plan) -> None:
    made = plan(size="stream")
    topic = made.resources["google_pubsub_topic.plays[0]"]
    assert topic["message_retention_duration"] == f"{31 * 24 * 3600}s"
    address = "google_pubsub_subscription.stream[0]"
    reader = made.resources[address]
    assert reader["name"] == "plays-stream"
    assert reader["ack_deadline_seconds"] == 600
    assert reader["retain_acked_messages"]
    assert reader["message_retention_duration"] == f"{7 * 24 * 3600}s"
    assert reader["expiration_policy"] == [{"ttl": ""}]
    assert made.refers(address, "topic") == "google_pubsub_topic.plays[0].id"


def test_dataflow_reads_a_subscription_as_it_supports_them(plan: Plan) -> None:
    """Neither dead letters nor a retry policy, and there is one subscription, and none in size small."""
    (reader,) = plan(size="stream").all("google_pubsub_subscription").values()
    assert (reader["dead_letter_policy"], reader["retry_policy"]) == ([], [])
    assert not plan(size="small", image_tag="v1").all("google_pubsub_subscription")
    assert not plan(size="small", image_tag="v1").all("google_pubsub_topic")


@pytest.mark.parametrize("size", SIZES)
def test_a_second_plan_says_no_changes(size: str) -> None:
    """Each resource as the provider would read it back: a running job is not launched again by every apply."""
    variables = {**MINIMUM, "size": size, "image_tag": "v1"}
    done = run_check(INFRA, "replan", *(f"-var={name}={value}" for name, value in variables.items()))
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["resource_changes"]
    assert len(changes) > 40
    assert {change["address"] for change in changes if change["change"]["actions"] != ["no-op"]} == set()


def test_the_bucket_deletes_what_was_deleted_and_what_was_left_behind(plan: Plan) -> None:
    """Of what is alive only files on their way: no archive, no template, nothing that a job was launched from."""
    bucket = plan().resources["google_storage_bucket.this"]
    assert bucket["versioning"] == [{"enabled": True}]
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"]
    assert not bucket["force_destroy"]
    assert bucket["soft_delete_policy"] == [{"retention_duration_seconds": 7 * 24 * 3600}]
    rules = []
    for rule in bucket["lifecycle_rule"]:
        told = {name: value for name, value in rule["condition"][0].items() if value not in (None, [])}
        rules.append((rule["action"][0]["type"], told))
    replaced = ["state/", "archive/rebuilt/"]
    waiting = ["temp/", "staging/source/"]
    assert rules == [
        ("Delete", {"days_since_noncurrent_time": 30, "with_state": "ARCHIVED"}),
        ("Delete", {"num_newer_versions": 3, "matches_prefix": replaced, "with_state": "ARCHIVED"}),
        ("Delete", {"age": 1, "matches_prefix": ["temp/rebuild-"], "with_state": "LIVE"}),
        ("Delete", {"age": 7, "matches_prefix": waiting, "with_state": "LIVE"}),
        ("Delete", {"days_since_noncurrent_time": 1, "matches_prefix": waiting, "with_state": "ARCHIVED"}),
        ("AbortIncompleteMultipartUpload", {"age": 7}),
    ]
    alive = [prefix for _, told in rules if told.get("with_state") == "LIVE" for prefix in told["matches_prefix"]]
    for needed in ("archive/plays/a.avro", "templates/v1/stream.json", "staging/stream.17/pipeline.pb", "state/a.json"):
        assert not needed.startswith(tuple(alive)), needed


def test_a_rebuild_waits_to_be_loaded_where_the_bucket_cleans_up() -> None:
    source = ROOT / "pipelines" / "rebuilding" / "bigquery.py"
    assert 'LineStaging(f"{root}/rebuild-{' in source.read_text(encoding="utf-8")


# The API that a type of resource is made through, by the beginning of its name, without google_.
API_OF = {
    "artifact_registry": "artifactregistry",
    "bigquery": "bigquery",
    "billing_budget": "billingbudgets",
    "cloud_run_v2": "run",
    "cloud_scheduler": "cloudscheduler",
    "compute": "compute",
    "dataflow": "dataflow",
    "eventarc": "eventarc",
    "iap": "iap",
    "kms": "cloudkms",
    "logging": "logging",
    "monitoring": "monitoring",
    "project_iam_member": "cloudresourcemanager",
    "project_iam_custom_role": "iam",
    "project_service": "serviceusage",
    "pubsub": "pubsub",
    "secret_manager": "secretmanager",
    "service_account": "iam",
    "storage": "storage",
    "workflows": "workflows",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("more", [LITTLE, EVERYTHING], ids=["little", "everything"])
def test_every_api_that_is_used_is_switched_on(plan: Plan, size: str, more: dict[str, str]) -> None:
    made = plan(size=size, **more)
    on = {values["service"].removesuffix(".googleapis.com") for values in made.all("google_project_service").values()}
    used = {"cloudbuild"}  # templates/build.sh
    if "slack" in more:
        used.add("workflowexecutions")  # what Eventarc asks to run the workflow
    for address in made.resources:
        kind = address.split(".")[0].removeprefix("google_")
        (api,) = {api for beginning, api in API_OF.items() if f"{kind}_".startswith(f"{beginning}_")}
        used.add(api)
    assert on == used
    assert not any(values["disable_on_destroy"] for values in made.all("google_project_service").values())


@pytest.mark.parametrize("size", SIZES)
def test_the_schedules(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    found = {values["name"]: values for values in made.all("google_cloud_scheduler_job").values()}
    poll = {"poll": ("*/10 * * * *", "Etc/UTC")}
    nightly = {"snapshot": ("10 4 * * *", "Europe/Paris"), "enrich": ("40 4 * * *", "Europe/Paris")}
    nightly |= {"rebuild": ("30 3 * * *", "Europe/Paris")} if size == "stream" else {}
    assert {name: (values["schedule"], values["time_zone"]) for name, values in found.items()} == poll | nightly
    for name, values in found.items():
        (target,) = values["http_target"]
        assert target["http_method"] == "POST"
        assert target["uri"].endswith(f"/projects/my-project/locations/europe-west1/jobs/{name}:run")
        assert target["oauth_token"][0]["service_account_email"].startswith("heavy-rotation-scheduler@")
        assert values["paused"] is None  # what was paused by hand is not Terraform's matter


def test_the_stream_is_the_job_that_tests_of_the_templates_launch(plan: Plan) -> None:
    job = plan(size="stream", **LITTLE).resources["google_dataflow_flex_template_job.stream[0]"]
    assert {name: value for name, value in job.items() if value is not None} == JOB


def test_what_nobody_chose_is_what_the_commands_choose() -> None:
    variables = _variables()
    for name in ("time_zone", "bigquery_write_method"):
        default = re.search(r'^  default += "(.*)"$', variables[name], re.MULTILINE)
        assert default
        assert default[1] == stream_parser().get_default(name)


def test_the_command_that_launches_makes_the_same_job(plan: Plan) -> None:
    made = plan(size="stream", **EVERYTHING)
    job = made.resources["google_dataflow_flex_template_job.stream[0]"]
    assert job["transform_name_mapping"] == {"Old name": "New name"}
    words = shlex.split(made.outputs["launch_stream"])
    assert words[:5] == ["gcloud", "dataflow", "flex-template", "run", job["name"]]
    (label,) = job["labels"].items()
    flags = {
        "--project=my-project",
        f"--region={job['region']}",
        f"--template-file-gcs-location={job['container_spec_gcs_path']}",
        f"--service-account-email={job['service_account_email']}",
        "--disable-public-ips",
        "--enable-streaming-engine",
        f"--launcher-machine-type={job['launcher_machine_type']}",
        f"--additional-experiments={job['additional_experiments'][0]}",
        f"--additional-user-labels={'='.join(label)}",
        f"--dataflow-kms-key={job['kms_key_name']}",
    }
    assert set(words[5:]) == flags | {f"--parameters={name}={value}" for name, value in job["parameters"].items()}
    # The rebuild is launched the same way, by its own account.
    rebuild = set(shlex.split(made.outputs["launch_rebuild"])[5:])
    account, template = job["service_account_email"], job["container_spec_gcs_path"]
    own = {account: account.replace("-stream@", "-rebuild@"), template: template.replace("/stream.", "/rebuild.")}
    as_stream = {_in_words(flag, own) for flag in flags - {"--enable-streaming-engine"}}
    places = {name: job["parameters"][name] for name in ("archive", "warehouse", "time_zone")}
    assert rebuild == as_stream | {f"--parameters={name}={value}" for name, value in places.items()}
    parse_rebuild([*(f"--{name}={value}" for name, value in places.items()), "--temp_location=gs://bucket/temp"])
    # Where there is no such job, there is no account and no network for it.
    for variables in ({"size": "small", **EVERYTHING}, {"size": "stream"}):
        outputs = plan(**variables).outputs
        assert (outputs["launch_stream"], outputs["launch_rebuild"]) == (None, None)


def _in_words(flag: str, words: dict[str, str]) -> str:
    name, _, value = flag.partition("=")
    return f"{name}={words.get(value, value)}" if value else flag


@pytest.mark.parametrize("size", SIZES)
def test_gcloud_understands_the_commands_that_are_printed(plan: Plan, size: str, tmp_path: Path) -> None:
    if not shutil.which("gcloud"):
        pytest.skip("what Terraform prints is not checked: gcloud is not installed")
    printed = [value for value in plan(size=size, **EVERYTHING).outputs.values() if isinstance(value, str)]
    lines = [line for value in printed for line in value.splitlines() if line.startswith("gcloud ")]
    lines += [f"{line} --update" for line in lines if "flex-template run" in line]
    assert len(lines) == {"small": 4, "stream": 9}[size]
    assert not refused_by_gcloud(lines, tmp_path)


def test_the_next_steps_are_those_of_the_runbook(plan: Plan) -> None:
    """In its order: nothing is started before there is a login. And a tag is written down, not given for once."""
    steps = plan(**EVERYTHING).outputs["next_steps"]
    commands = [line for line in steps.splitlines() if not line.startswith("#")]
    begins = [
        "templates/build.sh ",
        "gcloud secrets versions add spotify-app ",
        "gcloud secrets versions add slack-webhook ",
        "SPOTIFY_CLIENT_SECRET_NAME=",
        "terraform -chdir=infra apply",
        "gcloud run jobs execute poll ",
    ]
    for command, begin in zip(commands, begins, strict=True):
        assert command.startswith(begin)
    assert "-var" not in steps
    deploy = RUNBOOK.partition("\n## Deploy\n")[2].partition("\n## ")[0]
    order = [
        "services enable",
        "apply\ntemplates/build.sh",
        "versions add spotify-app",
        "producer login",
        'image_tag = "v1"',
        "apply\ngcloud run jobs execute poll",
    ]
    places = [deploy.index(text) for text in order]
    assert places == sorted(places)


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
    if size == "stream":
        words = _container(made.resources["google_cloud_run_v2_job.rebuild[0]"])
        assert words[0] == "as_listener"
        assert "--months=late" in words
        ran.add(_parse(words[1:]))
        job = made.resources["google_dataflow_flex_template_job.stream[0]"]
        ran.add(_parse(["python", "-m", "pipelines.stream", *(f"--{k}={v}" for k, v in job["parameters"].items())]))
        _assert_taken_by_the_template(job["parameters"])
    assert ran - {"pipelines.stream"} == {"poll", "doctor", "login", "pipelines.rebuild"}
    assert ("pipelines.stream" in ran) == (size == "stream")


def _assert_taken_by_the_template(parameters: dict[str, str]) -> None:
    metadata = json.loads((ROOT / "templates/stream_metadata.json").read_text(encoding="utf-8"))
    patterns = {each["name"]: each["regexes"] for each in metadata["parameters"]}
    for name, value in parameters.items():
        assert all(re.fullmatch(pattern, value) for pattern in patterns[name]), name


def _parse(words: list[str]) -> str:
    """Parse a command with its own parser, which exits where an option is unknown, and say which it was."""
    assert words[:2] == ["python", "-m"]
    if words[2] == "producer":
        commandline.parse(words[3:])
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
    ("poll", "rebuild", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)], ids=lambda value: str(value)
)
def test_size_small_rebuilds_whatever_became_of_the_poll(
    plan: Plan, tmp_path: Path, poll: int, rebuild: int, code: int
) -> None:
    script = _script(plan(**EVERYTHING).resources["google_cloud_run_v2_job.poll[0]"])
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$2" >> {tmp_path}/ran\ncase $2 in producer) exit {poll};; *) exit {rebuild};; esac\n'
    )
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", script], env=environment, check=False, timeout=60)
    assert (tmp_path / "ran").read_text().split() == ["producer", "pipelines.rebuild"]
    assert done.returncode == code


def _variables() -> dict[str, str]:
    text = (INFRA / "variables.tf").read_text()
    return dict(re.findall(r'^variable "(\w+)" {\n(.*?)^}', text, re.MULTILINE | re.DOTALL))


def test_variables_say_what_they_are() -> None:
    blocks = _variables()
    for name, block in blocks.items():
        assert re.search(r"^  description = \"[A-Za-z].*\.\"$", block, re.MULTILINE), name
        kind = re.search(r"^  type +=.* (string|number|bool|(?:list|map)\(string\))$", block, re.MULTILINE)
        assert kind, name
        assert kind[1] == "bool" or "validation {" in block, name
    required = {name for name, block in blocks.items() if not re.search(r"^  default ", block, re.MULTILINE)}
    assert required == {"project_id", "alert_email", "size"}
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
    variables = [f"-var={key}={text}" for key, text in {**MINIMUM, "size": "small", name: value}.items()]
    done = run_check(INFRA, "plan", *variables)
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Port-au-Prince", "America/Argentina/Buenos_Aires", "UTC"])
def test_the_dataset_says_its_time_zone_as_the_pipelines_look_for_it(plan: Plan, zone: str) -> None:
    dataset = plan(time_zone=zone).resources["google_bigquery_dataset.this"]
    assert dataset["labels"] == {TIME_ZONE_LABEL: as_label(zone)}
