"""Small steps on columns of numbers, as SQL has them."""

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.querying.columns.history import LATE, Column
from pipelines.querying.columns.texts import EMPTY, NULL, Codes


def least(places: Column, values: Column, number: int) -> Column:
    """For each place the least of its values; the latest of all where it has none."""
    lowest = np.full(number, LATE)
    np.minimum.at(lowest, places, values)
    return lowest


def summed(places: Column, values: Column, number: int) -> Column:
    """For each place the sum of its values, whole numbers or truths."""
    sums = np.zeros(number, np.int64)
    np.add.at(sums, places, values.astype(np.int64, copy=False))
    return sums


def no_empty(codes: Codes) -> Codes:
    """NULLIF(…, '')."""
    return np.where(codes == EMPTY, np.int32(NULL), codes)


def first_of(*columns: Codes) -> Codes:
    """COALESCE."""
    found = columns[0]
    for column in columns[1:]:
        found = np.where(found == NULL, column, found)
    return found


def in_order_of_texts(order: Column, keys: Sequence[Column], texts: Callable[[Column], list[str]]) -> None:
    """Put what is next to each other in an order, and equal by all ``keys``, in the order of its texts."""
    of_keys = [key[order] for key in keys]
    equal = np.flatnonzero(np.logical_and.reduce([key[1:] == key[:-1] for key in of_keys]))
    if not len(equal):
        return
    tied = order[np.union1d(equal, equal + 1)]
    text = dict(zip(tied.tolist(), texts(tied), strict=True))
    for some in np.split(equal, np.flatnonzero(np.diff(equal) > 1) + 1):
        run = slice(some[0], some[-1] + 2)
        order[run] = sorted(order[run].tolist(), key=text.__getitem__)
