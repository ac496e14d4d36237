"""Runs of the stream as the runbook has them: bounded ones in this process, and real processes to be killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.runners.direct.transform_evaluator import TransformEvaluatorRegistry

from pipelines import stream
from pipelines.ledger import LEDGER
from tests.streaming import Outcome, outcome
from tests.test_stream_live import Topic

PATIENCE = 90


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


def bounded(topic: Topic, folder: Path, *more: str) -> Outcome:
    """Run until nothing has come for a second, as a scheduler does; what is there then."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    readers = dict(TransformEvaluatorRegistry._test_evaluators_overrides)
    try:
        assert stream.main(arguments(topic, folder, "--stop_when_idle_seconds=1", *more)) == 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        TransformEvaluatorRegistry._test_evaluators_overrides = readers
        LEDGER.give_up()
        LEDGER.files.clear()
    return outcome(folder)


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
