"""Single plays with all that a page shows of one: the part ``shown``, and the question for the ends of a span."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.arrays import dates, instants, local_times
from pipelines.querying.columns.asked import Asked
from pipelines.querying.columns.counted import days_of
from pipelines.querying.columns.grouping import no_empty
from pipelines.querying.columns.history import UNKNOWN
from pipelines.querying.columns.spans import OfMonth, Span

# What is shown of a copy under another name, or as null where it is empty.
_SAID = {
    "track_id": "track_id",
    "song_id": "song_id",
    "track_name": "track_name",
    "artist_name": "artist_name",
    "artist_id": "artist_id",
    "album_name": "album_name",
    "album_key": "album_key",
    "image_url": "album_image_url",
}
_NEVER_EMPTY = {"artist_name", "artist_id", "album_name", "image_url"}


def edges(asked: Asked) -> pa.Table:
    """As the question."""
    span: Span
    (span,) = asked.made
    of = days_of(span)
    ends = [int(of["first_played_at"].min()), int(of["last_played_at"].max())] if len(of["day"]) else []
    some = Span(span.texts, span.copies, tuple(_at(span, instant) for instant in ends))
    return pa.table({"which": pa.array(["first", "last"][: len(ends)], pa.string()), **shown_of(some)})


def _at(span: Span, instant: int) -> OfMonth:
    """A play of a span. Of a listener no two are of one instant."""
    for month in span.months:
        at = month.columns["played_at"]
        if at[-1] >= instant and at[place := np.searchsorted(at, instant)] == instant:
            return month._replace(places=np.array([place]))
    raise ValueError(instant)


def shown_of(span: Span) -> dict[str, Any]:
    """The part's columns."""
    array, skipped = span.texts.array, span.of("skipped")
    said = {name: span.of(own) for name, own in _SAID.items()}
    times = {name: span.of(name) for name in ("ms_played", "duration_ms")}
    return {
        "played_at": instants(span.of("played_at")),
        "played_at_local": local_times(span.of("played_at_local")),
        "played_on": dates(span.of("played_on")),
        **{name: array(no_empty(codes) if name in _NEVER_EMPTY else codes) for name, codes in said.items()},
        **{name: pa.array(time, mask=time == UNKNOWN) for name, time in times.items()},
        "skipped": pa.array(skipped == 1, mask=skipped < 0),
        **{name: array(span.of(name)) for name in ("reason_start", "reason_end", "context_uri", "source")},
    }
