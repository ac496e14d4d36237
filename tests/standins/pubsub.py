"""Pub/Sub to test against: our local server, and Google's emulator where it is installed.

A test that asks for `pubsub_host` runs
once against each; one that asks for `local_pubsub_host` or `emulator_pubsub_host` runs against that one.
All of them give "127.0.0.1:PORT", live as long as the session, and keep what tests leave in them: use
names of your own, and set `PUBSUB_EMULATOR_HOST` to it with `monkeypatch` before a client is made, or let `a_topic`
do both.
"""

import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from demo.pubsub import PubSubServer
from pipelines.domain.play import Play
from tests.ports import free_port

_PROJECT = "heavy-rotation-test"
_EMULATOR_STARTS_WITHIN_SECONDS = 60


class Topic:
    """A topic with the stream's subscription.

    ``retained`` as in the cloud: one can seek back to acknowledged messages, and what was delivered five times goes
    to ``dead_letters``, a subscription.
    """

    def __init__(self, *, retained: bool = False) -> None:
        name = f"plays-{uuid4().hex[:8]}"
        self.topic = f"projects/{_PROJECT}/topics/{name}"
        self.subscription = f"projects/{_PROJECT}/subscriptions/{name}"
        self.dead_letters = f"{self.subscription}-dead-letter"
        self.publisher = PublisherClient()
        self.publisher.create_topic(name=self.topic)
        request: dict[str, object] = {"name": self.subscription, "topic": self.topic}
        with SubscriberClient() as subscriber:
            if retained:
                dead = f"{self.topic}-dead-letter"
                self.publisher.create_topic(name=dead)
                subscriber.create_subscription(name=self.dead_letters, topic=dead)
                request["retain_acked_messages"] = True
                request["dead_letter_policy"] = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
            subscriber.create_subscription(request=request)

    def publish(self, *some: Play) -> None:
        """Publish plays and wait until Pub/Sub has them."""
        self.publish_raw(*(p.to_message() for p in some))

    def publish_raw(self, *messages: tuple[bytes, dict[str, str]]) -> None:
        """Publish data and attributes."""
        for future in [self.publisher.publish(self.topic, data, **attributes) for data, attributes in messages]:
            future.result()


@contextmanager
def a_topic(host: str, monkeypatch: pytest.MonkeyPatch, *, retained: bool = False) -> Iterator[Topic]:
    """One at that host, where Google's clients are sent to from now on."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    made = Topic(retained=retained)
    try:
        yield made
    finally:
        made.publisher.stop()
        made.publisher.transport.close()


@pytest.fixture
def topic(local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    with a_topic(local_pubsub_host, monkeypatch) as made:
        yield made


@pytest.fixture(scope="session")
def local_pubsub_host() -> Iterator[str]:
    with PubSubServer() as server:
        yield server.address


@pytest.fixture(scope="session")
def emulator_pubsub_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("gcloud") is None:
        pytest.skip("Google's Pub/Sub emulator is not tested: gcloud is not installed")
    folder = tmp_path_factory.mktemp("pubsub-emulator")
    log_path = folder / "emulator.log"
    port = free_port()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                "gcloud", "beta", "emulators", "pubsub", "start", "--quiet",
                f"--host-port=127.0.0.1:{port}", f"--data-dir={folder}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Its settings stay out of the user's home, and it can't ask for a component to be installed.
            env=os.environ | {"CLOUDSDK_CONFIG": str(folder), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
            # gcloud starts Java, and doesn't pass signals on: the whole group is stopped together.
            start_new_session=True,
        )  # fmt: skip
    try:
        _await_emulator(process, port, log_path)
        yield f"127.0.0.1:{port}"
    finally:
        _stop_group(process)


@pytest.fixture(scope="session", params=["local", "emulator"])
def pubsub_host(request: pytest.FixtureRequest) -> str:
    host: str = request.getfixturevalue(f"{request.param}_pubsub_host")
    return host


def _await_emulator(process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
    deadline = time.monotonic() + _EMULATOR_STARTS_WITHIN_SECONDS
    while not _answers(port):
        if process.poll() is not None:
            lines = log_path.read_text(errors="replace").strip().splitlines()
            pytest.skip(f"Google's Pub/Sub emulator is not tested: {lines[-1] if lines else 'it ended'}")
        if time.monotonic() > deadline:
            pytest.fail(f"Google's Pub/Sub emulator did not start:\n{log_path.read_text(errors='replace')}")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End the process, and what it started, by the group that it leads; wait until all are gone.

    It keeps nothing that would be worth asking politely.
    """
    deadline = time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.02)
    except ProcessLookupError:
        return
    pytest.fail(f"Google's Pub/Sub emulator, process group {process.pid}, did not end")
