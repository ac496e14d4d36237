"""From Pub/Sub messages to plays and rejects."""

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput

from pipelines.clock import Clock
from pipelines.domain.play import UnreadableError, from_message
from pipelines.streaming import coders  # noqa: F401  registers the play's coder

_REJECTED = "rejected"


class ParseMessages(beam.PTransform):
    """Messages to a pair: (message id, play), and rows of ``rejected`` with the payload as received and the reason.

    Every message goes exactly one of the two ways, and none stops the stream.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def expand(self, messages: PCollection[PubsubMessage]) -> Any:
        """Any window."""
        ways = messages | "Parse" >> beam.ParDo(_Parse(self.clock)).with_outputs(_REJECTED, main="plays")
        return ways.plays, ways[_REJECTED]


class _Parse(beam.DoFn):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.parsed = Metrics.counter("heavy_rotation", "plays_received")
        self.unreadable = Metrics.counter("heavy_rotation", "messages_rejected")

    def process(self, message: PubsubMessage) -> Iterator[Any]:
        try:
            play = from_message(message.data)
        except UnreadableError as error:
            self.unreadable.inc()
            yield TaggedOutput(_REJECTED, self._row(message, str(error)))
        else:
            self.parsed.inc()
            yield message.message_id or "", play

    def _row(self, message: PubsubMessage, reason: str) -> dict[str, Any]:
        attributes = dict(message.attributes or {})
        return {
            "rejected_at": self.clock(),
            "origin": "pubsub",
            "message_id": message.message_id or "",
            # Whoever sent it may have known already what is wrong.
            "reason": attributes.get("reason") or reason,
            "payload": message.data,
            "attributes": json.dumps(attributes, ensure_ascii=False, sort_keys=True),
        }
