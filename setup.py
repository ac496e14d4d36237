"""The distribution: what the producer's image, the pipelines' image and the workers install.

Packages are named one by one, so that neither tests nor the demonstration can slip into an image.
"""

from setuptools import setup

# A worker or a scheduled poll starts faster, and can be trusted more, the less it carries: the base is
# what the producer needs, and Beam comes with the extra that needs it.
PRODUCER = [
    "fastavro>=1.12,<2",
    "google-cloud-pubsub>=2.30,<3",
    "google-cloud-secret-manager>=2.24,<3",
    "google-cloud-storage>=3,<4",
    "orjson>=3.10,<4",
    "platformdirs>=4,<5",
    "requests>=2.32,<3",
    "tzdata>=2025.1",
]
PIPELINES = [
    "apache-beam[gcp]>=2.77,<2.78",
    "google-cloud-bigquery>=3.30,<4",
    "polars>=2,<3",
    "pyarrow>=16",
]
QUERY = ["duckdb>=2,<3", "sqlglot>=30,<31", "pyarrow>=16"]
DEMO = ["grpcio>=1.70", "rich>=14,<16"]

setup(
    name="heavy-rotation",
    version="0.1.0",
    description="Your Spotify listening history, kept for good, and the ten most played of every month",
    python_requires=">=3.11,<3.14",
    packages=[
        "pipelines",
        "pipelines.domain",
        "pipelines.forgetting",
        "pipelines.querying",
        "pipelines.rebuilding",
        "pipelines.storage",
        "pipelines.streaming",
        "pipelines.tables",
        "pipelines.warehouse",
        "producer",
        "producer.accounts",
        "producer.doctor",
        "producer.identity",
        "producer.importing",
        "producer.polling",
        "producer.spotify",
        "producer.state",
    ],
    package_data={
        "pipelines": ["py.typed"],
        "pipelines.tables": ["*.avsc", "*.json", "views/*.sql"],
        "producer": ["py.typed"],
    },
    install_requires=PRODUCER,
    extras_require={
        "pipelines": PIPELINES,
        "query": QUERY,
        "demo": DEMO,
        "all": PIPELINES + QUERY + DEMO,
    },
)
