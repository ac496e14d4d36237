"""google.pubsub.v1 on the wire: requests to the broker, its answers and refusals back.

There are no generated servicers in google-cloud-pubsub, so methods are registered by name. Times on the
wire are protobuf timestamps, UTC.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1 import types as pubsub

from demo.pubsub_broker import AlreadyExistsError, Broker, InvalidArgumentError, NotFoundError
from demo.pubsub_subscription import (
    DEFAULT_ACK_DEADLINE_SECONDS,
    DEFAULT_RETENTION_SECONDS,
    NANOS,
    Delivery,
    Subscription,
)

_STATUS_OF_ERROR = {
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    NotImplementedError: grpc.StatusCode.UNIMPLEMENTED,
}


class Services:
    """google.pubsub.v1 Publisher and Subscriber: between messages of the wire and the broker."""

    def __init__(self, broker: Broker, idle_wait_seconds: float) -> None:
        self._broker = broker
        self._idle_wait_seconds = idle_wait_seconds

    def handlers(self) -> tuple[Any, ...]:
        publisher = {
            "CreateTopic": _method(self.create_topic, pubsub.Topic),
            "GetTopic": _method(self.get_topic, pubsub.GetTopicRequest),
            "DeleteTopic": _method(self.delete_topic, pubsub.DeleteTopicRequest),
            "ListTopics": _method(self.list_topics, pubsub.ListTopicsRequest),
            "Publish": _method(self.publish, pubsub.PublishRequest),
        }
        subscriber = {
            "CreateSubscription": _method(self.create_subscription, pubsub.Subscription),
            "GetSubscription": _method(self.get_subscription, pubsub.GetSubscriptionRequest),
            "DeleteSubscription": _method(self.delete_subscription, pubsub.DeleteSubscriptionRequest),
            "Pull": _method(self.pull, pubsub.PullRequest),
            "Acknowledge": _method(self.acknowledge, pubsub.AcknowledgeRequest),
            "ModifyAckDeadline": _method(self.modify_ack_deadline, pubsub.ModifyAckDeadlineRequest),
            "Seek": _method(self.seek, pubsub.SeekRequest),
        }
        return (
            grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", publisher),
            grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", subscriber),
        )

    def create_topic(self, request: Any) -> Any:
        _refuse_unsupported(request, frozenset({"name"}))
        self._broker.create_topic(request.name)
        return _pb(pubsub.Topic)(name=request.name)

    def get_topic(self, request: Any) -> Any:
        self._broker.require_topic(request.topic)
        return _pb(pubsub.Topic)(name=request.topic)

    def delete_topic(self, request: Any) -> Any:
        self._broker.delete_topic(request.topic)
        return _Empty()

    def list_topics(self, request: Any) -> Any:
        """All topics in one page: the page size is a wish, not a promise."""
        names = self._broker.topics(request.project)
        return _pb(pubsub.ListTopicsResponse)(topics=[_pb(pubsub.Topic)(name=name) for name in names])

    def publish(self, request: Any) -> Any:
        ids = self._broker.publish(
            request.topic, ((m.data, dict(m.attributes), m.ordering_key) for m in request.messages)
        )
        return _pb(pubsub.PublishResponse)(message_ids=ids)

    def create_subscription(self, request: Any) -> Any:
        _refuse_unsupported(request, _SUBSCRIPTION_FIELDS)
        retention = request.message_retention_duration
        subscription = Subscription(
            name=request.name,
            topic=request.topic,
            ack_deadline_seconds=request.ack_deadline_seconds or DEFAULT_ACK_DEADLINE_SECONDS,
            retain_acked=request.retain_acked_messages,
            retention_seconds=retention.seconds or DEFAULT_RETENTION_SECONDS,
        )
        return _subscription_to_pb(self._broker.create_subscription(subscription))

    def get_subscription(self, request: Any) -> Any:
        return _subscription_to_pb(self._broker.subscription(request.subscription))

    def delete_subscription(self, request: Any) -> Any:
        self._broker.delete_subscription(request.subscription)
        return _Empty()

    def pull(self, request: Any) -> Any:
        wait_seconds = 0.0 if request.return_immediately else self._idle_wait_seconds
        deliveries = self._broker.pull(request.subscription, request.max_messages, wait_seconds)
        return _pb(pubsub.PullResponse)(received_messages=[_delivery_to_pb(d) for d in deliveries])

    def acknowledge(self, request: Any) -> Any:
        self._broker.acknowledge(request.subscription, request.ack_ids)
        return _Empty()

    def modify_ack_deadline(self, request: Any) -> Any:
        seconds = request.ack_deadline_seconds
        self._broker.modify_ack_deadline(request.subscription, request.ack_ids, seconds)
        return _Empty()

    def seek(self, request: Any) -> Any:
        if not request.HasField("time"):
            raise NotImplementedError("this local Pub/Sub seeks to a time only, not to a snapshot")
        self._broker.seek(request.subscription, request.time.ToNanoseconds())
        return _pb(pubsub.SeekResponse)()


_Empty: Any = empty_pb2.Empty
_SUBSCRIPTION_FIELDS = frozenset(
    {"name", "topic", "ack_deadline_seconds", "retain_acked_messages", "message_retention_duration"}
)


def _method(answer: Callable[[Any], Any], request_type: Any) -> Any:
    """A unary method that reads `request_type` and answers the broker's refusals with their status."""

    def handle(request: Any, context: Any) -> Any:
        try:
            return answer(request)
        except tuple(_STATUS_OF_ERROR) as error:
            return context.abort(_STATUS_OF_ERROR[type(error)], str(error))

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=_pb(request_type).FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _pb(wrapper: Any) -> Any:
    """The protobuf class beneath a proto-plus class: a tenth of the time for each message."""
    return wrapper.meta.pb


def _refuse_unsupported(request: Any, supported: frozenset[str]) -> None:
    for field, value in request.ListFields():
        is_empty = field.message_type is not None and not field.is_repeated and not value.ByteSize()
        if field.name not in supported and not is_empty:
            raise NotImplementedError(f"this local Pub/Sub knows no {field.name}")


def _subscription_to_pb(subscription: Subscription) -> Any:
    return _pb(pubsub.Subscription)(
        name=subscription.name,
        topic=subscription.topic,
        ack_deadline_seconds=subscription.ack_deadline_seconds,
        retain_acked_messages=subscription.retain_acked,
        message_retention_duration=timedelta(seconds=subscription.retention_seconds),
    )


def _delivery_to_pb(delivery: Delivery) -> Any:
    message = delivery.message
    seconds, nanos = divmod(message.published_at_ns, NANOS)
    return _pb(pubsub.ReceivedMessage)(
        ack_id=delivery.ack_id,
        message=_pb(pubsub.PubsubMessage)(
            data=message.data,
            attributes=dict(message.attributes),
            message_id=str(message.message_id),
            publish_time=Timestamp(seconds=seconds, nanos=nanos),
            ordering_key=message.ordering_key,
        ),
    )
