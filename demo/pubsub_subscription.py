"""One subscription of the local Pub/Sub: what is ready, what is leased, what was acknowledged.

Times are nanoseconds since the Unix epoch (UTC); durations are seconds. Not thread-safe: the broker that
owns a subscription holds its lock.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

NANOS = 1_000_000_000
DEFAULT_ACK_DEADLINE_SECONDS = 10
DEFAULT_RETENTION_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Message:
    """One published message; `message_id` is unique and grows within a broker."""

    message_id: int
    published_at_ns: int
    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a subscriber, who has its lease by this ack id."""

    ack_id: str
    message: Message


@dataclass
class Subscription:
    """A topic's messages as one subscriber sees them. Only a `Broker` touches it, under its lock."""

    name: str
    topic: str
    ack_deadline_seconds: int = DEFAULT_ACK_DEADLINE_SECONDS
    retain_acked: bool = False
    retention_seconds: int = DEFAULT_RETENTION_SECONDS
    ready: deque[Message] = field(default_factory=deque)
    leased: dict[str, Message] = field(default_factory=dict)
    # Ends of leases, soonest first. An entry is stale when `ends` says otherwise: cheaper than removing it.
    by_end: list[tuple[int, str]] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    acked: deque[Message] = field(default_factory=deque)

    def lease(self, ack_id: str, message: Message, end_ns: int) -> None:
        self.leased[ack_id] = message
        self.extend(ack_id, end_ns)

    def extend(self, ack_id: str, end_ns: int) -> None:
        self.ends[ack_id] = end_ns
        heapq.heappush(self.by_end, (end_ns, ack_id))

    def release(self, ack_id: str) -> Message | None:
        """End a lease; None when it had ended already."""
        self.ends.pop(ack_id, None)
        return self.leased.pop(ack_id, None)

    def expire(self, now_ns: int) -> None:
        """Put messages whose lease ran out back in front, oldest first; forget what is past retention."""
        expired = []
        while self.by_end and self.by_end[0][0] <= now_ns:
            end_ns, ack_id = heapq.heappop(self.by_end)
            if self.ends.get(ack_id) == end_ns:
                message = self.release(ack_id)
                if message is not None:
                    expired.append(message)
        self.ready.extendleft(sorted(expired, key=_newest_first))
        oldest_ns = now_ns - self.retention_seconds * NANOS
        for kept in (self.acked, self.ready):
            while kept and kept[0].published_at_ns < oldest_ns:
                kept.popleft()

    def finish(self, message: Message) -> None:
        """The message is acknowledged: forget it, or keep it for a later seek."""
        if self.retain_acked:
            self.acked.append(message)

    def seek(self, time_ns: int) -> None:
        """Messages from `time_ns` on are unacknowledged again, older ones are acknowledged."""
        everything = sorted(itertools.chain(self.acked, self.ready, self.leased.values()), key=lambda m: m.message_id)
        for state in (self.acked, self.ready, self.leased, self.ends, self.by_end):
            state.clear()
        self.ready.extend(m for m in everything if m.published_at_ns >= time_ns)
        if self.retain_acked:
            self.acked.extend(m for m in everything if m.published_at_ns < time_ns)


def _newest_first(message: Message) -> int:
    return -message.message_id
