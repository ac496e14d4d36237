"""The jobs that would run: launched as a template's launcher does it, with the image's own Python and packages.

Dataflow is a server on this machine, and what is staged goes to the storage emulator.
"""

import base64
import bz2
import json
import os
import pickletools
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from gcp_storage_emulator.server import create_server
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from pipelines.failure import Failure
from pipelines.storage.encoding import encode
from pipelines.submission import run_or_submit
from tests.builders import play
from tests.ports import free_port
from tests.standins.dataflow import JOB_ID, Dataflow, Pipeline, credentials, job_of, steps
from tests.templates.image import Image, stages
from tests.templates.launcher import BUCKET, ENVIRONMENT, IMAGE, JOB, OPTIONS, PARAMETERS

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("image")]  # an image is installed

GOLDEN = Path(__file__).parent / "golden"
JOB_OBJECT = f"gs://{BUCKET}/staging/template_launches/2026-11-21/job_object"
PLACES = [f"--{name}={JOB['parameters'][name]}" for name in ("archive", "warehouse")]


@dataclass
class Launched:
    """How a launch ended, what it said, the job it described and the pipeline it staged."""

    code: int
    said: str
    job: dict[str, Any] = field(repr=False)
    pipeline: Pipeline = field(repr=False)

    @property
    def environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.job["environment"]
        return environment

    @property
    def workers(self) -> dict[str, Any]:
        (pool,) = self.environment["workerPools"]
        workers: dict[str, Any] = pool
        return workers


class Cloud:
    """Launches jobs into the emulator's bucket and the server's hands."""

    def __init__(self, image: Image, folder: Path, dataflow: Dataflow, bucket: Any, emulator: str) -> None:
        self.image = image
        self.credentials = credentials(folder)
        self.dataflow = dataflow
        self.bucket = bucket
        self.emulator = emulator

    def launch(self, *arguments: str, name: str = "stream") -> Launched:
        """Launch as the template does, with ``--template_location``, or otherwise as from a terminal."""
        before = {blob.name for blob in self.bucket.list_blobs()}
        main = stages()[-1].environment["FLEX_TEMPLATE_PYTHON_PY_FILE"]
        ran = self.image.run(
            f"{self.image.folder}{main}",
            *OPTIONS,
            f"--job_name={name}",
            f"--dataflow_endpoint={self.dataflow.url}",
            "--no_auth",
            *arguments,
            STORAGE_EMULATOR_HOST=self.emulator,
            BIGQUERY_EMULATOR_HOST=self.dataflow.url,
            NO_GCE_CHECK="true",
            GOOGLE_CLOUD_PROJECT="my-project",
            GOOGLE_APPLICATION_CREDENTIALS=str(self.credentials),
            HEAVY_ROTATION_IMAGE=IMAGE,
        )
        new = {blob.name: blob for blob in self.bucket.list_blobs() if blob.name not in before}
        staged = [blob for path, blob in new.items() if path.endswith("/pipeline.pb")]
        job: dict[str, Any] = self.dataflow.jobs[-1] if self.dataflow.jobs else {}
        if JOB_OBJECT.removeprefix(f"gs://{BUCKET}/") in new:
            blob = new[JOB_OBJECT.removeprefix(f"gs://{BUCKET}/")]
            job = job_of(blob.download_as_bytes())
            blob.delete()
        pipeline = Pipeline.FromString(staged[0].download_as_bytes()) if staged else Pipeline()
        return Launched(ran.returncode, ran.stderr, job, pipeline)


@pytest.fixture(scope="module")
def cloud(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    with (
        create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET),
        Dataflow() as dataflow,
        closing(Client("p", AnonymousCredentials(), client_options={"api_endpoint": host})) as client,
    ):
        yield Cloud(image, tmp_path_factory.mktemp("cloud"), dataflow, client.bucket(BUCKET), host)


@pytest.fixture(scope="module")
def stream(cloud: Cloud) -> Launched:
    return cloud.launch(*PARAMETERS, f"--template_location={JOB_OBJECT}")


@pytest.fixture(scope="module")
def stream_file_loads(cloud: Cloud) -> Launched:
    """The same, where rows come by load jobs: the last word for an option counts."""
    return cloud.launch(*PARAMETERS, "--bigquery_write_method=FILE_LOADS", f"--template_location={JOB_OBJECT}")


@pytest.fixture(scope="module")
def rebuild(cloud: Cloud) -> Launched:
    archived = cloud.bucket.blob("archive/plays/month=2026-11/plays-1.avro")
    archived.upload_from_string(encode([play()]))
    return cloud.launch(*PLACES, "--months=2026-11", f"--template_location={JOB_OBJECT}", name="rebuild")


# The stream


def test_the_launcher_leaves_the_description_and_ends(cloud: Cloud, stream: Launched) -> None:
    assert stream.code == 0, stream.said
    assert stream.said == f"Dataflow starts the job stream from {JOB_OBJECT}\n"
    assert not cloud.dataflow.asked  # the service starts it, not the launcher


def test_the_job(stream: Launched) -> None:
    assert stream.job["name"] == "stream"
    assert stream.job["type"] == "JOB_TYPE_STREAMING"
    assert stream.job["labels"] == JOB["labels"]
    assert "replaceJobId" not in stream.job


def test_the_job_runs_on_streaming_engine_and_runner_v2(stream: Launched) -> None:
    experiments = stream.environment["experiments"]
    assert {"use_runner_v2", "enable_streaming_engine", "enable_windmill_service"} <= set(experiments)
    assert len(experiments) == len(set(experiments))
    assert stream.environment["version"]["job_type"] == "FNAPI_STREAMING"
    assert stream.environment["userAgent"]["version"] == "2.77.0"


def test_the_workers(stream: Launched) -> None:
    workers = stream.workers
    assert workers["machineType"] == ENVIRONMENT["machineType"]
    assert workers["numWorkers"] == ENVIRONMENT["numWorkers"]
    scaling = {"algorithm": "AUTOSCALING_ALGORITHM_BASIC", "maxNumWorkers": ENVIRONMENT["maxWorkers"]}
    assert workers["autoscalingSettings"] == scaling  # BASIC is what the API calls THROUGHPUT_BASED
    assert workers["subnetwork"] == ENVIRONMENT["subnetwork"]
    assert workers["ipConfiguration"] == JOB["ip_configuration"] == "WORKER_IP_PRIVATE"
    assert stream.environment["serviceAccountEmail"] == JOB["service_account_email"]


def test_the_workers_have_the_launchers_image_without_being_told(stream: Launched) -> None:
    (harness,) = stream.workers["sdkHarnessContainerImages"]
    assert harness["containerImage"] == stream.workers["workerHarnessContainerImage"] == IMAGE


def test_nothing_is_staged_that_a_worker_would_install(stream: Launched) -> None:
    # What was installed where it was launched, to compare with; a worker only logs it.
    assert [package["name"] for package in stream.workers["packages"]] == ["submission_environment_dependencies.txt"]


def test_the_places(stream: Launched) -> None:
    options = stream.environment["sdkPipelineOptions"]["options"]
    assert options["region"] == "europe-west1"
    assert options["temp_location"].startswith("gs://bucket/temp/stream.")
    assert options["staging_location"].startswith("gs://bucket/staging/stream.")
    assert options["pipelineUrl"] == f"{options['staging_location']}/pipeline.pb"
    assert stream.environment["tempStoragePrefix"].startswith("storage.googleapis.com/bucket/temp/stream.")


def test_no_worker_needs_what_only_the_launcher_had(stream: Launched) -> None:
    options = stream.environment["sdkPipelineOptions"]["options"]
    assert not options["save_main_session"]
    names = pickled_names(stream.pipeline)
    assert "pipelines.streaming.archiving" in names
    assert "__main__" not in names
    assert not [name for name in names if name.split(".")[0] in ("tests", "demo", "benchmarks", "main")]


def test_from_a_terminal_it_is_the_same_job(cloud: Cloud, stream: Launched) -> None:
    ran = cloud.launch(*PARAMETERS)
    assert ran.code == 0, ran.said
    address = f"https://console.cloud.google.com/dataflow/jobs/europe-west1/{JOB_ID}?project=my-project"
    assert ran.said == f"Dataflow has the job stream: {address}\n"
    # Asked once, and not watched.
    assert cloud.dataflow.asked == ["POST /v1b3/projects/my-project/locations/europe-west1/jobs"]
    assert list(steps(ran.pipeline)) == list(steps(stream.pipeline))
    assert settled(ran.job) == settled(stream.job)


# The rebuild


def test_the_rebuild_is_a_job_that_ends(rebuild: Launched) -> None:
    assert rebuild.code == 0, rebuild.said
    assert rebuild.said.endswith("The job was made; it replaces the months when it runs\n")
    assert rebuild.job["name"] == "rebuild"
    assert rebuild.job["type"] == "JOB_TYPE_BATCH"
    assert "use_runner_v2" in rebuild.environment["experiments"]
    assert rebuild.workers["workerHarnessContainerImage"] == IMAGE
    assert rebuild.workers["machineType"] == ENVIRONMENT["machineType"]
    assert rebuild.workers["autoscalingSettings"]["maxNumWorkers"] == ENVIRONMENT["maxWorkers"]


def test_the_rebuild_replaces_months_by_itself(rebuild: Launched) -> None:
    """Its launcher is gone by then."""
    assert "Replace months" in steps(rebuild.pipeline)
    assert "pipelines.rebuilding.bigquery" in pickled_names(rebuild.pipeline)


# Updates


def test_an_update_takes_over_from_the_job_that_runs(cloud: Cloud) -> None:
    cloud.dataflow.running["stream"] = "2026-11-20_00_00_00-1"
    mapping = {"Archive plays/Write file": "Archive plays/Write the file"}
    ran = cloud.launch(*PARAMETERS, "--update", f"--transform_name_mapping={json.dumps(mapping)}")
    assert ran.code == 0, ran.said
    assert ran.job["replaceJobId"] == "2026-11-20_00_00_00-1"
    assert ran.job["transformNameMapping"] == mapping


@pytest.mark.parametrize("name", ["stream", "stream_file_loads", "rebuild"])
def test_the_steps_names(name: str, request: pytest.FixtureRequest) -> None:
    launched: Launched = request.getfixturevalue(name)
    found = list(steps(launched.pipeline))
    if os.environ.get("WRITE_GOLDEN"):
        (GOLDEN / f"{name}_steps.txt").write_text("\n".join(found) + "\n")
    assert not differences(name, found), RENAMED


RENAMED = """A job that takes over (--update) looks for the steps of the one that runs by their names: what a renamed or
removed step had counted is lost to it, or Dataflow refuses it. If it is meant, write the new names down,
    WRITE_GOLDEN=1 python -m pytest tests/templates/test_submission.py -k names
and apply once with renamed_steps, or drain and start anew (docs/operations.md, Update)."""


def test_a_renamed_step_is_noticed() -> None:
    names = (GOLDEN / "stream_steps.txt").read_text().splitlines()
    assert not differences("stream", names)
    renamed = [name.replace("Archive plays/Write file", "Archive plays/Write the file") for name in names]
    assert differences("stream", renamed) == ["-Archive plays/Write file", "+Archive plays/Write the file"]
    assert differences("stream", names[:-1]) == [f"-{names[-1]}"]


def test_no_step_is_named_twice(stream: Launched) -> None:
    found = list(steps(stream.pipeline))
    assert len(found) == len(set(found))


# What Dataflow refuses


def submit(dataflow: Dataflow, emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    arguments = [*OPTIONS, "--job_name=small", f"--dataflow_endpoint={dataflow.url}", "--no_auth"]
    options = PipelineOptions(arguments, sdk_container_image=IMAGE)
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | beam.Create([1])
    run_or_submit(pipeline, options)


def test_a_name_that_a_running_job_has(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    told = pytest.raises(Failure, match="There is already active job named small")
    with Dataflow(running={"small": JOB_ID}) as dataflow, told:
        submit(dataflow, cloud.emulator, monkeypatch)


def test_a_refusal_is_told_in_a_sentence(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    told = pytest.raises(Failure, match=r"^Dataflow does not take the job: .*cannot act as service account")
    with Dataflow(refusal=(403, "(1a2b): Current user cannot act as service account")) as dataflow, told:
        submit(dataflow, cloud.emulator, monkeypatch)


def differences(name: str, found: list[str]) -> list[str]:
    """The lines by which the steps differ from those written down."""
    golden = (GOLDEN / f"{name}_steps.txt").read_text().splitlines()
    return [line for line in unified_diff(golden, found, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))]


def settled(job: dict[str, Any]) -> dict[str, Any]:
    """A job without what the time of its launch decides."""
    environment = job["environment"]
    own = {"display_data", "pipelineUrl", "temp_location", "staging_location", "pipelineProtoHash", "template_location"}
    options = environment["sdkPipelineOptions"]["options"]
    (pool,) = environment["workerPools"]
    return {
        **job,
        "clientRequestId": "",
        "environment": {
            **environment,
            "tempStoragePrefix": "",
            "workerPools": [{**pool, "packages": [package["name"] for package in pool["packages"]]}],
            "sdkPipelineOptions": {name: value for name, value in options.items() if name not in own},
        },
    }


def pickled_names(pipeline: Pipeline) -> set[str]:
    """Every name in every object that the pipeline has pickled: modules, classes, attributes."""
    names: set[str] = set()
    # Beam writes a pickle as base64 of bzip2, and these are bzip2's first letters in base64.
    for found in re.findall(rb"QlpoOT[A-Za-z0-9+/]+", pipeline.SerializeToString()):
        pickled = bz2.BZ2Decompressor().decompress(base64.b64decode(found[: len(found) // 4 * 4]))
        for _, argument, _ in pickletools.genops(pickled):
            if isinstance(argument, str):
                names |= {argument, *argument.split(" ")}
    return names
