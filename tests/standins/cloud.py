"""BigQuery and Cloud Storage on this machine, each over real HTTP, and Google's credentials for them.

Load the fixtures with ``pytest_plugins = ["tests.standins.cloud"]``. The servers live as long as the session; each test
has a dataset and a bucket of its own, and an environment in which its clients, and processes it starts, find them.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gcp_storage_emulator.server import create_server
from google.cloud import bigquery
from google.cloud.storage import Client as StorageClient

from pipelines.storage import bucket as storage
from pipelines.tables import TABLES, VIEWS, table_layout, table_schema, view_sql
from pipelines.warehouse.bigquery import TIME_ZONE_LABEL, as_label
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".tools" / "bqemulator" / "bin" / "python"
PROJECT = "heavy-rotation-test"
_STARTS_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Servers:
    """What the environment has to say."""

    bigquery: str
    storage: str
    credentials: str


@dataclass
class Cloud:
    """A dataset and a bucket for one test."""

    client: bigquery.Client
    dataset: str
    bucket: str

    @property
    def address(self) -> str:
        """The ``--warehouse``."""
        return f"bigquery://{PROJECT}.{self.dataset}"

    def name(self, table: str) -> str:
        return f"{PROJECT}.{self.dataset}.{table}"

    def make_tables(self) -> None:
        """The dataset with its tables and views, from the files that Terraform reads."""
        self.make_dataset()
        for table in TABLES:
            self.make_table(table)
        for view in VIEWS:
            # Made by the API as Terraform makes them, they would be empty tables to this emulator.
            sql = view_sql(view, f"`{PROJECT}`.{self.dataset}")
            self.client.query_and_wait(f"CREATE VIEW `{self.name(view)}` AS {sql}")

    def make_dataset(self, time_zone: str = "Europe/Paris") -> None:
        """The dataset, as Terraform labels it."""
        dataset = bigquery.Dataset(f"{PROJECT}.{self.dataset}")
        dataset.labels = {TIME_ZONE_LABEL: as_label(time_zone)}
        self.client.create_dataset(dataset)

    def make_table(self, table: str, **other: Any) -> None:
        """A table as it should be but for what is given in the REST API's terms."""
        resource = {
            "tableReference": {"projectId": PROJECT, "datasetId": self.dataset, "tableId": table},
            "schema": {"fields": table_schema(table)},
            **table_layout(table),
        }
        self.client.create_table(bigquery.Table.from_api_repr(resource | other))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What a query gives of a table or view."""
        return [dict(row) for row in self.client.query_and_wait(f"SELECT * FROM `{self.name(table)}`")]  # noqa: S608


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if not PYTHON.exists():
        pytest.skip(f"BigQuery is not tested: there is no {PYTHON.parent.parent}; `make bqemulator` makes it")
    folder, port = tmp_path_factory.mktemp("cloud"), free_port()
    with (
        create_server("127.0.0.1", port, data_dir=str(folder)),
        _emulator(folder) as emulator,
        _tokens(folder) as credentials,
    ):
        yield Servers(emulator, f"http://127.0.0.1:{port}", credentials)


@pytest.fixture
def cloud(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Without tables yet."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", servers.bigquery)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", servers.storage)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", servers.credentials)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    storage.client.cache_clear()
    name = f"test_{time.monotonic_ns()}"
    bucket = StorageClient().create_bucket(name.replace("_", "-")).name
    with bigquery.Client(project=PROJECT) as client:
        yield Cloud(client, name, f"gs://{bucket}")
    storage.client.cache_clear()


@contextmanager
def _emulator(folder: Path) -> Iterator[str]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("run_bigquery.py"), folder], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while not (folder / "port").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the BigQuery emulator did not start:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{(folder / 'port').read_text()}"
    finally:
        process.kill()  # it keeps nothing that would be worth asking politely
        process.wait()


@contextmanager
def _tokens(folder: Path) -> Iterator[str]:
    """A file of credentials, of the kind that gives up a subject for a token, and the server that gives tokens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    (folder / "subject").write_text("a subject")
    credentials = {
        "type": "external_account",
        "audience": "tests",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://127.0.0.1:{server.server_address[1]}/token",
        "credential_source": {"file": str(folder / "subject")},
    }
    (folder / "credentials.json").write_text(json.dumps(credentials))
    try:
        yield str(folder / "credentials.json")
    finally:
        server.shutdown()
        server.server_close()


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        token = {
            "access_token": "a token",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        body = json.dumps(token).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""
