"""Who may be among a month's ten, told by numbers: names are read of them alone, and ``domain/ranking`` decides.

A song is what copies of one track say alike. Of each six numbers are kept, a text's checksum each: of its track's id,
of the key of its title and artist, of its artist's id and name, and of its album's id and key. Songs that count for one
line have one of them in common, or each has one with another of them, and so on: songs so joined are a *crowd*. No line
of a crowd has more plays than all of it, or a later one. The ten greatest crowds are ranked, and with them all that
could reach the tenth line. So the ten are those of all songs, to the letter: that two texts may have one checksum makes
a crowd larger, and no answer another.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np

from pipelines.domain import ranking
from pipelines.domain.ranking import KINDS, TOP, Copies, Items, Kind
from pipelines.domain.song import album_key, song_key, synthetic_id

Ints = np.ndarray[Any, np.dtype[Any]]

# The numbers' columns, and the type of each. Zero is for what is not known, and joins nothing.
MARKS, MARK = 6, "<u4"
_TRACK, _SONG, _ARTIST, _NAME, _ALBUM_ID, _ALBUM = range(MARKS)
# By what songs are joined, the last of which a line is made for.
_JOINING: dict[Kind, tuple[int, ...]] = {
    "track": (_TRACK, _SONG),
    "artist": (_TRACK, _NAME, _ARTIST),
    "album": (_TRACK, _ALBUM_ID, _ALBUM),
}
# What a line is made of: where songs have the same names there, one with all their plays makes the same line. So it is
# not for songs that share a track, of which one may be told by another one's names.
_ALL = slice(None)
_ALIKE: dict[Kind, slice] = {"track": _ALL, "artist": slice(2, 4), "album": slice(4, 8)}


def marks_of(
    track_id: str,
    track_name: str,
    artist_id: str | None,
    artist_name: str | None,
    album_id: str | None,
    album_name: str | None,
    album_artist: str | None,
) -> tuple[int, ...]:
    """A song's numbers, of what its copies say. They are in the state of jobs that run: what is changed here needs a
    new version of it."""
    return (
        _mark(track_id),
        _mark(song_key(track_id, track_name, artist_name)),
        _mark((artist_id or synthetic_id("artist", artist_name)) if artist_name else None),
        _mark(artist_name),
        _mark(album_id if album_name else None),
        _mark(album_key(album_name, album_artist)),
    )


def _mark(text: str | None) -> int:
    return crc32(text.encode()) or 1 if text else 0


def tens(plays: Ints, last: Ints, marks: Ints, copies: Callable[[Ints, slice], list[Copies]]) -> dict[Kind, Items]:
    """``ranking.tens_of`` all songs, each of which has so many plays, the last one's milliseconds, and numbers: a row
    of ``marks`` for each of MARKS. ``copies`` reads what is said of some that have plays,
    as one where the same is said in some fields."""
    _, track, songs = np.unique(marks[_TRACK], return_inverse=True, return_counts=True)
    shares_none = songs[track] == 1

    def read(kind: Kind, which: Ints) -> list[Copies]:
        alone = shares_none[which]
        return copies(which[alone], _ALIKE[kind]) + copies(which[~alone], _ALL)

    return {kind: _ten(kind, plays, last, marks, partial(read, kind)) for kind in KINDS}


def _ten(kind: Kind, plays: Ints, last: Ints, marks: Ints, read: Callable[[Ints], list[Copies]]) -> Items:
    columns = [marks[each] for each in _JOINING[kind]]
    crowd = _crowds(columns)
    most = np.zeros(len(crowd), np.int64)
    np.maximum.at(most, crowd, last // 1000)
    most += np.bincount(crowd, plays, len(crowd)).astype(np.int64) << ranking.SECONDS_BITS
    # What no line is made for stands in nobody's way.
    has_line = np.zeros(len(crowd), bool)
    has_line[crowd[columns[-1] > 0]] = True
    most[~has_line] = 0
    # Of each song; none, where it has no plays.
    can_reach = np.where(plays > 0, most[crowd], 0)
    least = max(1, np.partition(most, -TOP)[-TOP]) if len(most) > TOP else 1
    items = ranking.ten_of(read(np.flatnonzero(can_reach >= least)), kind)
    reached = ranking.rank_of(items[-1]) if len(items) == TOP else 1
    if reached < least:
        items = ranking.ten_of(read(np.flatnonzero(can_reach >= reached)), kind)
    return items


def _crowds(columns: Sequence[Ints]) -> Ints:
    """Of each song the first one that it is joined to."""
    crowd = every = np.arange(len(columns[0]))
    joined = []
    for column in columns:
        order = column.argsort()
        ordered = column[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        if not begins.all():
            joined.append((order, ordered > 0, np.flatnonzero(begins), np.cumsum(begins) - 1))
    while joined:
        before = crowd
        for order, is_known, begins, group in joined:
            new = crowd.copy()
            some = crowd[order]
            new[order] = np.where(is_known, np.minimum.reduceat(some, begins)[group], some)
            crowd = new
        if np.array_equal(crowd, before):
            return crowd
    return every
