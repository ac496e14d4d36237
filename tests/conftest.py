"""What every test may use."""

import os
import signal
import sys
from pathlib import Path

pytest_plugins = ["tests.pubsub_hosts", "tests.bigquery.cloud"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Programs that come as packages are found in an environment that nobody has activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
