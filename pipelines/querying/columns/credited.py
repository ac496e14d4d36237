"""What each track id counts for: the parts ``credits``, ``chosen`` and ``different``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.counted import Counts, copies_of
from pipelines.querying.columns.grouping import first_of, least, no_empty
from pipelines.querying.columns.history import Column, History
from pipelines.querying.columns.spans import Span, copies_of_item, every_play, names_of_artist
from pipelines.querying.columns.texts import NULL, Codes, Texts, numbered

_SAID = (
    *("track_name", "song_id", "artist_id", "artist_name"),
    *("album_key", "album_id", "album_name", "album_artist_name"),
)
_COUNTED = {"song": "track", "artist": "artist", "album": "album"}


class Counted(NamedTuple):
    """Plays counted by their copies."""

    texts: Texts
    copies: Mapping[str, Codes]
    counts: Counts


@dataclass(frozen=True)
class Credits:
    """What each track id counts for, texts by number; a row for each of ``track_id``, by their numbers."""

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
    # Plays that are heard, by their copies, and for each of these its track's row.
    counts: Counts
    rows: Column

    def of_tracks(self, rows: Column) -> "Credits":
        """Those of some rows alone, in their order."""
        place = np.full(len(self.track_id), -1)
        place[rows] = np.arange(len(rows))
        some = np.flatnonzero(place[self.rows] >= 0)
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in (*_CODED, "is_album_of_spotify")},
            counts={name: column[some] for name, column in self.counts.items()},
            rows=place[self.rows[some]],
        )


def plays_of_item(history: History, kind: str, id_: str) -> Counted:
    """As the part of this name, of a history that has all months."""
    is_meant = copies_of_item(history, kind, id_)
    counts = copies_of(every_play(history))
    some = np.flatnonzero(is_meant[counts["copy"]])
    return Counted(history.texts, history.copies, {name: column[some] for name, column in counts.items()})


def credits_of(span: Span) -> Credits:
    """As the part ``credits``."""
    return credits_of_counted(Counted(span.texts, span.copies, copies_of(span)))


def credits_of_counted(plays: Counted) -> Credits:
    """The same of plays that are counted."""
    texts, copies, counts = plays
    copy = counts["copy"]
    tracks, rows = numbered(copies["track_id"][copy], len(texts))
    preference = least(rows, counts["preference"], len(tracks))
    best = np.flatnonzero(counts["preference"] == preference[rows])
    at = counts["preferred_at"][best]
    last = best[at == -least(rows[best], -at, len(tracks))[rows[best]]]
    chosen = np.empty(len(tracks), np.int64)
    chosen[rows[last]] = last
    at = copy[chosen]
    one = {name: copies[name][at] for name in _SAID}
    artist_id, artist_name = no_empty(one["artist_id"]), no_empty(one["artist_name"])
    album_id, album_name = no_empty(one["album_id"]), no_empty(one["album_name"])
    album_artist = first_of(no_empty(one["album_artist_name"]), artist_name)
    album_key = first_of(one["album_key"], one["album_id"], one["album_name"])

    # The preferred copy of each album's id.
    of_album = np.flatnonzero((album_id != NULL) & (album_name != NULL))
    albums, places = numbered(album_id[of_album], len(texts))
    firsts = _first_copies(
        texts, of_album, places, len(albums), preference, tracks, (album_name, album_artist, album_key)
    )
    of_id = np.full(len(texts), NULL)
    of_id[albums] = firsts
    found = np.where(album_id == NULL, NULL, of_id[album_id])
    has = found != NULL

    # The one id of each name that has just one.
    both = np.flatnonzero((artist_id != NULL) & (artist_name != NULL))
    names, places = numbered(artist_name[both], len(texts))
    low = least(places, artist_id[both].astype(np.int64), len(names))
    high = -least(places, -artist_id[both].astype(np.int64), len(names))
    only_id = np.full(len(texts), NULL, np.int32)
    only_id[names[low == high]] = low[low == high]
    artist_key = np.where(artist_id != NULL, artist_id, np.where(artist_name == NULL, NULL, only_id[artist_name]))
    artist_key = np.where(artist_name == NULL, NULL, artist_key).astype(np.int32)
    unnamed = np.flatnonzero((artist_key == NULL) & (artist_name != NULL))
    artist_key[unnamed] = texts.made_artist_ids(artist_name[unnamed])

    def offirst_of(column: Codes) -> Codes:
        return np.where(has, column[found], NULL)

    return Credits(
        texts=texts,
        track_id=tracks.astype(np.int32),
        track_name=one["track_name"],
        song_id=one["song_id"],
        artist_name=artist_name,
        artist_key=artist_key,
        album_key=first_of(offirst_of(album_key), album_key),
        shown_album_id=first_of(album_id, album_key),
        is_album_of_spotify=album_id != NULL,
        album_name=np.where(album_name == NULL, NULL, first_of(offirst_of(album_name), album_name)),
        album_artist=np.where(has, offirst_of(album_artist), album_artist),
        counts=counts,
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
    lowest = least(places, preference[rows], number)
    best = np.flatnonzero(preference[rows] == lowest[places])
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


_CODED = (
    "track_id",
    "track_name",
    "song_id",
    "artist_name",
    "artist_key",
    "album_key",
    "shown_album_id",
    "album_name",
    "album_artist",
)


def table_of_credits(credited: Credits, rows: Column | None = None, **more: pa.Array) -> pa.Table:
    """All columns of the part ``credits``, of all rows or these, and ``more``."""
    some = slice(None) if rows is None else rows
    made = {name: credited.texts.array(getattr(credited, name)[some]) for name in _CODED}
    return pa.table({**made, "is_album_of_spotify": pa.array(credited.is_album_of_spotify[some]), **more})


def keys_of(credited: Credits, kind: str) -> Codes:
    """What each track counts for as a track, an artist or an album: an album without a name is none."""
    if kind == "album":
        return np.where(credited.album_name == NULL, np.int32(NULL), credited.album_key)
    return credited.song_id if kind == "track" else credited.artist_key


def chosen_of(history: History, credited: Credits, kind: str, id_: str) -> Credits:
    """As the part ``chosen``: all of its tracks count for the one key that is meant, of this kind."""
    texts, key = credited.texts, credited.texts.found(id_)
    keys = keys_of(credited, kind)
    is_asked = {
        "track": lambda: credited.track_id == key,
        "artist": lambda: keys == key,
        "album": lambda: keys == key,
    }
    is_also = {
        "track": lambda: keys == key,
        "artist": lambda: np.isin(credited.artist_name, names_of_artist(history, id_)),
        "album": lambda: credited.shown_album_id == key,
    }
    rows = np.empty(0, np.int64)
    for may_be in (is_asked[kind], is_also[kind], lambda: np.ones(len(keys), bool)):
        if len(found := np.unique(keys[may_be() & (keys != NULL)])):
            meant = max(found.tolist(), key=texts.__getitem__)
            rows = np.flatnonzero(keys == meant)
            break
    return credited.of_tracks(rows)


def different_of(credited: Credits) -> dict[str, int]:
    """As the part ``different``."""

    def number(keys: Codes) -> int:
        there = np.zeros(len(credited.texts) + 1, bool)
        there[keys] = True
        return int(np.count_nonzero(there[:NULL]))

    return {f"{what}s": number(keys_of(credited, kind)) for what, kind in _COUNTED.items()}
