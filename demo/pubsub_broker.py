"""What a Pub/Sub server remembers: topics, subscriptions, deliveries. No gRPC here.

Times are nanoseconds since the Unix epoch (UTC), as the clock given to `Broker` tells them; durations
are seconds. A `Broker` may be used from any number of threads.

Delivery is at least once: a message is leased to whoever pulls it, and is handed out again, under a new
ack id, when its lease runs out before it was acknowledged.
"""

import itertools
import re
import threading
from collections.abc import Callable, Iterable, Mapping

from demo.pubsub_subscription import DEFAULT_ACK_DEADLINE_SECONDS, NANOS, Delivery, Message, Subscription

MAX_ACK_DEADLINE_SECONDS = 600
DELETED_TOPIC = "_deleted-topic_"
_RESOURCE = re.compile(r"projects/[^/]+/(topics|subscriptions)/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


class NotFoundError(LookupError):
    """The topic or the subscription doesn't exist."""


class AlreadyExistsError(ValueError):
    """A topic or a subscription of this name exists."""


class InvalidArgumentError(ValueError):
    """The request can never succeed as it is."""


class Broker:
    """Topics and subscriptions of all projects; `clock` gives nanoseconds since the epoch."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._subscriptions: dict[str, Subscription] = {}
        self._topics: dict[str, dict[str, Subscription]] = {}
        self._message_ids = itertools.count(1)
        self._ack_ids = itertools.count(1)

    def create_topic(self, name: str) -> None:
        check_name(name, "topics")
        with self._changed:
            if name in self._topics:
                raise AlreadyExistsError(f"Topic already exists: {name}")
            self._topics[name] = {}

    def require_topic(self, name: str) -> None:
        with self._changed:
            self._topic(name)

    def delete_topic(self, name: str) -> None:
        """Its subscriptions stay, with what they have not delivered yet."""
        with self._changed:
            for subscription in self._topic(name).values():
                subscription.topic = DELETED_TOPIC
            del self._topics[name]

    def topics(self, project: str) -> list[str]:
        """Names of the topics of `projects/P`, in order."""
        with self._changed:
            return sorted(name for name in self._topics if name.startswith(f"{project}/topics/"))

    def create_subscription(self, subscription: Subscription) -> Subscription:
        check_name(subscription.name, "subscriptions")
        seconds = subscription.ack_deadline_seconds
        if not DEFAULT_ACK_DEADLINE_SECONDS <= seconds <= MAX_ACK_DEADLINE_SECONDS:
            raise InvalidArgumentError(f"Invalid ack deadline: {seconds} s; it goes from 10 to 600")
        with self._changed:
            topic = self._topic(subscription.topic)
            if subscription.name in self._subscriptions:
                raise AlreadyExistsError(f"Subscription already exists: {subscription.name}")
            topic[subscription.name] = self._subscriptions[subscription.name] = subscription
            return subscription

    def subscription(self, name: str) -> Subscription:
        with self._changed:
            return self._subscription(name)

    def delete_subscription(self, name: str) -> None:
        with self._changed:
            subscription = self._subscription(name)
            del self._subscriptions[name]
            self._topics.get(subscription.topic, {}).pop(name, None)

    def publish(self, topic: str, messages: Iterable[tuple[bytes, Mapping[str, str], str]]) -> list[str]:
        """Append (data, attributes, ordering key) to every subscription: all of it, or nothing."""
        batch = list(messages)
        if not batch:
            raise InvalidArgumentError("The list of messages is empty")
        if any(not data and not attributes for data, attributes, _ in batch):
            raise InvalidArgumentError("A message needs data or at least one attribute")
        with self._changed:
            subscriptions = self._topic(topic).values()
            now_ns = self._clock()
            published = [
                Message(next(self._message_ids), now_ns, data, attributes, key) for data, attributes, key in batch
            ]
            for subscription in subscriptions:
                subscription.ready.extend(published)
            self._changed.notify_all()
        return [str(message.message_id) for message in published]

    def pull(self, name: str, max_messages: int, wait_seconds: float) -> list[Delivery]:
        """Up to `max_messages`, leased; when there are none, what comes within `wait_seconds`."""
        if max_messages <= 0:
            raise InvalidArgumentError(f"max_messages must be above 0, not {max_messages}")
        with self._changed:
            deliveries = self._take(name, max_messages)
            if not deliveries and wait_seconds > 0:
                self._changed.wait(wait_seconds)
                deliveries = self._take(name, max_messages)
            return deliveries

    def acknowledge(self, name: str, ack_ids: Iterable[str]) -> None:
        """End these deliveries for good; an ack id whose lease is over changes nothing."""
        with self._changed:
            subscription = self._subscription(name)
            subscription.expire(self._clock())
            for ack_id in ack_ids:
                message = subscription.release(ack_id)
                if message is not None:
                    subscription.finish(message)

    def modify_ack_deadline(self, name: str, ack_ids: Iterable[str], seconds: int) -> None:
        """Let leases end `seconds` from now; 0 hands the messages out again at once."""
        if not 0 <= seconds <= MAX_ACK_DEADLINE_SECONDS:
            raise InvalidArgumentError(f"Invalid ack deadline: {seconds} s; it goes from 0 to 600")
        with self._changed:
            subscription = self._subscription(name)
            now_ns = self._clock()
            subscription.expire(now_ns)
            for ack_id in ack_ids:
                if ack_id in subscription.leased:
                    subscription.extend(ack_id, now_ns + seconds * NANOS)
            self._changed.notify_all()

    def seek(self, name: str, time_ns: int) -> None:
        with self._changed:
            subscription = self._subscription(name)
            subscription.expire(self._clock())
            subscription.seek(time_ns)
            self._changed.notify_all()

    def _take(self, name: str, max_messages: int) -> list[Delivery]:
        subscription = self._subscription(name)
        now_ns = self._clock()
        subscription.expire(now_ns)
        end_ns = now_ns + subscription.ack_deadline_seconds * NANOS
        deliveries: list[Delivery] = []
        while subscription.ready and len(deliveries) < max_messages:
            message = subscription.ready.popleft()
            delivery = Delivery(f"{name}:{next(self._ack_ids)}", message)
            subscription.lease(delivery.ack_id, message, end_ns)
            deliveries.append(delivery)
        return deliveries

    def _topic(self, name: str) -> dict[str, Subscription]:
        if name not in self._topics:
            raise NotFoundError(f"Topic not found: {name}")
        return self._topics[name]

    def _subscription(self, name: str) -> Subscription:
        if name not in self._subscriptions:
            raise NotFoundError(f"Subscription does not exist: {name}")
        return self._subscriptions[name]


def check_name(name: str, collection: str) -> None:
    """Raise InvalidArgumentError unless `name` is `projects/P/<collection>/ID` by Pub/Sub's naming rules."""
    match = _RESOURCE.fullmatch(name)
    if match is None or match[1] != collection:
        raise InvalidArgumentError(f"Invalid resource name: {name!r}; expected projects/P/{collection}/ID")
