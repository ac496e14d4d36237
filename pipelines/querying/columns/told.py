"""What plays say of tracks and albums: the part ``told_by_plays``."""

from collections.abc import Collection
from datetime import date

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.arrays import instants
from pipelines.querying.columns.history import UNKNOWN, History
from pipelines.querying.columns.spans import plays_of_copies

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
