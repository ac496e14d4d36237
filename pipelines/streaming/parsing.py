"""From Pub/Sub messages to plays, snapshots and rejects."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput

from pipelines.clock import Clock
from pipelines.domain import snapshots
from pipelines.domain.play import Play, UnreadableError, check_instant, check_times, from_message
from pipelines.domain.snapshots import KIND, Snapshot
from pipelines.storage.forgotten import Marks
from pipelines.streaming.garbage import search_seldom
from pipelines.warehouse.json_rows import Row
from pipelines.warehouse.persons import users_of

_SNAPSHOTS, _REJECTED = "snapshots", "rejected"


def read(data: bytes, attributes: Mapping[str, str], now: datetime) -> Play | Snapshot:
    """What a message is, read ``now``: a snapshot of the kind that it names, or a play where it names none.

    Raises UnreadableError.
    """
    if (kind := attributes.get(KIND)) is None:
        play = from_message(data)
        check_times(play.played_at, play.ingested_at, now)
        return play
    snapshot = snapshots.from_message(kind, data)
    check_instant("taken_at", snapshot.taken_at, now)
    return snapshot


def reject(message_id: str, data: bytes, attributes: Mapping[str, str], reason: str, now: datetime) -> Row:
    """The row of ``rejected`` for a message that cannot be read: its data as received, and the reason."""
    return {
        "rejected_at": now,
        "origin": "pubsub",
        "message_id": message_id,
        # Whoever sent it may have known already what is wrong.
        "reason": attributes.get("reason") or reason,
        "payload": data,
        "attributes": json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True),
    }


def is_forgotten(rejected: Row, published_at: datetime | None, marks: Marks) -> bool:
    """Whether a message that cannot be read names somebody who was forgotten since it was published."""
    forgotten = marks.lately()
    return published_at is not None and any(
        forgotten.has(user, published_at) for user in users_of("rejected", rejected)
    )


@dataclass
class ParseMessages(beam.PTransform):
    """Messages to three: plays, snapshots, and rows of ``rejected`` with the payload as received and the reason.

    Every message goes exactly one of these ways, and none stops the stream; but what cannot be read of somebody who was
    forgotten since goes nowhere.
    """

    clock: Clock
    marks: Marks

    def expand(self, messages: PCollection[PubsubMessage]) -> Any:
        """Messages with attributes, in the global window."""
        parsing = beam.ParDo(_Parse(self.clock, self.marks))
        ways = messages | "Parse" >> parsing.with_outputs(_SNAPSHOTS, _REJECTED, main="plays")
        return ways.plays, ways[_SNAPSHOTS], ways[_REJECTED]


class _Parse(beam.DoFn):
    def __init__(self, clock: Clock, marks: Marks) -> None:
        self.clock = clock
        self.marks = marks
        self.plays = Metrics.counter("heavy_rotation", "plays_received")
        self.snapshots = Metrics.counter("heavy_rotation", "snapshots_received")
        self.unreadable = Metrics.counter("heavy_rotation", "messages_rejected")

    def setup(self) -> None:
        search_seldom()

    def process(self, message: PubsubMessage) -> Iterator[Any]:
        now, attributes = self.clock(), message.attributes or {}
        try:
            received = read(message.data, attributes, now)
        except UnreadableError as error:
            self.unreadable.inc()
            row = reject(message.message_id or "", message.data, attributes, str(error), now)
            if not is_forgotten(row, message.publish_time, self.marks):
                yield TaggedOutput(_REJECTED, row)
            return
        if isinstance(received, Play):
            self.plays.inc()
            yield received
        else:
            self.snapshots.inc()
            yield TaggedOutput(_SNAPSHOTS, received)
