"""``python -m demo.publish``: ten plays of an invented listener to Pub/Sub, as the producer writes them.

With ``PUBSUB_EMULATOR_HOST`` set, it makes the topic and the subscription where they are not there yet.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from demo.listener import Listener
from demo.spotify_feed import recently_played
from pipelines.domain.play import Play
from pipelines.domain.spotify import from_recently_played

_USER = "imaginary-listener"
_PATIENCE_SECONDS = 30.0


def ten_plays(now: datetime) -> list[Play]:
    """The last ten plays that the listener's Spotify lists at ``now`` (aware), newest first."""
    listed = recently_played(Listener().listens, now, {"limit": "10"}, "")
    items: list[object] = listed["items"]  # type: ignore[assignment]
    return [from_recently_played(_USER, item, now) for item in items]


def publish(topic: str, subscription: str | None, plays: Sequence[Play]) -> None:
    """Publish a message for each play, and wait until Pub/Sub has them all. Raises Google's errors."""
    with PublisherClient() as publisher:
        if os.environ.get("PUBSUB_EMULATOR_HOST"):
            _make(publisher, topic, subscription)
        sent = [publisher.publish(topic, data, **attributes) for data, attributes in (p.to_message() for p in plays)]
        for each in sent:
            each.result(timeout=_PATIENCE_SECONDS)


def _make(publisher: PublisherClient, topic: str, subscription: str | None) -> None:
    with suppress(AlreadyExists):
        publisher.create_topic(name=topic, timeout=_PATIENCE_SECONDS)
    if subscription:
        with SubscriberClient() as subscriber, suppress(AlreadyExists):
            subscriber.create_subscription(name=subscription, topic=topic, timeout=_PATIENCE_SECONDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, and do it. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.publish",
        description="Publishes ten plays of an invented listener, as messages that heavy-rotation stream reads.",
        allow_abbrev=False,
    )
    parser.add_argument("--topic", required=True, metavar="projects/P/topics/T", help="where to publish")
    parser.add_argument(
        "--subscription", metavar="projects/P/subscriptions/S", help="with an emulator: make this one first, if needed"
    )
    options = parser.parse_args(argv)
    plays = ten_plays(datetime.now(UTC))
    try:
        publish(options.topic, options.subscription, plays)
    except (GoogleAPICallError, GoogleAuthError) as error:
        text = str(getattr(error, "message", error)).partition("\n")[0]
        print(f"error: {text}", file=sys.stderr)
        return 1
    print(f"Published {len(plays)} plays to {options.topic}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
