"""Sessions: plays with less than half an hour of silence between two, as the question of this name has them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.querying.columns.counted import TIMES, Counts, Kind, joined, tables_of, times_of
from pipelines.querying.columns.history import UNKNOWN, Column
from pipelines.querying.columns.spans import Span

_MILLI = 1000
# After so much silence another session begins.
_SILENCE_MS = 30 * 60 * 1000


class Sessions:
    """The sessions of a span of whole months, hidden or not, the first and the last as the span cuts them."""

    def __init__(self, span: Span) -> None:
        self._tables = tables_of(replace(span, hidden=frozenset()), _KIND, (1,))
        begins = self._joined("begins").copy()
        begins[:1] = True
        self._firsts = np.flatnonzero(begins)
        self._lasts = _lasts(self._firsts, len(begins))
        self.started_at, self.ended_at = self._joined("started_at")[self._firsts], self._joined("ended_at")[self._lasts]
        local = self._joined("local")
        local = np.minimum.reduceat(local, self._firsts) if len(local) else local
        self.started_at_local = local - self._joined("first_heard_ms")[self._firsts] * _MILLI

    def rows(self, places: Column) -> Counts:
        """Of some of them ``TIMES``, when they ended by the clock, and whether they began even earlier."""
        firsts, lasts = self._firsts[places].tolist(), self._lasts[places].tolist()
        some = [[self._row(row) for row in range(first, last + 1)] for first, last in zip(firsts, lasts, strict=True)]
        return {
            **{name: np.array([sum(int(row[name]) for row in rows) for rows in some], np.int64) for name in TIMES},
            "ended_at_local": np.array([rows[-1]["ended_at_local"] for rows in some], np.int64),
            "is_at_least": np.array([rows[0]["is_at_least"] for rows in some], bool),
        }

    def _row(self, row: int) -> Mapping[str, Any]:
        for table in self._tables:
            if row < len(table["begins"]):
                return {name: column[row] for name, column in table.items()}
            row -= len(table["begins"])
        raise IndexError(row)

    def _joined(self, name: str) -> Column:
        return np.concatenate([table[name] for table in self._tables])


def _lasts(firsts: Column, number: int) -> Column:
    """Where runs end that begin there, of so many rows."""
    return np.append(firsts[1:], number)[: len(firsts)] - 1


def _sessions(span: Span) -> Counts:
    """Of one month: ``begins`` says whether the first of them does there; all others do."""
    at, heard_ms = span.of("played_at"), span.heard_ms
    known_ms = np.where(heard_ms == UNKNOWN, 0, heard_ms)
    instants = at // _MILLI
    before = np.empty(len(at), np.int64)
    before[1:] = instants[:-1]
    begins = np.ones(len(at), bool)
    begins[1:] = (instants - known_ms - before >= _SILENCE_MS)[1:]
    ended_before = span.months[0].ended_before if span.months else None
    is_first = ended_before is None or bool(
        len(at) and instants[0] - known_ms[0] - ended_before // _MILLI >= _SILENCE_MS
    )
    firsts = np.flatnonzero(begins)
    lasts = _lasts(firsts, len(at))
    own = begins[firsts]
    own[:1] = is_first
    local = span.of("played_at_local")
    return {
        "begins": own,
        "started_at": at[firsts] - known_ms[firsts] * _MILLI,
        "first_heard_ms": known_ms[firsts],
        "is_at_least": heard_ms[firsts] == UNKNOWN,
        "local": np.minimum.reduceat(local, firsts) if len(firsts) else local,
        "ended_at": at[lasts],
        "ended_at_local": local[lasts],
        **{name: np.add.reduceat(column.astype(np.int64), firsts) for name, column in times_of(span).items()},
    }


_KIND = Kind("sessions", _sessions, joined)
