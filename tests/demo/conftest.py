"""What the tests of the demonstration share."""

from tests.pubsub_hosts import emulator_pubsub_host, local_pubsub_host, pubsub_host

__all__ = ["emulator_pubsub_host", "local_pubsub_host", "pubsub_host"]
