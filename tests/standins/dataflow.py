"""As much of Dataflow's REST service as a launch asks for, over real HTTP; and the jobs that it was given.

It answers for BigQuery too, where a launch looks whether the tables are as they have to be: they are.
"""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from apache_beam.portability.api import beam_runner_api_pb2
from google.cloud.dataflow_v1beta3 import Job
from google.protobuf.json_format import MessageToDict, Parse

from pipelines.tables import table_layout, table_schema

JOB_ID = "2026-11-21_01_02_03-4567"
Pipeline = beam_runner_api_pb2.Pipeline
_TABLES = re.compile(r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets/(?P<dataset>\w+)(?:/tables/(?P<table>\w+))?")
_JOBS = re.compile(r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs")


@dataclass
class Dataflow:
    """Takes jobs. ``running`` are the ids of jobs that run, by name; ``refusal`` is what it answers instead."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://localhost:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if found := _TABLES.fullmatch(path):
            return 200, _as_wanted(**found.groupdict())
        self.asked.append(f"{method} {path}")
        if self.refusal:
            return self.refusal[0], {"error": {"code": self.refusal[0], "message": self.refusal[1]}}
        found = _JOBS.fullmatch(path)
        if found and method == "GET":
            running = self.running.items()
            return 200, {"jobs": [{"name": k, "id": v, "currentState": "JOB_STATE_RUNNING"} for k, v in running]}
        if found and method == "POST":
            job = job_of(body)
            self.jobs.append(job)
            # A name can be taken once: whoever asks again is told of the job that has it.
            client = "another" if job["name"] in self.running and "replaceJobId" not in job else job["clientRequestId"]
            return 200, {"id": JOB_ID, "name": job["name"], "clientRequestId": client}
        return 404, {"error": {"code": 404, "message": f"no {path}"}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def __init__(self, dataflow: Dataflow, *arguments: Any) -> None:
        self.dataflow = dataflow
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        status, value = self.dataflow.answer(self.command, urlsplit(self.path).path, body)
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _as_wanted(project: str, dataset: str, table: str | None) -> dict[str, Any]:
    """What BigQuery says of a dataset, or of a table that Terraform made."""
    reference = {"projectId": project, "datasetId": dataset}
    if table is None:
        return {"datasetReference": reference, "labels": {"time_zone": "europe-paris"}}
    columns = {"schema": {"fields": table_schema(table)}}
    return {"tableReference": reference | {"tableId": table}, **columns, **table_layout(table)}


def credentials(folder: Path) -> Path:
    """A file of credentials that need no renewal, and so no network."""
    names = ("client_id", "client_secret", "refresh_token", "token")
    about = {"type": "authorized_user", "expiry": "2099-01-01T00:00:00Z", "quota_project_id": "my-project"}
    path = folder / "credentials.json"
    path.write_text(json.dumps(about | dict.fromkeys(names, "none")))
    return path


def job_of(description: bytes) -> dict[str, Any]:
    """A job as its description has it, enumerations by their names. Fails where the API knows no such field."""
    read = Parse(description, Job.pb()(), ignore_unknown_fields=False)
    job: dict[str, Any] = MessageToDict(read)
    return job


def steps(pipeline: Pipeline) -> Iterator[str]:
    """The full names of the steps that a pipeline is executed as, in its order.

    They are what Dataflow matches when a job takes over from another one: a step goes on with the state of the one
    that had its name.
    """

    def under(name: str) -> Iterator[str]:
        transform = pipeline.components.transforms[name]
        for child in transform.subtransforms:
            yield from under(child)
        if not transform.subtransforms:
            yield transform.unique_name

    for root in pipeline.root_transform_ids:
        yield from under(root)
