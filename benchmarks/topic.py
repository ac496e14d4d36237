"""A local Pub/Sub with one topic, in a process of its own, that says how many messages it has acknowledged."""

import os
from multiprocessing.connection import Connection

from demo.pubsub import PubSubServer

TOPIC = "projects/benchmark/topics/plays"
COUNT = "how many?"


def serve(pipe: Connection) -> None:
    """Send the address, then answer ``COUNT`` until the other end says anything else, or is gone."""
    from google.cloud.pubsub_v1 import PublisherClient

    with PubSubServer() as server:
        os.environ["PUBSUB_EMULATOR_HOST"] = server.address
        publisher = PublisherClient()
        publisher.create_topic(name=TOPIC)
        pipe.send(server.address)
        asked = 0
        try:
            while pipe.recv() == COUNT:
                # The server numbers its messages, and this one is its last.
                last = int(publisher.publish(TOPIC, b"how many?").result(timeout=10))
                asked += 1
                pipe.send(last - asked)
        except EOFError:
            pass
        publisher.stop()
