"""The local Pub/Sub and Google's emulator keep one contract; what is ours alone is tested at the end."""

import errno
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult
from google.api_core import exceptions
from google.cloud import pubsub
from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1.types import ReceivedMessage

from demo.pubsub import PubSubServer
from demo.pubsub_broker import Broker, InvalidArgumentError
from demo.pubsub_subscription import NANOS, Subscription
from tests.ports import free_port

PROJECT = "local-project"


@dataclass
class Clients:
    """A publisher, a subscriber, and names that nobody else uses."""

    publisher: pubsub.PublisherClient
    subscriber: pubsub.SubscriberClient
    topic: str
    subscription: str

    def publish(self, *data: bytes, **attributes: str) -> list[str]:
        futures = [self.publisher.publish(self.topic, each, **attributes) for each in data]
        return [future.result(timeout=10) for future in futures]

    def pull(self, max_messages: int = 100, timeout: float = 2.0) -> list[ReceivedMessage]:
        """What one pull gives; nothing where the server holds the pull open for longer than `timeout`."""
        try:
            response = self.subscriber.pull(
                subscription=self.subscription, max_messages=max_messages, timeout=timeout, retry=None
            )
        except exceptions.DeadlineExceeded:
            return []
        return list(response.received_messages)

    def pull_until(self, count: int, seconds: float = 10) -> list[ReceivedMessage]:
        """Pull until `count` came, or the time is over."""
        received: list[ReceivedMessage] = []
        deadline = time.monotonic() + seconds
        while len(received) < count and time.monotonic() < deadline:
            received += self.pull()
        return received

    def acknowledge(self, received: list[ReceivedMessage]) -> None:
        ack_ids = [each.ack_id for each in received]
        self.subscriber.acknowledge(subscription=self.subscription, ack_ids=ack_ids)


@pytest.fixture
def clients(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    yield from open_clients(pubsub_host, monkeypatch)


@pytest.fixture
def local_clients(local_pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    yield from open_clients(local_pubsub_host, monkeypatch)


def open_clients(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    name = f"test-{uuid.uuid4().hex}"
    publisher, subscriber = pubsub.PublisherClient(), pubsub.SubscriberClient()
    topic, subscription = publisher.topic_path(PROJECT, name), subscriber.subscription_path(PROJECT, name)
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=subscription, topic=topic)
    yield Clients(publisher, subscriber, topic, subscription)
    publisher.stop()
    publisher.transport.close()
    subscriber.close()


def data_of(received: list[ReceivedMessage]) -> list[bytes]:
    return sorted(each.message.data for each in received)


def test_what_is_published_is_pulled_with_its_attributes(clients: Clients) -> None:
    before = datetime.now(UTC)
    [message_id] = clients.publish(b"one", user_id="u", played_at="2026-11-01T10:00:00Z")

    [received] = clients.pull_until(1)

    message = received.message
    assert message.data == b"one"
    assert dict(message.attributes) == {"user_id": "u", "played_at": "2026-11-01T10:00:00Z"}
    assert message.message_id == message_id
    assert received.ack_id
    assert before - timedelta(seconds=2) <= message.publish_time <= datetime.now(UTC) + timedelta(seconds=2)


def test_a_batch_gets_an_id_each_and_arrives_whole(clients: Clients) -> None:
    sent = [b"%d" % number for number in range(1500)]
    ids = clients.publish(*sent)

    received = clients.pull_until(len(sent))

    assert len(set(ids)) == len(sent)
    assert {each.message.message_id: each.message.data for each in received} == dict(zip(ids, sent, strict=True))


def test_a_pull_gives_no_more_than_asked(clients: Clients) -> None:
    clients.publish(*[b"%d" % number for number in range(25)])
    assert 1 <= len(clients.pull(max_messages=10)) <= 10


def test_an_acknowledged_message_stays_away(clients: Clients) -> None:
    clients.publish(b"kept", b"done")
    received = clients.pull_until(2)
    clients.acknowledge([each for each in received if each.message.data == b"done"])
    release(clients, received)

    assert data_of(clients.pull_until(1)) == [b"kept"]


def test_a_message_whose_deadline_passed_is_delivered_again(clients: Clients) -> None:
    [message_id] = clients.publish(b"again")
    [first] = clients.pull_until(1)
    clients.subscriber.modify_ack_deadline(
        subscription=clients.subscription, ack_ids=[first.ack_id], ack_deadline_seconds=1
    )

    [second] = clients.pull_until(1)

    assert second.message.message_id == message_id
    assert second.message.data == b"again"


def test_a_message_that_is_handed_back_is_delivered_again_at_once(clients: Clients) -> None:
    clients.publish(b"back")
    received = clients.pull_until(1)
    started = time.monotonic()
    release(clients, received)

    assert data_of(clients.pull_until(1)) == [b"back"]
    assert time.monotonic() - started < 5


def test_a_leased_message_is_not_delivered_meanwhile(clients: Clients) -> None:
    clients.publish(b"once")
    assert len(clients.pull_until(1)) == 1
    assert clients.pull(timeout=0.5) == []


def test_each_subscription_gets_every_message_from_its_creation_on(clients: Clients) -> None:
    clients.publish(b"early")
    other = clients.subscriber.subscription_path(PROJECT, f"test-{uuid.uuid4().hex}")
    clients.subscriber.create_subscription(name=other, topic=clients.topic)
    clients.publish(b"late")

    assert data_of(clients.pull_until(2)) == [b"early", b"late"]
    clients.subscription = other
    assert data_of(clients.pull_until(1)) == [b"late"]


def test_what_exists_is_not_made_again(clients: Clients) -> None:
    with pytest.raises(exceptions.AlreadyExists):
        clients.publisher.create_topic(name=clients.topic)
    with pytest.raises(exceptions.AlreadyExists):
        clients.subscriber.create_subscription(name=clients.subscription, topic=clients.topic)


def test_what_does_not_exist_is_not_found(clients: Clients) -> None:
    publisher, subscriber = clients.publisher, clients.subscriber
    topic = publisher.topic_path(PROJECT, "no-such-topic")
    subscription = subscriber.subscription_path(PROJECT, "no-such-subscription")
    for call in (
        lambda: publisher.get_topic(topic=topic),
        lambda: publisher.delete_topic(topic=topic),
        lambda: publisher.publish(topic, b"lost").result(timeout=10),
        lambda: subscriber.create_subscription(name=subscription, topic=topic),
        lambda: subscriber.get_subscription(subscription=subscription),
        lambda: subscriber.delete_subscription(subscription=subscription),
        lambda: subscriber.pull(subscription=subscription, max_messages=1),
        lambda: subscriber.acknowledge(subscription=subscription, ack_ids=["x"]),
        lambda: subscriber.modify_ack_deadline(subscription=subscription, ack_ids=["x"], ack_deadline_seconds=10),
        lambda: subscriber.seek(request={"subscription": subscription, "time": now()}),
    ):
        with pytest.raises(exceptions.NotFound):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.publisher.create_topic(name="projects/p/topics/"),
        lambda c: c.publisher.create_topic(name="nonsense"),
        lambda c: c.publisher.publish(c.topic, b"").result(timeout=10),
        lambda c: c.subscriber.pull(subscription=c.subscription, max_messages=0),
        lambda c: c.subscriber.create_subscription(
            request={"name": c.subscription + "-2", "topic": c.topic, "ack_deadline_seconds": 601}
        ),
    ],
    ids=["no topic id", "no resource name", "empty message", "pull of none", "deadline too long"],
)
def test_what_can_never_work_is_an_invalid_argument(clients: Clients, call) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        call(clients)


def test_topics_are_listed_until_deleted(clients: Clients) -> None:
    project = f"projects/{PROJECT}"
    assert clients.topic in {topic.name for topic in clients.publisher.list_topics(project=project)}
    clients.publisher.delete_topic(topic=clients.topic)
    assert clients.topic not in {topic.name for topic in clients.publisher.list_topics(project=project)}
    subscription = clients.subscriber.get_subscription(subscription=clients.subscription)
    assert subscription.topic == "_deleted-topic_"


def test_a_deleted_subscription_can_be_made_anew_and_is_empty(clients: Clients) -> None:
    clients.publish(b"gone")
    clients.subscriber.delete_subscription(subscription=clients.subscription)
    made = clients.subscriber.create_subscription(name=clients.subscription, topic=clients.topic)

    assert made.ack_deadline_seconds == 10
    assert made.message_retention_duration == timedelta(days=7)
    assert clients.pull(timeout=0.5) == []


def test_a_seek_to_the_past_brings_back_what_was_acknowledged(clients: Clients) -> None:
    clients.subscription = clients.subscriber.subscription_path(PROJECT, f"test-{uuid.uuid4().hex}")
    clients.subscriber.create_subscription(
        request={"name": clients.subscription, "topic": clients.topic, "retain_acked_messages": True}
    )
    clients.publish(b"old")
    clients.acknowledge(clients.pull_until(1))
    time.sleep(0.05)
    between = now()
    time.sleep(0.05)
    clients.publish(b"new")
    clients.acknowledge(clients.pull_until(1))

    clients.subscriber.seek(request={"subscription": clients.subscription, "time": between})

    assert data_of(clients.pull_until(1)) == [b"new"]
    assert clients.pull(timeout=0.5) == []


def test_a_seek_to_now_drops_the_backlog(clients: Clients) -> None:
    clients.publish(b"backlog")
    time.sleep(0.05)
    clients.subscriber.seek(request={"subscription": clients.subscription, "time": now()})
    assert clients.pull(timeout=0.5) == []


def test_beam_reads_every_message_once(clients: Clients) -> None:
    SEEN.clear()
    sent = [b"%d" % number for number in range(200)]
    pipeline = beam.Pipeline("BundleBasedDirectRunner", PipelineOptions(["--streaming"]))
    source = beam.io.ReadFromPubSub(
        subscription=clients.subscription, with_attributes=True, timestamp_attribute="played_at"
    )
    _ = pipeline | source | beam.Map(note)
    result = pipeline.run()
    try:
        clients.publish(*sent, played_at="2026-11-01T10:00:00.123Z")
        deadline = time.monotonic() + 15
        while len(SEEN) < len(sent) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)  # what came twice would come now
        seen = sorted(SEEN)
    finally:
        cancel(result, clients)

    assert seen == sorted((data, "2026-11-01T10:00:00.123Z") for data in sent)


# Ours alone.


def test_an_empty_pull_answers_at_once(local_clients: Clients) -> None:
    local_clients.pull()
    started = time.monotonic()
    for _ in range(10):
        assert local_clients.pull() == []
    assert time.monotonic() - started < 5


def test_a_waiting_pull_gets_what_arrives() -> None:
    broker = Broker(time.time_ns)
    broker.create_topic("projects/p/topics/plays")
    broker.create_subscription(Subscription("projects/p/subscriptions/plays", "projects/p/topics/plays"))
    with ThreadPoolExecutor(1) as threads:
        pulled = threads.submit(broker.pull, "projects/p/subscriptions/plays", 10, 30.0)
        broker.publish("projects/p/topics/plays", [(b"data", {}, "")])
        assert [each.message.data for each in pulled.result(timeout=5)] == [b"data"]


def test_leases_end_by_the_clock() -> None:
    now_ns = [1_000 * NANOS]
    broker = Broker(lambda: now_ns[0])
    broker.create_topic("projects/p/topics/plays")
    subscription = "projects/p/subscriptions/plays"
    broker.create_subscription(Subscription(subscription, "projects/p/topics/plays", ack_deadline_seconds=10))
    broker.publish("projects/p/topics/plays", [(b"a", {}, ""), (b"b", {}, "")])
    first, second = broker.pull(subscription, 10, 0)
    broker.modify_ack_deadline(subscription, [second.ack_id], 60)

    now_ns[0] += 10 * NANOS
    [again] = broker.pull(subscription, 10, 0)
    broker.acknowledge(subscription, [first.ack_id])  # too late: it is leased anew
    now_ns[0] += 50 * NANOS
    later = broker.pull(subscription, 10, 0)

    assert again.message.data == b"a"
    assert [each.message.data for each in later] == [b"a", b"b"]


@pytest.mark.parametrize("name", ["", "plays", "projects/p/topics/ab", "projects/p/topics/goog-plays"])
def test_names_follow_the_rules(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="resource name"):
        Broker(time.time_ns).create_topic(name)


def test_what_the_server_cannot_do_it_refuses(local_clients: Clients) -> None:
    request = {"name": local_clients.subscription + "-2", "topic": local_clients.topic}
    for option in ({"enable_message_ordering": True}, {"filter": 'attributes.a = "b"'}):
        with pytest.raises(exceptions.MethodNotImplemented):
            local_clients.subscriber.create_subscription(request=request | option)


def test_many_publishers_and_pullers_share_it_without_loss(local_clients: Clients) -> None:
    received: set[bytes] = set()

    def take() -> None:
        while len(received) < 2_000:
            batch = local_clients.pull(max_messages=50)
            local_clients.acknowledge(batch) if batch else None
            received.update(each.message.data for each in batch)

    with ThreadPoolExecutor(12) as threads:
        sending = [threads.submit(local_clients.publish, *[b"%d-%d" % (n, i) for i in range(500)]) for n in range(4)]
        taking = [threads.submit(take) for _ in range(6)]
        for future in sending + taking:
            future.result(timeout=20)
    assert len(received) == 2_000


def test_a_port_in_use_is_said_clearly() -> None:
    port = free_port()
    with PubSubServer(port), pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
        PubSubServer(port).start()
    assert caught.value.errno == errno.EADDRINUSE


def test_it_stops_without_leaving_threads_and_its_port_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    server = PubSubServer().start()
    for clients in open_clients(server.address, monkeypatch):
        clients.publish(b"data")
    port = int(server.address.rpartition(":")[2])
    server.stop()
    server.stop()
    left = set(threading.enumerate()) - before
    assert not [thread.name for thread in left if thread.name.startswith("pubsub")]
    with PubSubServer(port) as again:
        assert again.address == f"127.0.0.1:{port}"


SEEN: list[tuple[bytes, str]] = []


def note(message: beam.io.PubsubMessage) -> None:
    SEEN.append((message.data, message.attributes["played_at"]))


def cancel(result: PipelineResult, clients: Clients) -> None:
    """Stop the runner, which waits for its reader, whose empty pull the emulator holds for half a minute."""
    cancelling = threading.Thread(target=result.cancel)
    cancelling.start()
    while cancelling.is_alive():
        clients.publish(b"wake up", played_at="2026-11-01T10:00:00Z")
        cancelling.join(0.1)


def release(clients: Clients, received: list[ReceivedMessage]) -> None:
    ack_ids = [each.ack_id for each in received]
    clients.subscriber.modify_ack_deadline(subscription=clients.subscription, ack_ids=ack_ids, ack_deadline_seconds=0)


def now() -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(time.time_ns())
    return timestamp
