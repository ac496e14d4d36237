"""What every test may use."""

pytest_plugins = ["tests.pubsub_hosts", "tests.bigquery.cloud"]
