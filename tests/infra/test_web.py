"""The pages in the cloud: not there unless wanted, behind IAP for those who are named, and they change nothing."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines import tables
from pipelines.home import home_of
from tests.infra.conftest import EVERYTHING, MINIMUM, ROOT, Plan, run_check
from web import command
from web.access.iap import Iap
from web.access.settings import access_of

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans
SIZES = ("small", "stream")
SERVICE = "google_cloud_run_v2_service.web[0]"


def test_they_are_off_unless_they_are_wanted(plan: Plan) -> None:
    made = plan(image_tag="v1")
    assert not [address for address in made.resources if "web" in address or "iap" in address]
    assert made.outputs.get("web") is None
    # Before there is an image there is an account, which has to see the tables when it comes.
    early = plan(web="true")
    assert SERVICE not in early.resources
    assert 'google_service_account.this["web"]' in early.resources


@pytest.mark.parametrize("size", SIZES)
def test_the_service_sleeps_and_lets_in_by_iap_alone(plan: Plan, size: str) -> None:
    made = plan(size=size, **EVERYTHING)
    service = made.resources[SERVICE]
    assert service["iap_enabled"] is True
    assert service["invoker_iam_disabled"] is None  # so Cloud Run refuses whoever comes past IAP
    [template] = service["template"]
    assert template["service_account"] == "heavy-rotation-web@my-project.iam.gserviceaccount.com"
    assert template["scaling"] == [{"max_instance_count": 2, "min_instance_count": 0}]
    assert template["encryption_key"] == EVERYTHING["kms_key_name"]
    [container] = template["containers"]
    assert container["image"] == "europe-west1-docker.pkg.dev/my-project/heavy-rotation/web:v1"
    assert container["resources"][0]["cpu_idle"]
    users = made.all("google_iap_web_cloud_run_service_iam_member").values()
    assert {user["member"] for user in users} == set(json.loads(EVERYTHING["web_users"]))


def test_the_command_takes_its_options_and_checks_what_iap_signs_for_this_service(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    service = made.resources[SERVICE]
    [container] = service["template"][0]["containers"]
    options = command.parse(container["args"])
    assert (options.host, str(options.port)) == ("0.0.0.0", str(container["ports"][0]["container_port"]))
    assert options.warehouse == "bigquery://my-project.heavy_rotation"
    assert options.state == "gs://my-project-heavy-rotation/state"
    assert not options.browser
    access = access_of(options, home_of(None), options.host)
    assert isinstance(access.iap, Iap)
    # "number" stands for the project's, which Google says.
    assert access.iap.audience == f"/projects/number/locations/{service['location']}/services/{service['name']}"


def test_the_account_of_the_pages_changes_nothing(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    mine = "serviceAccount:heavy-rotation-web@my-project.iam.gserviceaccount.com"
    roles = {values["role"] for values in made.resources.values() if values.get("member") == mine}
    assert roles == {"roles/bigquery.dataViewer", "roles/bigquery.jobUser", "roles/storage.objectViewer"}


def test_looker_studio_opens_on_each_view(plan: Plan) -> None:
    links = plan().outputs["looker_studio"]
    assert set(links) == set(tables.VIEWS)
    for view, link in links.items():
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "lookerstudio.google.com", "/reporting/create")
        asked = {name: value for name, [value] in parse_qs(parts.query, strict_parsing=True).items()}
        source = {name.removeprefix("ds.ds0."): value for name, value in asked.items() if name.startswith("ds.ds0.")}
        assert source == {
            "connector": "bigQuery", "type": "TABLE", "projectId": "my-project", "datasetId": "heavy_rotation",
            "tableId": view, "datasourceName": view,
        }  # fmt: skip


@pytest.mark.parametrize("member", ["allUsers", "allAuthenticatedUsers", "me@example.com", "user:me", "domain:", ""])
def test_nobody_can_open_them_to_everybody(member: str) -> None:
    variables = {**MINIMUM, "size": "small", "web": "true", "web_users": json.dumps([member])}
    done = run_check(ROOT / "infra", "plan", *(f"-var={name}={value}" for name, value in variables.items()))
    assert done.returncode == 1
    assert "user:me@example.com" in done.stderr


@pytest.mark.parametrize("size", SIZES)
def test_a_second_plan_with_the_pages_says_no_changes(size: str) -> None:
    variables = {**MINIMUM, "size": size, "image_tag": "v1", "web": "true", "web_users": '["user:me@example.com"]'}
    done = run_check(ROOT / "infra", "replan", *(f"-var={name}={value}" for name, value in variables.items()))
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["resource_changes"]
    assert {change["address"] for change in changes if change["change"]["actions"] != ["no-op"]} == set()
