"""Columns of numbers as Arrow's arrays, of the types that DuckDB gives."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.history import Column

_UTC, _LOCAL = pa.timestamp("us", "UTC"), pa.timestamp("us")


def instants(column: Column) -> pa.Array:
    """Microseconds since 1970, in UTC."""
    return pa.array(column).view(_UTC)


def local_times(column: Column) -> pa.Array:
    """Microseconds since 1970 by the listener's clock."""
    return pa.array(column).view(_LOCAL)


def dates(days: Column) -> pa.Array:
    """Days since 1970."""
    return pa.array(days.astype(np.int32)).view(pa.date32())


def time_heard(of: Mapping[str, Column]) -> pa.Array:
    """``heard_ms`` of ``TIMES``: the sum of what is known, null where nothing is."""
    return pa.array(of["heard_ms"], mask=of["plays"] == of["unknown_plays"])
