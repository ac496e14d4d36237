"""The script that builds the image and the templates: what it would run, and that gcloud knows each flag of it."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.templates.image import ROOT, TEMPLATES
from tests.templates.launcher import BUCKET, ENVIRONMENT

BUILD = TEMPLATES / "build.sh"
PLACES = ["--project=my-project", "--region=europe-west1", "--bucket=my-bucket"]
IMAGE = "europe-west1-docker.pkg.dev/my-project/heavy-rotation/pipelines:1.0"


def build(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PROJECT", "REGION", "BUCKET", "TAG")}
    return subprocess.run(
        [str(BUILD), *arguments], capture_output=True, text=True, check=False, env=clean | environment, timeout=60
    )


def commands(*arguments: str, **environment: str) -> list[list[str]]:
    ran = build(*arguments, "--dry-run", **environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    *lines, last = ran.stdout.splitlines()
    assert last == "# Nothing was run."  # and nothing was built
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("script", sorted(TEMPLATES.glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    ran = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert os.access(script, os.X_OK)


def test_it_builds_the_image_and_both_templates() -> None:
    image, stream, rebuild = commands(*PLACES, "--tag=1.0")
    assert image == [
        "gcloud", "builds", "submit", ".", "--project=my-project", "--config=templates/cloudbuild.yaml",
        f"--substitutions=_IMAGE={IMAGE}",
    ]  # fmt: skip
    _, web, *others = commands(*PLACES, "--tag=1.0", "--web")
    assert web == [
        "gcloud", "builds", "submit", ".", "--project=my-project", "--config=templates/cloudbuild.yaml",
        f"--substitutions=_IMAGE={IMAGE.replace('pipelines', 'web')},_DOCKERFILE=templates/web.Dockerfile",
    ]  # fmt: skip
    assert others == [stream, rebuild]
    for name, command in (("stream", stream), ("rebuild", rebuild)):
        assert command == [
            "gcloud", "dataflow", "flex-template", "build", f"gs://my-bucket/templates/1.0/{name}.json",
            "--project=my-project", f"--image={IMAGE}", "--sdk-language=PYTHON",
            f"--metadata-file=templates/{name}_metadata.json", "--worker-machine-type=e2-standard-2", "--num-workers=1",
            "--max-workers=3", "--subnetwork=regions/europe-west1/subnetworks/heavy-rotation",
            "--staging-location=gs://my-bucket/staging", "--temp-location=gs://my-bucket/temp",
        ]  # fmt: skip


def test_machines_can_be_chosen() -> None:
    for command in commands(*PLACES, "--machine-type=n2-standard-4", "--max-workers=20")[1:]:
        assert {"--worker-machine-type=n2-standard-4", "--max-workers=20"} <= set(command)


def test_it_says_what_is_next_only_when_something_was_built(tmp_path: Path) -> None:
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\n")
    gcloud.chmod(0o755)
    ran = build(*PLACES, "--tag=1.0", PATH=f"{tmp_path}:{os.environ['PATH']}")
    last = ran.stdout.splitlines()[-1]
    assert (
        last == '# Built. What runs it: image_tag = "1.0" in infra/terraform.tfvars, then terraform -chdir=infra apply'
    )


def test_one_tag_touches_nothing_of_another() -> None:
    """So that what runs can go back to it, and a launch of it finds the image that it was made for."""
    one, other = (
        {word for line in commands(*PLACES, f"--tag={tag}") for word in line if "pipelines:" in word or "gs://" in word}
        for tag in ("a1", "b2")
    )
    places = {"--staging-location=gs://my-bucket/staging", "--temp-location=gs://my-bucket/temp"}
    assert len(one - places) == 4  # the image, as two commands name it, and two files
    assert one & other == places


def test_the_environment_can_say_it_too() -> None:
    places = {"PROJECT": "my-project", "REGION": "europe-west1", "BUCKET": "other", "TAG": "1.0"}
    assert commands("--bucket=my-bucket", **places) == commands(*PLACES, "--tag=1.0")


def test_the_account_that_builds_can_be_chosen() -> None:
    image, *_ = commands(*PLACES, "--tag=1.0", "--service-account=build@my-project.iam.gserviceaccount.com")
    account = "projects/my-project/serviceAccounts/build@my-project.iam.gserviceaccount.com"
    assert image[-2:] == [f"--service-account={account}", "--gcs-source-staging-dir=gs://my-bucket/staging/source"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the project is missing"),
        (PLACES[:1], "the region is missing"),
        (PLACES[:2], "the bucket's name is missing"),
        ([*PLACES, "--bucket=gs://my-bucket"], "has a gs://"),
        ([*PLACES, "--max-workers=many"], "many is no number of workers"),
        ([*PLACES, "--tga=1"], "unknown argument --tga=1"),
    ],
)
def test_what_is_missing_is_said_in_a_line(arguments: list[str], said: str) -> None:
    ran = build(*arguments, "--dry-run")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert said in ran.stderr
    assert ran.stderr.endswith("--help says how\n")


def test_the_help_names_every_argument() -> None:
    told = set(re.findall(r"^  (--[a-z-]+)", build("--help").stdout, re.MULTILINE))
    assert told | {"--help"} == set(re.findall(r"^    (--[a-z-]+)(?:=\*| \||\))", BUILD.read_text(), re.MULTILINE))


def test_cloud_build_builds_and_pushes_the_image_that_it_is_told() -> None:
    config = yaml.safe_load((TEMPLATES / "cloudbuild.yaml").read_text())
    (step,) = config["steps"]
    assert step["args"] == [
        "build", "--file=$_DOCKERFILE", "--build-arg=IMAGE=$_IMAGE", "--tag=$_IMAGE", ".",
    ]  # fmt: skip
    assert config["images"] == ["$_IMAGE"]
    assert config["substitutions"] == {"_DOCKERFILE": "templates/Dockerfile"}
    assert "ARG IMAGE\n" in (TEMPLATES / "Dockerfile").read_text()
    assert step["env"] == ["DOCKER_BUILDKIT=1"]  # for COPY --chmod


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("gcloud"):
        pytest.skip("not tested: gcloud is not installed")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")


@pytest.mark.long
@pytest.mark.usefixtures("gcloud")
def test_gcloud_knows_every_flag() -> None:
    account = "--service-account=build@my-project.iam.gserviceaccount.com"
    for command in commands(*PLACES, "--tag=1.0", account)[:2]:
        words = command[: command.index("submit" if "submit" in command else "build") + 1]
        told = subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout
        for flag in [word.split("=")[0] for word in command if word.startswith("--")]:
            assert re.search(rf"{flag}\b", told), f"{' '.join(words)} has no {flag}"


@pytest.mark.usefixtures("gcloud")
@pytest.mark.parametrize("template", ["stream", "rebuild"])
def test_gcloud_makes_the_template(template: str) -> None:
    """The real command, which prints what it would store, and asks nobody."""
    command = commands(*PLACES, "--tag=1.0")[1 if template == "stream" else 2]
    ran = subprocess.run([*command, "--print-only", "--format=value(.)"], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    spec = json.loads(ran.stdout)
    assert spec["image"] == IMAGE
    assert spec["sdkInfo"] == {"language": "PYTHON"}
    assert spec["defaultEnvironment"] == {
        name: value.replace(f"gs://{BUCKET}/", "gs://my-bucket/") if isinstance(value, str) else value
        for name, value in ENVIRONMENT.items()
    }
    metadata = json.loads((TEMPLATES / f"{template}_metadata.json").read_text())
    assert spec["metadata"]["name"] == metadata["name"]
    assert spec["metadata"]["parameters"] == metadata["parameters"]
