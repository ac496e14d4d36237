"""What each track id counts for: the parts ``credits``, ``chosen`` and ``different``."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipelines.querying.columns.counted import Counts, copies_of
from pipelines.querying.columns.grouping import first_of, least, no_empty
from pipelines.querying.columns.history import Column, History
from pipelines.querying.columns.spans import Span, names_of_artist
from pipelines.querying.columns.texts import NULL, Codes, Texts, numbered

_SAID = (
    *("track_name", "song_id", "artist_id", "artist_name"),
    *("album_key", "album_id", "album_name", "album_artist_name"),
)


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
    # Plays that are heard, by their copies, and for each of these its track's row.
    counts: Counts
    rows: Column


def credits_of(span: Span) -> Credits:
    """As the part ``credits``."""
    texts, copies = span.texts, span.copies
    counts = copies_of(span)
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


def chosen_of(history: History, credited: Credits, kind: str, id_: str) -> pa.Table:
    """As the part ``chosen``, with the one key that is meant."""
    texts, key = credited.texts, credited.texts.found(id_)
    keys = {"track": credited.song_id, "artist": credited.artist_key, "album": _albums(credited)}[kind]
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
    return table_of_credits(credited, rows, key=texts.array(keys[rows]))


def _albums(credited: Credits) -> Codes:
    """The key of each track's album, if that has a name: one without is none."""
    return np.where(credited.album_name == NULL, np.int32(NULL), credited.album_key)


def different_of(credited: Credits) -> dict[str, int]:
    """As the part ``different``."""

    def number(keys: Codes) -> int:
        there = np.zeros(len(credited.texts) + 1, bool)
        there[keys] = True
        return int(np.count_nonzero(there[:NULL]))

    return {
        "songs": number(credited.song_id),
        "artists": number(credited.artist_key),
        "albums": number(_albums(credited)),
    }


def guests_of(history: History) -> pa.Table:
    """As the part ``guests``."""
    of = [month["guests"] for month in history.between(date.min, date.max)]
    plays = np.bincount(np.concatenate(of)) if of else np.empty(0, np.int64)
    there = np.flatnonzero(plays)
    return pa.table({"id": history.texts.array(there.astype(np.int32)), "plays": pa.array(plays[there])})
