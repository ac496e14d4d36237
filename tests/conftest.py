"""What every test may use."""

import signal

pytest_plugins = ["tests.pubsub_hosts", "tests.bigquery.cloud"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
