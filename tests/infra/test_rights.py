"""Who may do what: each right that Terraform gives is written down here too, so that none comes or goes unseen."""

import json
import re

import pytest

from tests.infra.conftest import EVERYTHING, ROOT, Plan

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans

INFRA = ROOT / "infra"
SIZES = ("small", "stream")
# Each is explained where it is given.
PROJECT_ROLES = {
    "small": {
        ("builder_logs", "roles/logging.logWriter"),
        ("load_jobs", "roles/bigquery.jobUser"),  # for queries of the pages too
        ("producer_lists_logins", None),  # a role of our own, with one permission
        ("producer_keeps_logins", "roles/secretmanager.secretAccessor"),
        ("producer_keeps_logins", "roles/secretmanager.secretVersionManager"),
        ("producer_keeps_logins", None),  # a role of our own, with two permissions
        ("slack_starts", "roles/workflows.invoker"),
    },
    "stream": {("dataflow_launches", None), ("dataflow_works", "roles/dataflow.worker")},
}
PROJECT_ROLES["stream"] |= PROJECT_ROLES["small"]
OWN_ROLES = {
    "lists_secrets": {"secretmanager.secrets.list"},
    "leases_logins": {"secretmanager.secrets.get", "secretmanager.secrets.update"},
    "launches": {
        "dataflow.jobs.create", "dataflow.jobs.get", "dataflow.jobs.list", "dataflow.jobs.updateContents",
        "dataflow.messages.list", "dataflow.metrics.get",
    },
}  # fmt: skip
# Who writes the archive, and who rebuilds tables from it. Nobody may delete below archive/plays.
ARCHIVIST = {"small": "producer", "stream": "stream"}
REBUILDER = {"small": "producer", "stream": "rebuild"}
FOLDER_ROLES: dict[str, set[tuple[str, ...]]] = {
    "small": {
        ("archive", "ARCHIVIST", "objectCreator"),
        ("archive", "ARCHIVIST", "objectViewer"),
        ("archive/rebuilt", "REBUILDER", "objectUser"),
        ("staging", "builder", "objectViewer"),
        ("state", "producer", "objectUser"),
        ("state", "web", "objectViewer"),
        ("temp", "REBUILDER", "objectUser"),
    },
    "stream": {
        ("archive", "rebuild", "objectViewer"),
        ("staging", "rebuild", "objectUser"),
        ("archive", "producer", "objectViewer"),  # what was heard; the stream writes it
        ("staging", "stream", "objectUser"),
        ("temp", "stream", "objectUser"),
    },
}
FOLDER_ROLES["stream"] |= FOLDER_ROLES["small"]
# On single resources, to our accounts: the resource's type, its name in Terraform, the role and who.
RESOURCE_ROLES: dict[str, set[tuple[str, ...]]] = {
    "small": {
        ("artifact_registry_repository", "builder_pushes", "artifactregistry.writer", "builder"),
        ("bigquery_dataset", "writers", "bigquery.dataEditor", "ARCHIVIST"),
        ("bigquery_dataset", "writers", "bigquery.dataEditor", "REBUILDER"),
        ("bigquery_dataset", "web_reads", "bigquery.dataViewer", "web"),
        ("cloud_run_v2_job", "scheduler_starts_poll", "run.invoker", "scheduler"),
        ("cloud_run_v2_job", "scheduler_starts_watching", "run.invoker", "scheduler"),
        ("secret_manager_secret", "producer_knows_the_app", "secretmanager.secretAccessor", "producer"),
        ("secret_manager_secret", "slack_knows_the_webhook", "secretmanager.secretAccessor", "slack"),
    },
    "stream": {
        ("artifact_registry_repository", "dataflow_pulls", "artifactregistry.reader", "stream"),
        ("artifact_registry_repository", "dataflow_pulls", "artifactregistry.reader", "rebuild"),
        ("cloud_run_v2_job", "scheduler_starts_rebuild", "run.invoker", "scheduler"),
        ("pubsub_subscription", "reader", "pubsub.subscriber", "stream"),
        ("pubsub_subscription", "reader", "pubsub.viewer", "stream"),
        ("pubsub_topic", "producer_publishes", "pubsub.publisher", "producer"),
        ("service_account", "dataflow_is_itself", "iam.serviceAccountUser", "stream"),
        ("service_account", "dataflow_is_itself", "iam.serviceAccountUser", "rebuild"),
    },
}
RESOURCE_ROLES["stream"] |= RESOURCE_ROLES["small"]
# To accounts of Google's services.
SERVICE_ROLES = {
    ("pubsub_topic", "monitoring_publishes", "pubsub.publisher"),
    ("kms_crypto_key", "service", "cloudkms.cryptoKeyEncrypterDecrypter"),
    ("cloud_run_v2_service", "iap_invokes_web", "run.invoker"),
}
# To people, by name.
PEOPLE = {
    ("iap_web_cloud_run_service", "users", "iap.httpsResourceAccessor", member)
    for member in json.loads(EVERYTHING["web_users"])
}
# To everybody: nothing but this.
EVERYBODY = {("storage_bucket", "everybody_reads_recaps", "storage.legacyObjectReader", "allUsers")}


def _account(member: str) -> str:
    found = re.fullmatch(r"serviceAccount:heavy-rotation-(\w+)@my-project\.iam\.gserviceaccount\.com", member)
    assert found, member
    return found[1]


def _in_size(size: str, rights: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The rights, with the accounts that archive and rebuild in that size."""
    names = {"ARCHIVIST": ARCHIVIST[size], "REBUILDER": REBUILDER[size]}
    return {tuple(names.get(word, word) for word in right) for right in rights}


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
    for address, values in made.all("google_project_iam_member").items():
        if ".producer_keeps_logins[" in address:
            expression = values["condition"][0]["expression"]
            assert expression.startswith('resource.name.startsWith("projects/')
            assert expression.endswith('/secrets/heavy-rotation-")')
    roles = made.all("google_project_iam_custom_role").items()
    # The same in each size: one that a move deletes cannot be made again for weeks.
    assert {address.split(".")[1]: set(values["permissions"]) for address, values in roles} == OWN_ROLES


def test_rights_for_the_whole_project_are_explained() -> None:
    """In the line above, or within."""
    told = 0
    for path in INFRA.glob("*.tf"):
        text = path.read_text()
        for block in re.finditer(
            r'^resource "google_project_iam_\w+" "(\w+)" {\n(.*?)^}', text, re.MULTILINE | re.DOTALL
        ):
            above = text[: block.start()].splitlines()[-1]
            assert above.startswith("#") or re.search(r"^  # ", block[2], re.MULTILINE), block[1]
            told += 1
    assert told == len({name for name, _ in PROJECT_ROLES["stream"]}) + len(OWN_ROLES)


@pytest.mark.parametrize("size", SIZES)
def test_rights_on_folders(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING).all("google_storage_managed_folder_iam_member").values()
    given = {
        (v["managed_folder"].rstrip("/"), _account(v["member"]), v["role"].removeprefix("roles/storage.")) for v in made
    }
    assert given == _in_size(size, FOLDER_ROLES[size])


@pytest.mark.parametrize("size", SIZES)
def test_rights_on_other_things(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    ours, of_services, people = set(), set(), set()
    for address, values in made.resources.items():
        found = re.fullmatch(r"google_(\w+)_iam_member\.(\w+)(?:\[.*\])?", address)
        if not found or found[1] in ("project", "storage_managed_folder"):
            assert found or "_iam_" not in address or "custom_role" in address, address
            continue
        role = values["role"].removeprefix("roles/")
        if (found[1], found[2], role) in SERVICE_ROLES:
            of_services.add((found[1], found[2], role))
        elif (right := (found[1], found[2], role, values["member"])) in PEOPLE | EVERYBODY:
            people.add(right)
        else:
            ours.add((found[1], found[2], role, _account(values["member"])))
    assert ours == _in_size(size, RESOURCE_ROLES[size])
    assert of_services == SERVICE_ROLES
    assert people == PEOPLE | EVERYBODY


@pytest.mark.parametrize("size", SIZES)
def test_nobody_is_anybody_and_nobody_has_a_key(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    assert not [
        a for a in made.resources if a.startswith(("google_service_account_key", "google_secret_manager_secret_v"))
    ]
    members = {address: values["member"] for address, values in made.resources.items() if "member" in values}
    # Whom Cloud Storage works as, only Google says.
    members.pop('google_kms_crypto_key_iam_member.service["storage"]')
    members.pop("google_cloud_run_v2_service_iam_member.iap_invokes_web[0]", None)
    everybody = members.pop("google_storage_bucket_iam_member.everybody_reads_recaps[0]")
    assert everybody == "allUsers"  # who reads one object, having been told its name
    people = {
        address for address in members if address.startswith("google_iap_web_cloud_run_service_iam_member.users[")
    }
    assert len(people) == 2
    assert not {member for member in members.values() if member.startswith("all")}
    assert all(member.startswith("serviceAccount:") for address, member in members.items() if address not in people)
    roles = {values.get("role") for values in made.resources.values()}
    assert not roles & {"roles/owner", "roles/editor", "roles/viewer", "roles/storage.admin", "roles/bigquery.admin"}
