"""The tables' shapes, each defined once in a file beside this one; Python and Terraform read the same files.

``play.avsc`` is the archive's schema and the shape of a message. ``play_events`` is derived from it, and
``play_events.json`` is that derivation written out for Terraform (a test holds the two equal); as
``artist_snapshots.json`` is what comes of ``artist_snapshot.avsc``, and so each kind of snapshots. ``layout.json`` has
each table's partitions and clustering, in the terms of BigQuery's REST API. ``views`` has the views over the tables,
``questions`` the queries that take parameters, which ``questions.py`` reads.
"""

import json
from functools import cache
from importlib import resources
from string import Template
from typing import Any

# Snapshots, which are nobody's: each table is named as its kind (``domain.snapshots``), in the plural.
SNAPSHOTS = ("playlist_snapshots", "artist_snapshots", "track_snapshots")
TABLES = ("play_events", "top_ten_snapshots", "rejected", *SNAPSHOTS)
# Those that the archive has all of, in the order in which they are written: a play, then what counts it.
REBUILT = ("play_events", "top_ten_snapshots", *SNAPSHOTS)
# In the order in which they can be created: a view comes after those it reads.
VIEWS = (
    "plays",
    "fullest_snapshots",
    "monthly_top_tracks",
    "monthly_top_artists",
    "monthly_top_albums",
    "track_info",
    "album_info",
    "artist_info",
    "artist_genres",
    "artist_history",
    "playlist_history",
    "monthly_top_genres",
)
DATASET = "heavy_rotation"

Field = dict[str, Any]
# The last field that each kind of snapshots had when its table was first made.
_BEFORE_MONTH = {"playlist_snapshot": "explicit", "artist_snapshot": "top_tracks", "track_snapshot": "valence"}
_BIGQUERY_TYPES = {"string": "STRING", "long": "INTEGER", "boolean": "BOOLEAN", "double": "FLOAT"}


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def play_schema() -> dict[str, Any]:
    """The Avro schema of a play, as parsed JSON."""
    schema: dict[str, Any] = json.loads(_text("play.avsc"))
    return schema


@cache
def snapshot_schema(kind: str) -> dict[str, Any]:
    """The Avro schema of a kind of snapshots (``domain.snapshots.KINDS``), as parsed JSON."""
    schema: dict[str, Any] = json.loads(_text(f"{kind}.avsc"))
    return schema


@cache
def table_schema(table: str) -> list[Field]:
    """A table's columns in BigQuery's JSON form: name, type, mode, description and, for records, fields."""
    schema: list[Field] = json.loads(_text(f"{table}.json"))
    return schema


@cache
def table_layout(table: str) -> dict[str, Any]:
    """A table's ``timePartitioning`` and ``clustering``, as BigQuery's REST API has them.

    The partition column of tables that a rebuild replaces is ``month``, so that a month is one partition.
    """
    layouts: dict[str, dict[str, Any]] = json.loads(_text("layout.json"))
    return layouts[table]


def table_of(kind: str) -> str:
    """The table of a kind of snapshots: ``artist_snapshots`` of ``artist_snapshot``."""
    return f"{kind}s"


def view_sql(view: str, dataset: str = DATASET) -> str:
    """A view's query in BigQuery SQL over the tables of ``dataset`` (``dataset`` or ``project.dataset``)."""
    return Template(_text(f"views/{view}.sql")).substitute(dataset=dataset)


def play_events_schema() -> list[Field]:
    """What ``play_events.json`` has to hold: the play's fields, the columns of its local time, its keys, and the fields
    that came after them.

    BigQuery adds a column to a table nowhere but at its end, and only as NULLABLE.
    """
    own = _columns(play_schema()["fields"])
    first = next(n for n, column in enumerate(own, start=1) if column["name"] == "ingested_at")
    local = [
        ("played_on", "DATE", "The day of played_at in the pipeline's time zone."),
        ("played_at_local", "DATETIME", "played_at in the pipeline's time zone."),
        ("month", "DATE", "First day of the month of played_at in the pipeline's time zone. Partition."),
    ]
    keys = [
        ("song_key", "Which song this copy is of, by its own names; plays.song_id is what counts."),
        ("album_key", "Which album this copy is of, by the album's and its artist's names."),
    ]
    return [
        *own[:first],
        *({"name": name, "type": kind, "mode": "REQUIRED", "description": text} for name, kind, text in local),
        *({"name": name, "type": "STRING", "mode": "NULLABLE", "description": text} for name, text in keys),
        *own[first:],
    ]


def snapshots_schema(kind: str) -> list[Field]:
    """What the JSON file of a kind's table has to hold: the fields of its Avro schema, and its partition.

    Fields that came later are behind ``month``: BigQuery adds columns nowhere but at the end.
    """
    own = _columns(snapshot_schema(kind)["fields"])
    first = next(n for n, column in enumerate(own, start=1) if column["name"] == _BEFORE_MONTH[kind])
    month = "First day of the month of taken_at, of UTC. Partition."
    partition: Field = {"name": "month", "type": "DATE", "mode": "REQUIRED", "description": month}
    return [*own[:first], partition, *own[first:]]


def _columns(fields: list[Field]) -> list[Field]:
    return [_column(field) for field in fields]


def _column(field: Field) -> Field:
    avro = field["type"]
    mode = "REQUIRED"
    if isinstance(avro, list):  # ["null", type]
        mode, avro = "NULLABLE", avro[1]
    column: Field = {"name": field["name"], "type": "", "mode": mode, "description": field["doc"]}
    if isinstance(avro, str):
        column["type"] = _BIGQUERY_TYPES[avro]
    elif avro.get("logicalType") == "timestamp-millis":
        column["type"] = "TIMESTAMP"
    elif avro["type"] == "enum":
        column["type"] = "STRING"
    else:  # an array of records
        column |= {"type": "RECORD", "mode": "REPEATED", "fields": _columns(avro["items"]["fields"])}
    return column
