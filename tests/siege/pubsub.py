"""``python -m tests.siege.pubsub``: the local Pub/Sub as a process that says what was acknowledged.

First it prints its address. For each line that it reads it prints a line of JSON: the data of every message that was
acknowledged so far, as text.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from demo.pubsub import PubSubServer
from demo.pubsub_subscription import Subscription

TOPIC, SUBSCRIPTION = "projects/siege/topics/plays", "projects/siege/subscriptions/plays"


class PubSub:
    """The server, a process of its own, which ends with ``stack``."""

    def __init__(self, stack: ExitStack) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.siege.pubsub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(self._end)
        self.address = self._line()

    def acknowledged(self) -> list[str]:
        """The data of what was acknowledged so far."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told: list[str] = json.loads(self._line())
        return told

    def _end(self) -> None:
        with self.process:
            self.process.kill()

    def _line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "Pub/Sub did not answer"
        return line.strip()


def publish(address: str, data: Sequence[bytes]) -> None:
    """Messages without attributes."""
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    from google.cloud.pubsub_v1 import PublisherClient

    client = PublisherClient()
    for future in [client.publish(TOPIC, one) for one in data]:
        future.result(60)


def main() -> None:
    """Until standard input ends."""
    with PubSubServer() as server:
        broker = server._services._broker
        broker.create_topic(TOPIC)
        subscription = broker.create_subscription(Subscription(SUBSCRIPTION, TOPIC, retain_acked=True))
        print(server.address, flush=True)
        for _ in sys.stdin:
            acknowledged = [message.data.decode(errors="replace") for message in list(subscription.acked)]
            print(json.dumps(acknowledged), flush=True)


if __name__ == "__main__":
    main()
