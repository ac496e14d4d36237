"""A listener's plays as columns of numbers, month by month as they are needed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.querying.columns.texts import EMPTY, Codes, Texts
from pipelines.tables import DATASET

Column = NDArray[Any]
# Gives a cursor of the database, one and the same.
Connect = Callable[[], duckdb.DuckDBPyConnection]
# What a copy of a play says, each text by its number. Plays that say the same share one copy.
COPY = (
    "track_id",
    "song_id",
    "track_name",
    "artist_id",
    "artist_name",
    "album_id",
    "album_name",
    "album_key",
    "album_artist_name",
    "album_release_date",
    "album_image_url",
)
_OF_PLAY = ("reason_start", "reason_end", "context_uri", "source")
# Later than any time.
LATE = np.iinfo(np.int64).max
# A time that is not known, in a column of times.
UNKNOWN = -(1 << 62)
_NUMBERS = (
    "skipped",
    "source_rank",
    "ms_played",
    "duration_ms",
    "played_on",
    "month",
    "played_at",
    "played_at_local",
    "ingested_at",
)
_EPOCH = date(1970, 1, 1).toordinal()
_PLAYS = f"""
SELECT
  month, played_at, played_at_local, played_on, track_id, song_id, track_name,
  artists[1].id AS artist_id, artists[1].name AS artist_name,
  album_id, album_name, album_key, album_artist_name, album_release_date, album_image_url,
  CASE WHEN skipped IS NULL THEN -1 ELSE skipped::INTEGER END::TINYINT AS skipped,
  reason_start, reason_end, context_uri, source, ingested_at,
  list_transform(artists[2:], lambda artist: artist.id) AS guests,
  (CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END)::TINYINT AS source_rank,
  COALESCE(ms_played, {UNKNOWN}) AS ms_played, COALESCE(duration_ms, {UNKNOWN}) AS duration_ms
FROM {DATASET}.plays
WHERE user_id = $user_id AND list_contains($months::DATE[], month)
ORDER BY month, played_at"""  # noqa: S608 - the project's own names
# How many plays are read at a time.
_AT_ONCE = 250_000


@dataclass(frozen=True)
class Kept:
    """What was counted (``counted``) of some months' columns, and what tells that it was of these."""

    source: tuple[object, ...]
    counts: Mapping[str, Column]
    columns: tuple[Mapping[str, Column], ...]


@dataclass(frozen=True)
class History:
    """What is known of a listener's months. ``months`` have columns, a value a play, in the order of instants;
    ``copies`` has a value for each copy, and the column ``copy`` says which a play has.

    Instants are microseconds since 1970, days are days since then. ``heard_ms`` of a month's first play is as if there
    was none before; ``guests`` are ids of artists that plays name after the main one, and belong to no single play.
    """

    texts: Texts
    months: Mapping[date, Mapping[str, Column]]
    copies: Mapping[str, Codes]
    kept: dict[tuple[str, int, frozenset[str]], "Kept"] = field(default_factory=dict)
    # What was made of exactly these months and is asked for again.
    memo: dict[str, Any] = field(default_factory=dict, init=False)

    def between(self, first: date, last: date) -> tuple[Mapping[str, Column], ...]:
        """The columns of months that have plays, first days and both in it."""
        there = sorted(month for month in self.months if first <= month <= last)
        return tuple(self.months[month] for month in there if len(self.months[month]["copy"]))

    def said(self, name: str) -> Codes:
        """What the copies say that plays have; others are of months that have changed since."""
        return self.copies[name][self._copies_there]

    @cached_property
    def _copies_there(self) -> Column:
        is_there = np.zeros(len(self.copies["track_id"]), bool)
        for month in self.between(date.min, date.max):
            is_there[month["copy"]] = True
        return np.flatnonzero(is_there)


class _Reading:
    """One listener's history as it grows."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._numbers: dict[int, int] = {}  # of copies, by their hash
        self._copies = {name: np.empty(0, np.int32) for name in COPY}
        self.history = History(self._texts, {}, self._copies)

    def forget(self, months: Collection[date]) -> None:
        there = {month: columns for month, columns in self.history.months.items() if month not in months}
        self.history = replace(self.history, months=there)

    def add(self, plays: pa.Table, asked: Iterable[date]) -> None:
        """The plays of these months, in order, as ``_PLAYS`` gives them; that a month has none is known, too."""
        codes = {name: self._texts.coded(plays[name]) for name in (*COPY, *_OF_PLAY)}
        of: dict[str, Column] = {name: _numbers(plays[name]) for name in _NUMBERS}
        of |= {name: codes[name] for name in _OF_PLAY}
        of["copy"] = self._copy_numbers({name: codes[name] for name in COPY})
        guests, guest_of = self._guests(plays["guests"].combine_chunks())
        months, new = of["month"], {}
        for month in asked:
            day = day_number(month)
            begin, end = np.searchsorted(months, [day, day + 1])
            columns = {name: column[begin:end].copy() for name, column in of.items()}
            some = slice(*np.searchsorted(guest_of, [begin, end]))
            new[month] = {**columns, "heard_ms": _heard_ms(columns), "guests": guests[some].copy()}
        there = {name: column[: len(self._numbers)] for name, column in self._copies.items()}
        self.history = replace(self.history, months={**self.history.months, **new}, copies=there)

    def _guests(self, lists: Any) -> tuple[Codes, Column]:
        """Those of all plays one after the other, each once a play, and for each the place of its play."""
        of = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy())
        ids = self._texts.coded(pa.chunked_array([lists.flatten()]))
        both = np.unique(of[ids > EMPTY] << 32 | ids[ids > EMPTY])
        return (both & (1 << 32) - 1).astype(np.int32), both >> 32

    def _copy_numbers(self, columns: Mapping[str, Codes]) -> Codes:
        """For each play the number of its copy, new ones for new copies."""
        mixed = np.zeros(len(columns["track_id"]), np.uint64)
        for column in columns.values():
            mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        hashes, firsts, places = np.unique(mixed, return_index=True, return_inverse=True)
        before = len(self._numbers)
        own = np.array([self._numbers.setdefault(one, len(self._numbers)) for one in hashes.tolist()], np.int32)
        new = firsts[own >= before]  # in the order of their numbers, as of their hashes
        for name in COPY:
            self._copies[name] = _with(self._copies[name], before, columns[name][new])
        numbers = own[places]
        for name, column in columns.items():
            # Two copies of one hash: of a million, once in millions of histories.
            assert np.array_equal(self._copies[name][numbers], column), "two copies have one hash"
        return numbers


def _with(column: Codes, size: int, more: Codes) -> Codes:
    """A column of ``size`` with more behind it, in the same memory where that has room: others see its beginning."""
    if size + len(more) > len(column):
        column = np.concatenate([column[:size], np.empty(size + 2 * len(more), np.int32)])
    column[size : size + len(more)] = more
    return column


def _heard_ms(month: Mapping[str, Column]) -> Column:
    """Time heard of a month's plays, UNKNOWN where it is not known: as said, else the length, but no more than the time
    since the play before."""
    instants = month["played_at"] // 1000
    since = np.full(len(instants), LATE)
    since[1:] = instants[1:] - instants[:-1]
    said = month["ms_played"]
    return np.where(said != UNKNOWN, said, np.minimum(since, month["duration_ms"]))


def day_number(day: date) -> int:
    """Days since 1970."""
    return day.toordinal() - _EPOCH


class Histories:
    """The histories of a database's listeners. Any number of threads may ask at once; each History stays as it is."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: dict[str, _Reading] = {}

    def history(self, cursor: Connect, user_id: str, months: Mapping[date, int], first: date, last: date) -> History:
        """A listener's history with all plays from ``first`` to ``last``, first days of months, and maybe more.

        ``months`` are those that the table ``plays`` has, with their plays. Raises duckdb.Error.
        """
        with self._lock:
            reading = self._of.setdefault(user_id, _Reading())
            chunk: list[date] = []
            missing = sorted(m for m in months if first <= m <= last and m not in reading.history.months)
            for month in missing:
                chunk.append(month)
                if month == missing[-1] or sum(months[one] for one in chunk) >= _AT_ONCE:
                    asked = {"user_id": user_id, "months": chunk}
                    plays = cursor().sql(_PLAYS, params=asked).to_arrow_table()
                    reading.add(plays, chunk)
                    chunk = []
            return reading.history

    def forget(self, months: Collection[date]) -> None:
        """What is known of these months, which have changed."""
        with self._lock:
            for reading in self._of.values():
                reading.forget(months)


def _numbers(column: pa.ChunkedArray) -> Column:
    """A column without nulls; days and instants as numbers."""
    whole = column.combine_chunks()
    if pa.types.is_temporal(whole.type):
        whole = whole.view(pa.int32() if whole.type.bit_width == 32 else pa.int64())
    return whole.to_numpy(zero_copy_only=False)
