"""Who and what runs in a rehearsal: a listener, her login, and the stream, in this process or one to be killed."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from google.pubsub_v1.types import ReceivedMessage

from pipelines import stream
from pipelines.clock import utc_now
from pipelines.streaming.subscription import Subscription
from producer.accounts.grant import Grant
from producer.accounts.stores import store_of
from tests.ports import free_port
from tests.standins.pubsub import Topic
from tests.standins.spotify import Person
from tests.streaming.running import Outcome, outcome

PATIENCE = 90
# Plays of this month: the stream's clock is the real one, and it counts no others for ever.
MONTH_BEGAN = datetime.now(ZoneInfo("Europe/Paris")).strftime("%Y-%m-01T00:00:00Z")
ROOT = Path(__file__).parents[2]


def keep_login(spotify: Person, logins: str, age: timedelta = timedelta()) -> None:
    """As if the account had logged in before."""
    store_of(logins).save(Grant(spotify.account_id, spotify.accounts.refresh_token, utc_now() - age))


def log_in(arguments: list[str]) -> str:
    """``python -m producer login``, with the browser of the environment; what it printed."""
    command = [sys.executable, "-m", "producer", *arguments, f"--port={free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def arguments(topic: Topic, folder: Path, *more: str) -> list[str]:
    """The stream's, for quick batches."""
    return [
        f"--subscription={topic.subscription}",
        f"--archive={folder / 'archive'}",
        f"--warehouse={folder / 'warehouse'}",
        "--archive_batch_seconds=1",
        "--refresh_seconds=1",
        *more,
    ]


def drained(topic: Topic, folder: Path, *more: str) -> Outcome:
    """Run until nothing has come for a second, and drain; what is in the folder then."""
    assert run_and_drain(arguments(topic, folder, *more)) == 0
    return outcome(folder)


def run_and_drain(arguments: list[str]) -> int:
    """Run the stream in this process and stop it once nothing has come for a second; the exit code."""
    pull, quiet_since = Subscription.pull, time.monotonic()

    def watched(subscription: Subscription) -> Sequence[ReceivedMessage]:
        nonlocal quiet_since
        if received := pull(subscription):
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > 1:
            os.kill(os.getpid(), signal.SIGTERM)
            quiet_since = math.inf  # once
        return received

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Subscription, "pull", watched)
        return stream.main(arguments)


@contextmanager
def process(topic: Topic, folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m pipelines.stream`` in the background; killed at the end if it still runs."""
    started = subprocess.Popen(
        [sys.executable, "-m", "pipelines.stream", *arguments(topic, folder, *more)], stderr=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it is so. Fails after a while."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.1)


def waiting(topic: Topic) -> int:
    """How many messages the subscription still has to give; they are given back."""
    from google.api_core.exceptions import DeadlineExceeded
    from google.cloud.pubsub_v1 import SubscriberClient

    with SubscriberClient() as client:
        try:
            got = client.pull(subscription=topic.subscription, max_messages=1000, timeout=1, retry=None)
        except DeadlineExceeded:
            return 0
        ids = [message.ack_id for message in got.received_messages]
        if ids:
            client.modify_ack_deadline(subscription=topic.subscription, ack_ids=ids, ack_deadline_seconds=0)
    return len(ids)
