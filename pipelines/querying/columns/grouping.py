"""Small steps on columns of numbers, as SQL has them."""

import numpy as np

from pipelines.querying.columns.history import LATE, Column
from pipelines.querying.columns.texts import EMPTY, NULL, Codes


def least(places: Column, values: Column, number: int) -> Column:
    """For each place the least of its values; the latest of all where it has none."""
    lowest = np.full(number, LATE)
    np.minimum.at(lowest, places, values)
    return lowest


def no_empty(codes: Codes) -> Codes:
    """NULLIF(…, '')."""
    return np.where(codes == EMPTY, np.int32(NULL), codes)


def first_of(*columns: Codes) -> Codes:
    """COALESCE."""
    found = columns[0]
    for column in columns[1:]:
        found = np.where(found == NULL, column, found)
    return found
