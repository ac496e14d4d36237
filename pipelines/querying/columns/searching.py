"""What a text is looked for in: the parts ``matching`` and ``holding``."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.arrays import instants
from pipelines.querying.columns.credited import Credits, table_of_credits
from pipelines.querying.columns.grouping import least, summed
from pipelines.querying.columns.history import History, day_number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def matching_of(history: History, first: date, last: date, q: str, before: datetime, limit: int) -> pa.Table:
    """As the part ``matching``. The history has all months from ``first`` to ``last``."""
    is_found = history.texts.holding(q) | (not q)
    of_copies = np.logical_or.reduce(
        [is_found[history.copies[name]] for name in ("track_name", "artist_name", "album_name")]
    )
    until, left, found = (before - _EPOCH) // timedelta(microseconds=1), limit, []
    for month in reversed(history.between(first.replace(day=1), last)):
        is_wanted = of_copies[month["copy"]] & (month["played_at"] < until)
        is_wanted &= (month["played_on"] >= day_number(first)) & (month["played_on"] <= day_number(last))
        found.append(month["played_at"][is_wanted][-left:])
        left -= len(found[-1])
        if not left:
            break
    return pa.table({"played_at": instants(np.concatenate(found) if found else np.empty(0, np.int64))})


def holding_of(credited: Credits, q: str) -> pa.Table:
    """As the part ``holding``."""
    is_found = credited.texts.holding(q)
    held = {name: is_found[getattr(credited, name)] for name in ("track_name", "artist_name", "album_name")}
    rows = np.flatnonzero(np.logical_or.reduce(list(held.values())))
    number = len(credited.track_id)
    plays = summed(credited.rows, credited.counts["plays"], number)
    last = -least(credited.rows, -credited.counts["last_played_at"], number)
    return table_of_credits(
        credited,
        rows,
        plays=pa.array(plays[rows]),
        last_played_at=instants(last[rows]),
        **{f"is_by_{name}": pa.array(own[rows]) for name, own in held.items()},
    )
