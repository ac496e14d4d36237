"""What plays and snapshots say of tracks and albums: the question ``known``, and its part ``told_by_plays``."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.querying.columns.arrays import instants
from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.history import UNKNOWN, History
from pipelines.querying.columns.spans import plays_of_copies

_KNOWN: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("image_url", pa.string()),
    ("duration_ms", pa.int64()),
    ("release_date", pa.string()),
]
_SAID = ("track_id", "album_id", "album_key", "album_image_url", "album_release_date")


def told_by_plays(history: History, kind: str, ids: Collection[str], first: date, last: date) -> pa.Table:
    """As the part of this name. The history has all months from ``first`` to ``last``, first days."""
    texts, copies = history.texts, history.copies
    of_kind = ("track_id",) if kind == "track" else ("album_id", "album_key")
    is_meant = np.logical_or.reduce([np.isin(copies[name], texts.known(ids)) for name in of_kind])
    span = plays_of_copies(history, is_meant, first, last)
    # One of those that say the same will do: there are few, of any number of plays.
    lengths, length = np.unique(span.of("duration_ms"), return_inverse=True)
    alike = (span.of("copy") * np.int64(len(lengths)) + length) * 2 + (span.of("source_rank") == 0)
    told, places = np.unique(alike, return_inverse=True)
    taken_at = np.full(len(told), np.iinfo(np.int64).min)
    np.maximum.at(taken_at, places, span.of("ingested_at"))
    one, duration_ms = told // 2, lengths[told // 2 % max(len(lengths), 1)]
    copy = one // max(len(lengths), 1)
    return pa.table(
        {name: texts.array(copies[name][copy]) for name in _SAID}
        | {
            "duration_ms": pa.array(duration_ms, mask=duration_ms == UNKNOWN),
            "is_of_api": pa.array(told % 2 == 1),
            "taken_at": instants(taken_at),
        }
    )


def known(asked: Asked) -> pa.Table:
    """As the question."""
    by_plays, by_sources = asked.made
    kind, ids = asked.values["kind"], set(asked.values["ids"])
    told = [row | {"standing": 1 - row["is_of_api"]} for row in _rows(by_plays)]
    keys: dict[str, set[str]] = defaultdict(set)  # of albums, by track
    for row in told:
        if row["album_key"] is not None:
            keys[row["track_id"]].add(row["album_key"])
    is_of_track = pc.is_in(by_sources["track_id"], pa.array(sorted(ids if kind == "track" else keys), pa.string()))
    is_of_album = pc.is_in(by_sources["album_id"], pa.array(sorted(ids), pa.string()))
    told += _rows(by_sources.filter(pc.or_(is_of_track, is_of_album)))
    of: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in told:
        said = _nulls_first(row["album_image_url"], row["album_release_date"], row["duration_ms"])
        if kind == "track":
            of[row["track_id"]].append((row["standing"], -row["taken_at"], *said))
        elif kind == "album":
            of[row["album_id"]].append((row["standing"], -row["taken_at"], *said))
            for key in keys[row["track_id"]]:
                of[key].append((row["standing"] + 3, -row["taken_at"], *said))
    rows = []
    for id_ in sorted(ids.intersection(of)):
        in_order = sorted(of[id_])
        image_url, release_date = (next((one[place][1] for one in in_order if one[place][1]), None) for place in (2, 3))
        length = next((one[4][1] for one in in_order if one[4][0]), None) if kind == "track" else None
        if image_url or release_date or length is not None:
            rows.append({"id": id_, "image_url": image_url, "duration_ms": length, "release_date": release_date})
    return pa.Table.from_pylist(rows, pa.schema(_KNOWN))


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """Dicts by column, in which ``taken_at`` is a number."""
    place = table.column_names.index("taken_at")
    rows: list[dict[str, Any]] = table.set_column(place, "taken_at", table["taken_at"].cast(pa.int64())).to_pylist()
    return rows


def _nulls_first(*values: object) -> list[tuple[bool, Any]]:
    return [(value is not None, value) for value in values]
