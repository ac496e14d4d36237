"""Polls into a topic: of our local Pub/Sub, and of Google's emulator where it is installed."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.cloud import pubsub

from pipelines.domain.play import from_message
from producer.polling.poll import poll
from producer.polling.publishing import PublishError, TopicDestination
from producer.state.cursor import Cursors
from tests.commands import Run
from tests.standins.spotify import NOW, Spotify, items, spoil_one


@dataclass
class Topic:
    """A topic, and a subscription that sees all that is published to it."""

    name: str
    subscription: str
    client: pubsub.SubscriberClient

    def messages(self, count: int) -> list[Any]:
        """The messages, as soon as there are so many."""
        found: list[Any] = []
        while len(found) < count:
            pulled = self.client.pull(subscription=self.subscription, max_messages=100, timeout=10).received_messages
            found += [received.message for received in pulled]
            if pulled:
                ack_ids = [received.ack_id for received in pulled]
                self.client.acknowledge(subscription=self.subscription, ack_ids=ack_ids)
        return found


@pytest.fixture
def topic(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
    name = uuid.uuid4().hex
    found = Topic(f"projects/p/topics/t{name}", f"projects/p/subscriptions/s{name}", pubsub.SubscriberClient())
    publisher = pubsub.PublisherClient()
    publisher.create_topic(name=found.name)
    found.client.create_subscription(name=found.subscription, topic=found.name)
    yield found
    publisher.stop()
    publisher.transport.close()
    found.client.close()


def test_to_a_topic(spotify: Spotify, run: Run, tmp_path: Path, topic: Topic) -> None:
    spotify.spoil = spoil_one
    into_topic = ["poll", "--once", "--topic", topic.name, "--state", tmp_path / "state"]
    ran = run(*into_topic)
    assert (ran.code, ran.err) == (0, "")
    assert "50 listed, 50 new, 1 of them unreadable, 49 published" in ran.out
    messages = topic.messages(50)
    [rejected] = [message for message in messages if "reason" in message.attributes]
    assert json.loads(rejected.data) == {"played_at": "2026-11-10T01:02:03.004Z", "track": "gone"}
    assert rejected.attributes["reason"] == "track is not an object"
    assert set(rejected.attributes) == {"user_id", "played_at", "source", "reason"}
    plays = [from_message(message.data) for message in messages if message is not rejected]
    listed = spotify.listed()
    assert sorted(play.played_at for play in plays) == [*listed[:44], *listed[45:]]
    for message in messages:
        assert message.attributes["user_id"] == spotify.account_id
        assert message.attributes["source"] == "RECENTLY_PLAYED"
    assert "0 new, 0 published" in run(*into_topic).out


def test_a_topic_that_is_not_there(spotify: Spotify, run: Run, tmp_path: Path, topic: Topic) -> None:
    ran = run("poll", "--once", "--topic", "projects/p/topics/missing", "--state", tmp_path / "state")
    assert ran.code == 1
    missing = "there is no projects/p/topics/missing; create it: "
    assert ran.err.startswith(f"error: {spotify.account_id}: {missing}")
    assert ran.err.endswith(": gcloud pubsub topics create missing --project p\n")
    assert Cursors(tmp_path / "state").load(spotify.account_id).newest is None


def test_no_pubsub_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    destination = TopicDestination("projects/p/topics/t", patience_seconds=1)
    with pytest.raises(
        PublishError, match="Pub/Sub cannot be reached, or did not take the plays in time; the next poll repeats them"
    ):
        poll(items(3), "me", Cursors(tmp_path), destination, NOW)
    assert Cursors(tmp_path).load("me").newest is None


def test_the_archive_is_named_once_beside_the_topic(spotify: Spotify, run: Run, tmp_path: Path, topic: Topic) -> None:
    into_topic = ["poll", "--once", "--topic", topic.name, "--state", tmp_path / "state"]
    assert run(*into_topic).code == 0
    assert Cursors(tmp_path / "state").archive() is None
    ran = run(*into_topic, "--archive", tmp_path / "archive")
    assert (ran.code, f"0 published to {topic.name}" in ran.out) == (0, True)
    assert Cursors(tmp_path / "state").archive() == str(tmp_path / "archive")
    assert not (tmp_path / "archive").exists(), "plays go to the topic"
    assert run(*into_topic, "--archive", tmp_path / "another").code == 1
    assert spotify.asked()
