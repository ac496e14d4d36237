"""The plays of some days, and those of a song, an artist or an album: the parts ``span`` and ``plays_of_item``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from pipelines.domain.month import following, preceding
from pipelines.querying.columns.grouping import LATE, first_of
from pipelines.querying.columns.history import COPY, UNKNOWN, Column, History, day_number
from pipelines.querying.columns.texts import EMPTY, NULL, Codes, Texts


@dataclass(frozen=True)
class Span:
    """The plays of some days. ``months`` have them, ``inside`` says which of these are meant, where not all are.
    ``ended_before`` is when the last play ended before them all, if any did."""

    texts: Texts
    copies: Mapping[str, Codes]
    months: tuple[Mapping[str, Column], ...]
    ended_before: int | None
    inside: Column | None
    hidden: frozenset[str]

    def of(self, name: str) -> Column:
        """A column: the history's own, or what the plays' copies say, by number."""
        if name in COPY:
            return self.copies[name][self.of("copy")]
        column = self._whole(name)
        return column if self.inside is None else column[self.inside]

    def _whole(self, name: str) -> Column:
        if len(self.months) == 1:
            return self.months[0][name]
        kind = np.int32 if name in ("month", "played_on", "copy") else np.int64
        return np.concatenate([month[name] for month in self.months]) if self.months else np.empty(0, kind)

    @cached_property
    def size(self) -> int:
        """How many plays there are."""
        return sum(len(month["copy"]) for month in self.months) if self.inside is None else int(self.inside.sum())

    @cached_property
    def heard_ms(self) -> Column:
        """Time heard, UNKNOWN where it is not known."""
        instants = self._whole("played_at") // 1000
        since = np.full(len(instants), LATE)
        since[1:] = instants[1:] - instants[:-1]
        if len(since) and self.ended_before is not None:
            since[0] = instants[0] - self.ended_before // 1000
        said, length = self._whole("ms_played"), self._whole("duration_ms")
        heard = np.where(said != UNKNOWN, said, np.where(since < length, since, length))
        return heard if self.inside is None else heard[self.inside]

    @cached_property
    def is_hidden(self) -> Column:
        """Whether each is left out."""
        if not self.hidden:
            return np.zeros(self.size, bool)
        texts, copies = self.texts, self.copies

        def are(kind: str, codes: Codes) -> Column:
            values = [key.partition(":")[2] for key in self.hidden if key.partition(":")[0] == kind]
            return np.isin(np.where(codes == NULL, EMPTY, codes), texts.known(values))

        artist_id = copies["artist_id"]
        nameless = np.where(artist_id > EMPTY, EMPTY, copies["artist_name"])
        of_copies = (
            are("track", copies["song_id"])
            | are("track", copies["track_id"])
            | are("artist", artist_id)
            | are("artist_name", nameless)
            | are("album", copies["album_id"])
            | are("album", copies["album_key"])
        )
        return of_copies[self.of("copy")] | are("context", self.of("context_uri"))

    @cached_property
    def heard(self) -> Column:
        """The places of what is not hidden."""
        return np.flatnonzero(~self.is_hidden) if self.hidden else np.arange(self.size)


def span_of(history: History, first: date, last: date, hidden: Collection[str]) -> Span:
    """The plays from one day to another. The history has all of their months, and of the month before."""
    begin, end = first.replace(day=1), last.replace(day=1)
    months, before = history.between(begin, end), history.between(preceding(begin), preceding(begin))
    ended_before = int(before[0]["played_at"][-1]) if before else None
    whole = Span(history.texts, history.copies, months, ended_before, None, frozenset(hidden))
    inside = None
    if first > begin:
        inside = whole.of("played_on") >= day_number(first)
    if last < following(end) - timedelta(days=1):
        ends = whole.of("played_on") <= day_number(last)
        inside = ends if inside is None else inside & ends
    return replace(whole, inside=inside)


def plays_of_item(history: History, kind: str, id_: str) -> Span:
    """As the part of this name: all plays whose track may be of a song, an artist or an album by any of its copies."""
    texts, months = history.texts, history.between(date.min, date.max)
    there = np.zeros(len(history.copies["track_id"]), bool)
    for month in months:
        there[month["copy"]] = True
    heard = np.flatnonzero(there)  # some copies may be of months that have changed since
    of = {name: codes[heard] for name, codes in history.copies.items()}
    key = int(texts.known([id_])[0]) if len(texts.known([id_])) else len(texts)
    if kind == "track":
        asked = (of["song_id"] == key) | (of["track_id"] == key)
        may_be = (of["track_id"] == key) | np.isin(of["song_id"], of["song_id"][asked])
    elif kind == "artist":
        asked = of["artist_id"] == key
        if id_.startswith("names:"):
            names = np.unique(of["artist_name"][of["artist_name"] != NULL])
            asked |= np.isin(of["artist_name"], names[texts.array(texts.made_artist_ids(names)).to_numpy(False) == id_])
        called = of["artist_name"][asked]
        may_be = (of["artist_id"] == key) | np.isin(of["artist_name"], called[called > EMPTY])
    else:
        keys = first_of(of["album_key"], of["album_id"], of["album_name"])
        asked = (keys == key) | (of["album_id"] == key)
        known, ids = of["album_key"][asked], of["album_id"][asked]
        may_be = np.isin(keys, known[known != NULL]) | np.isin(of["album_id"], ids[ids > EMPTY])
    is_candidate = np.zeros(len(texts) + 1, bool)
    is_candidate[of["track_id"][may_be]] = True
    whole = Span(texts, history.copies, months, None, None, frozenset())
    return replace(whole, inside=is_candidate[history.copies["track_id"]][whole.of("copy")])
