"""Invented listeners, whose plays are published five times each, out of order, and when each play was published."""

import json
import random
import time
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime

import grpc
from google.pubsub_v1 import PublisherClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from tests.siege.oracle import month_of
from tests.siege.pubsub import TOPIC
from tests.siege.world import ZONE, Heard, catalogue, message, millis

COPIES = 5
_LISTENERS = 100
# A copy comes up to so many messages after the first.
_APART = 2_000
_IN_A_REQUEST = 500
_SPACING_MS = 31_000
Whose = tuple[str, str]  # user and month


class Listeners:
    """``published`` has, by user and month, when the first copy of each play was published (monotonic seconds)."""

    def __init__(self, address: str) -> None:
        self.published: dict[Whose, list[float]] = defaultdict(list)
        self.messages = 0
        self._draw = random.Random("load")
        self._tracks = catalogue()
        self._heard: Counter[str] = Counter()
        self._began = millis(datetime.now(UTC))
        self._copies: deque[bytes] = deque()
        transport = PublisherGrpcTransport(channel=grpc.insecure_channel(address))
        self._client = PublisherClient(transport=transport)

    @property
    def plays(self) -> int:
        """How many were published, each once."""
        return sum(map(len, self.published.values()))

    def publish(self, messages: int) -> None:
        """So many, a fifth of them plays that are new."""
        left = messages
        while left > 0:
            some = [self._message() for _ in range(min(left, _IN_A_REQUEST))]
            left -= len(some)
            now = time.monotonic()
            self._client.publish(topic=TOPIC, messages=[PubsubMessage(data=data) for _, data in some], timeout=120)
            self.messages += len(some)
            for whose, _ in some:
                if whose:
                    self.published[whose].append(now)

    def publish_copies(self) -> None:
        """Those that are still to come."""
        while self._copies:
            some = [PubsubMessage(data=self._copies.popleft()) for _ in range(min(len(self._copies), _IN_A_REQUEST))]
            self._client.publish(topic=TOPIC, messages=some, timeout=120)
            self.messages += len(some)

    def hold(self, rate: float, seconds: float) -> float:
        """Publish at a rate (messages a second) for so long; the rate that it was, where this machine is too slow."""
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            if (due := int(rate * passed) - sent) > 0:
                self.publish(due)
                sent += due
            time.sleep(0.1)
        return sent / passed

    def _message(self) -> tuple[Whose | None, bytes]:
        """The next, and whose new play it is; None for a copy."""
        if self._copies and (len(self._copies) > _APART * (COPIES - 1) or self._draw.random() > 1 / COPIES):
            return None, self._copies.popleft()
        whose, data = self._play()
        for _ in range(COPIES - 1):
            self._copies.insert(self._draw.randrange(len(self._copies) + 1), data)
        return whose, data

    def _play(self) -> tuple[Whose, bytes]:
        """A listener's next, half a minute before the last one."""
        user = f"listener-{self._draw.randrange(_LISTENERS)}"
        self._heard[user] += 1
        end = self._began - self._heard[user] * _SPACING_MS
        play = Heard(user, self._draw.choice(self._tracks), end, 60_000, end, end, end, is_offline=False)
        return (user, month_of(end, ZONE)), json.dumps(message(play, self._began)).encode()
