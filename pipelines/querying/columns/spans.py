"""The plays of some days, of some copies, and all: the parts ``span`` and ``every_play``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipelines.domain.month import following, preceding
from pipelines.querying.columns.grouping import first_of
from pipelines.querying.columns.history import COPY, UNKNOWN, Column, History, Kept, day_number
from pipelines.querying.columns.texts import EMPTY, NULL, Codes, Texts, numbered


class OfMonth(NamedTuple):
    """Some plays of a month, which has these columns; ``places`` are theirs in it, None being all. ``ended_before`` is
    when the last play before the month ended, if any did."""

    columns: Mapping[str, Column]
    places: Column | None
    ended_before: int | None

    @property
    def size(self) -> int:
        """How many plays there are."""
        return len(self.columns["copy"]) if self.places is None else len(self.places)


@dataclass(frozen=True)
class Span:
    """Plays in the order of instants. Those that ``hidden`` has a key of are left out where ``heard`` is asked for."""

    texts: Texts
    copies: Mapping[str, Codes]
    months: tuple[OfMonth, ...]
    hidden: frozenset[str] = frozenset()
    kept: dict[tuple[str, int, frozenset[str]], Kept] = field(default_factory=dict)
    # What was made of these plays and is asked for again.
    memo: dict[str, Mapping[str, Column]] = field(default_factory=dict, init=False)

    def of(self, name: str) -> Column:
        """A column: the history's own, or what the plays' copies say, by number."""
        if name in COPY:
            return self.copies[name][self.of("copy")]
        columns = [
            month.columns[name] if month.places is None else month.columns[name][month.places] for month in self.months
        ]
        if len(columns) == 1:
            return columns[0]
        kind = np.int32 if name in ("month", "played_on", "copy") else np.int64
        return np.concatenate(columns) if columns else np.empty(0, kind)

    @cached_property
    def size(self) -> int:
        """How many plays there are."""
        return sum(month.size for month in self.months)

    @cached_property
    def heard_ms(self) -> Column:
        """Time heard, UNKNOWN where it is not known."""
        heard, place = self.of("heard_ms").copy(), 0
        for month in self.months:
            of = month.columns
            has_first = month.size and (month.places is None or month.places[0] == 0)
            if has_first and month.ended_before is not None and of["ms_played"][0] == UNKNOWN:
                heard[place] = min(heard[place], of["played_at"][0] // 1000 - month.ended_before // 1000)
            place += month.size
        return heard

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


def _months(history: History, first: date, last: date) -> list[OfMonth]:
    """The months from one to another that have plays, whole; of those before, only the one before the first counts."""
    before = history.between(preceding(first), preceding(first)) if first > date.min else ()
    ended, made = int(before[0]["played_at"][-1]) if before else None, []
    for columns in history.between(first, last):
        made.append(OfMonth(columns, None, ended))
        ended = int(columns["played_at"][-1])
    return made


def span_of(history: History, first: date, last: date, hidden: Collection[str]) -> Span:
    """The plays from one day to another. The history has all of their months, and of the month before."""
    begin, end = first.replace(day=1), last.replace(day=1)
    months = _months(history, begin, end)
    if first > begin and months:
        months[0] = _within(months[0], first, last)
    if last < following(end) - timedelta(days=1) and months:
        months[-1] = _within(months[-1], first, last)
    return Span(history.texts, history.copies, tuple(months), frozenset(hidden), history.kept)


def within(span: Span, first: date, last: date) -> Span:
    """Those of the plays that are from one day to another."""
    return replace(span, months=tuple(_within(month, first, last) for month in span.months))


def _within(month: OfMonth, first: date, last: date) -> OfMonth:
    days, places = month.columns["played_on"], month.places
    if places is not None:
        days = days[places]
    some = np.flatnonzero((days >= day_number(first)) & (days <= day_number(last)))
    return month._replace(places=some if places is None else places[some])


def every_play(history: History) -> Span:
    """All plays: the same Span each time, for what it remembers."""
    if "every_play" not in history.memo:
        months = tuple(_months(history, date.min, date.max))
        history.memo["every_play"] = Span(history.texts, history.copies, months, kept=history.kept)
    every: Span = history.memo["every_play"]
    return every


def copies_of_item(history: History, kind: str, id_: str) -> Column:
    """Which copies the part ``plays_of_item`` has plays of: all of each track that may be of a song, an artist or an
    album by any of them."""
    texts, said, key = history.texts, history.said, history.texts.found(id_)
    if kind == "track":
        songs, tracks = said("song_id"), said("track_id")
        may_be = (tracks == key) | np.isin(songs, songs[(songs == key) | (tracks == key)])
    elif kind == "artist":
        may_be = (said("artist_id") == key) | np.isin(said("artist_name"), names_of_artist(history, id_))
    else:
        albums, ids = said("album_key"), said("album_id")
        keys = first_of(albums, ids, said("album_name"))
        asked = (keys == key) | (ids == key)
        known = albums[asked]
        may_be = np.isin(keys, known[known != NULL]) | np.isin(ids, ids[asked & (ids > EMPTY)])
    is_candidate = np.zeros(len(texts) + 1, bool)
    is_candidate[said("track_id")[may_be]] = True
    found: Column = is_candidate[history.copies["track_id"]]
    return found


def plays_of_copies(history: History, is_meant: Column, first: date, last: date) -> Span:
    """The plays of the months from one day's to another's whose copies are meant."""
    begin, end, months = day_number(first.replace(day=1)), day_number(last), []
    for month in every_play(history).months:
        if begin <= month.columns["month"][0] <= end:
            places = np.flatnonzero(is_meant[month.columns["copy"]])
            if len(places):
                months.append(month._replace(places=places))
    return Span(history.texts, history.copies, tuple(months))


def names_of_artist(history: History, id_: str) -> Codes:
    """What the artist of an id, or of one that is made from a name, is called."""
    texts, names = history.texts, history.said("artist_name")
    own = names[history.said("artist_id") == texts.found(id_)]
    if id_.startswith("names:"):
        every, _ = numbered(names[names > EMPTY], len(texts))
        own = np.append(own, every[texts.made_artist_ids(every) == texts.found(id_)])
    return np.unique(own[own > EMPTY])
