"""The parts ``span``, ``credits``, ``ranked`` and ``known`` on a history's columns, each row as the part's SQL has it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from pipelines.domain.month import following, preceding
from pipelines.querying.columns.history import COPY, UNKNOWN, Column, History, day_number
from pipelines.querying.columns.texts import EMPTY, NULL, Codes, Texts, numbered

# As the parts' SQL puts a source before an instant, and Spotify's ids before all others.
_FAR = 1_000_000_000_000_000
_LATE = np.iinfo(np.int64).max


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
        since = np.full(len(instants), _LATE)
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


@dataclass(frozen=True)
class Credits:
    """What each track id counts for, texts by number; a row for each of ``track_id``."""

    texts: Texts
    track_id: Codes
    track_name: Codes
    song_id: Codes
    artist_name: Codes
    artist_key: Codes
    album_key: Codes
    shown_album_id: Codes
    is_album_of_spotify: Column
    album_name: Codes
    album_artist: Codes
    # For each play of the span that is heard, its track's row.
    rows: Column


def credits_of(span: Span) -> Credits:
    """As the part ``credits``."""
    texts, copies = span.texts, span.copies
    heard = span.heard
    copy = span.of("copy")[heard]
    tracks, rows = numbered(copies["track_id"][copy], len(texts))
    wanted = span.of("source_rank")[heard] * np.int64(_FAR) + span.of("ingested_at")[heard] // 1000
    preference = _least(rows, wanted, len(tracks))
    best = np.flatnonzero(wanted == preference[rows])
    chosen = np.empty(len(tracks), np.int64)
    chosen[rows[best]] = best  # the last play of those, since plays are in order
    one = {name: codes[copy[chosen]] for name, codes in copies.items()}
    artist_id, artist_name = _no_empty(one["artist_id"]), _no_empty(one["artist_name"])
    album_id, album_name = _no_empty(one["album_id"]), _no_empty(one["album_name"])
    album_artist = _first(_no_empty(one["album_artist_name"]), artist_name)
    album_key = _first(one["album_key"], one["album_id"], one["album_name"])

    # The preferred copy of each album's id.
    of_album = np.flatnonzero((album_id != NULL) & (album_name != NULL))
    albums, places = numbered(album_id[of_album], len(texts))
    firsts = _first_copies(texts, of_album, places, len(albums), preference, tracks, (album_name, album_artist, album_key))
    of_id = np.full(len(texts), NULL)
    of_id[albums] = firsts
    found = np.where(album_id == NULL, NULL, of_id[album_id])
    has = found != NULL

    # The one id of each name that has just one.
    both = np.flatnonzero((artist_id != NULL) & (artist_name != NULL))
    names, places = numbered(artist_name[both], len(texts))
    low = _least(places, artist_id[both].astype(np.int64), len(names))
    high = -_least(places, -artist_id[both].astype(np.int64), len(names))
    only_id = np.full(len(texts), NULL, np.int32)
    only_id[names[low == high]] = low[low == high]
    artist_key = np.where(artist_id != NULL, artist_id, np.where(artist_name == NULL, NULL, only_id[artist_name]))
    artist_key = np.where(artist_name == NULL, NULL, artist_key).astype(np.int32)
    unnamed = np.flatnonzero((artist_key == NULL) & (artist_name != NULL))
    artist_key[unnamed] = texts.made_artist_ids(artist_name[unnamed])

    def of_first(column: Codes) -> Codes:
        return np.where(has, column[found], NULL)

    return Credits(
        texts=texts,
        track_id=tracks.astype(np.int32),
        track_name=one["track_name"],
        song_id=one["song_id"],
        artist_name=artist_name,
        artist_key=artist_key,
        album_key=_first(of_first(album_key), album_key),
        shown_album_id=_first(album_id, album_key),
        is_album_of_spotify=album_id != NULL,
        album_name=np.where(album_name == NULL, NULL, _first(of_first(album_name), album_name)),
        album_artist=np.where(has, of_first(album_artist), album_artist),
        rows=rows,
    )


def _first_copies(
    texts: Texts,
    rows: Column,
    places: Column,
    number: int,
    preference: Column,
    tracks: Codes,
    said: tuple[Codes, ...],
) -> Column:
    """For each album the row of its preferred copy: the first by preference, then by the text of its track's id."""
    least = _least(places, preference[rows], number)
    best = np.flatnonzero(preference[rows] == least[places])
    chosen = np.empty(number, np.int64)
    chosen[places[best]] = rows[best]
    # Only where equals differ in what they say does it matter which is first.
    differs = np.zeros(number, bool)
    for column in said:
        differs[places[best][column[rows[best]] != column[chosen[places[best]]]]] = True
    if differs.any():
        for place, row in zip(places[best].tolist(), rows[best].tolist(), strict=True):
            if differs[place] and texts[tracks[row]] < texts[tracks[chosen[place]]]:
                chosen[place] = row
    return chosen


@dataclass(frozen=True)
class Ranked:
    """The ranked lines of one kind after the other, by rank; columns as the part has them, texts by number."""

    texts: Texts
    kind: tuple[tuple[str, int], ...]
    columns: dict[str, Column]


def ranked_of(span: Span, credits: Credits, by: str, kind: str) -> Ranked:
    """As the part ``ranked``, for one kind or, if it is empty, for all three."""
    texts, number = credits.texts, len(credits.track_id)
    heard, rows = span.heard, credits.rows
    copy, played_at = span.of("copy")[heard], span.of("played_at")[heard]
    heard_ms = span.heard_ms[heard]
    is_said = span.of("ms_played")[heard] != UNKNOWN
    is_long = span.of("duration_ms")[heard] != UNKNOWN
    is_known = heard_ms != UNKNOWN

    def last(codes: Codes) -> tuple[Column, Codes]:
        """For each track the last of its plays that has a text in its copy, its instant, or 0, and the text."""
        places = np.flatnonzero(codes[copy] > EMPTY)
        at, text = np.zeros(number, np.int64), np.full(number, NULL, np.int32)
        at[rows[places]], text[rows[places]] = played_at[places], codes[copy[places]]  # plays are in order
        return at, text

    first, newest = np.empty(number, np.int64), np.empty(number, np.int64)
    first[rows[::-1]], newest[rows] = played_at[::-1], played_at
    album_at, album_name = last(span.copies["album_name"])
    image_at, image_url = last(span.copies["album_image_url"])
    of_tracks = {
        "plays": np.bincount(rows, minlength=number),
        "heard_ms": np.bincount(rows[is_known], heard_ms[is_known], number).astype(np.int64),
        "known_plays": np.bincount(rows[is_known], minlength=number),
        "estimated_plays": np.bincount(rows[~is_said & is_long], minlength=number),
        "unknown_plays": np.bincount(rows[~is_said & ~is_long], minlength=number),
        "first_played_at": first,
        "first_played_on": _least(rows, span.of("played_on")[heard].astype(np.int64), number),
        "last_played_at": newest,
        "album_at": album_at,
        "album_name": album_name,
        "image_at": image_at,
        "image_url": image_url,
    }
    every, none = np.ones(number, bool), np.full(number, NULL, np.int32)
    of = credits
    kinds: dict[str, Callable[[], _Counted]] = {
        "track": lambda: _Counted(
            every, of.song_id, of.track_id, ~_starts_with_names(texts, of.track_id), of.track_name, of.artist_name, of.artist_key
        ),
        "artist": lambda: _Counted(
            of.artist_key != NULL, of.artist_key, of.artist_key, every, of.artist_name, none, of.artist_key
        ),
        "album": lambda: _Counted(
            of.album_name != NULL, of.album_key, of.shown_album_id, of.is_album_of_spotify, of.album_name, of.album_artist, none
        ),
    }
    made = {name: _lines(texts, of_tracks, count(), name, by) for name, count in kinds.items() if kind in ("", name)}
    columns = list(made.values())
    return Ranked(
        texts,
        tuple((name, len(one["rank"])) for name, one in made.items()),
        {name: np.concatenate([one[name] for one in columns]) for name in columns[0]} if columns else {},
    )


@dataclass(frozen=True)
class _Counted:
    """What the tracks count for in one kind, those that do: the part's ``counted``."""

    counts: Column
    key: Codes
    id: Codes
    is_spotifys: Column
    name: Codes
    artist_name: Codes
    artist_key: Codes


_SUMS = ("plays", "heard_ms", "known_plays", "estimated_plays", "unknown_plays")


def _lines(texts: Texts, of_tracks: Mapping[str, Column], of: _Counted, kind: str, by: str) -> dict[str, Column]:
    """The lines of one kind in the order of their ranks."""
    tracks = np.flatnonzero(of.counts)
    distinct, places = numbered(of.key[tracks], len(texts))
    number = len(distinct)

    def of_last(values: Column) -> Column:
        """For each line the track that has the largest of these values, which are different; the last of equals."""
        best = np.flatnonzero(values == -_least(places, -values, number)[places])
        found = np.empty(number, np.int64)
        found[places[best]] = tracks[best]
        return found

    shown = of_last(of_tracks["last_played_at"][tracks] // 1000 + np.where(of.is_spotifys[tracks], _FAR, 0))
    made: dict[str, Column] = {
        "key": distinct,
        "id": of.id[shown],
        "name": of.name[shown],
        "artist_name": of.artist_name[shown],
        "artist_key": of.artist_key[shown],
    }
    for text, at, without in (("album_name", "album_at", kind != "track"), ("image_url", "image_at", kind == "artist")):
        none = np.full(number, NULL, np.int32)
        made[text] = none if without else of_tracks[text][of_last(of_tracks[at][tracks])]
    for name in _SUMS:
        made[name] = np.bincount(places, of_tracks[name][tracks], number).astype(np.int64)
    for name in ("first_played_at", "first_played_on"):
        made[name] = _least(places, of_tracks[name][tracks], number)
    made["last_played_at"] = -_least(places, -of_tracks["last_played_at"][tracks], number) // 1_000_000 * 1_000_000
    made["amount"] = np.where(made["known_plays"] > 0, made["heard_ms"], -1) if by == "time" else made["plays"]
    order = np.lexsort((-made["last_played_at"], -made["amount"]))
    _in_order_of_ids(texts, order, made)
    made = {name: column[order] for name, column in made.items()}
    made["rank"] = np.arange(1, number + 1)
    made["lines"] = np.full(number, number)
    amount = -made["amount"]
    made["is_tied"] = np.append([False], amount[1:] == amount[:-1])[:number]
    made["tied_after"] = np.searchsorted(amount, amount, "right") - made["rank"]
    return made


def _in_order_of_ids(texts: Texts, order: Column, made: dict[str, Column]) -> None:
    """Put lines of one amount and one last second in the order of the texts of their ids; there are few."""
    amount, last = made["amount"][order], made["last_played_at"][order]
    equal = np.flatnonzero((amount[1:] == amount[:-1]) & (last[1:] == last[:-1]))
    begin = 0
    while begin < len(equal):
        end = begin
        while end + 1 < len(equal) and equal[end + 1] == equal[end] + 1:
            end += 1
        some = slice(equal[begin], equal[end] + 2)
        order[some] = sorted(order[some].tolist(), key=lambda row: texts[made["id"][row]])
        begin = end + 1


def known_of(history: History, credits: Credits, first: date) -> tuple[tuple[str, Codes], ...]:
    """As the part ``known``: the keys of each kind of which anything was heard before ``first``.

    The history has all plays of before.
    """
    texts, copies = credits.texts, history.copies
    begin = first.replace(day=1)
    there = np.zeros(len(copies["track_id"]), bool)
    for month in history.between(date.min, preceding(begin)):
        there[month["copy"]] = True
    if first > begin:
        for month in history.between(begin, begin):
            there[month["copy"][month["played_on"] < day_number(first)]] = True
    heard = np.flatnonzero(there)

    def seen(codes: Codes) -> Column:
        there = np.zeros(len(texts) + 1, bool)
        there[codes] = True
        there[NULL] = False  # the last one
        return there

    one = {name: codes[heard] for name, codes in copies.items()}
    has_id = one["artist_id"] > EMPTY
    songs, tracks = seen(one["song_id"]), seen(one["track_id"])
    ids, names_alone = seen(one["artist_id"]), seen(one["artist_name"][~has_id])
    ids[EMPTY] = False
    names = seen(one["artist_name"][has_id])
    albums = seen(_first(one["album_key"], one["album_id"], one["album_name"]))
    album_ids = seen(one["album_id"])
    is_made = _starts_with_names(texts, credits.artist_key)
    artist = ids[credits.artist_key] | names_alone[credits.artist_name] | (is_made & names[credits.artist_name])
    return (
        ("track", np.unique(credits.song_id[songs[credits.song_id] | tracks[credits.track_id]])),
        ("artist", np.unique(credits.artist_key[artist])),
        ("album", np.unique(credits.album_key[albums[credits.album_key] | album_ids[credits.shown_album_id]])),
    )


def _starts_with_names(texts: Texts, codes: Codes) -> Column:
    found: Column = pc.fill_null(pc.starts_with(texts.array(codes), "names:"), False).to_numpy(zero_copy_only=False)
    return found


def _least(places: Column, values: Column, number: int) -> Column:
    """For each place the least of its values; the latest of all where it has none."""
    least = np.full(number, _LATE)
    np.minimum.at(least, places, values)
    return least


def _no_empty(codes: Codes) -> Codes:
    """NULLIF(…, '')."""
    return np.where(codes == EMPTY, np.int32(NULL), codes)


def _first(*columns: Codes) -> Codes:
    """COALESCE."""
    found = columns[0]
    for column in columns[1:]:
        found = np.where(found == NULL, column, found)
    return found
