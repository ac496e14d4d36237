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
from itertools import cycle
from typing import NamedTuple
from zlib import crc32

import numpy as np

from pipelines.domain import ranking
from pipelines.domain.ranking import KINDS, TOP, Copies, Items, Kind
from pipelines.domain.song import album_key, song_key, synthetic_id
from pipelines.streaming.songs import ALBUM_FIELDS, ARTIST_FIELDS, Ints, in_groups

# Songs, a group of each, and fields.
_Read = Callable[[Ints, Ints, int], list[Copies]]

# The numbers' columns, and the type of each. Zero is for what is not known, and joins nothing.
MARKS, MARK = 6, "<u4"
_TRACK, _SONG, _ARTIST, _NAME, _ALBUM_ID, _ALBUM = range(MARKS)
# By what songs are joined, the last of which a line is made for.
_JOINING: dict[Kind, tuple[int, ...]] = {
    "track": (_TRACK, _SONG),
    "artist": (_TRACK, _NAME, _ARTIST),
    "album": (_TRACK, _ALBUM_ID, _ALBUM),
}
# Of many songs with these numbers in common most have names whose lines end alike in so many fields: one with all their
# plays makes the same line of the ten. So it is not for songs that share a track, of which one may be told by another
# one's names.
_ALIKE: dict[Kind, tuple[tuple[int, int], int]] = {
    "artist": ((_ARTIST, _NAME), ARTIST_FIELDS),
    "album": ((_ALBUM, _NAME), ALBUM_FIELDS),
}


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


def tens(plays: Ints, last: Ints, marks: Ints, copies: _Read) -> dict[Kind, Items]:
    """``ranking.tens_of`` all songs, each of which has so many plays, the last one's milliseconds, and numbers: a row
    of ``marks`` for each of MARKS. ``copies`` reads what is said of some that have plays, and may make one of those of
    one group that end alike in some fields."""
    by_track, *_ = joined = [_joined(column) for column in marks]
    shares_none = np.ones(len(plays), bool)
    if by_track:
        shares_none[by_track.order] = np.diff(by_track.begins, append=len(plays))[by_track.group] == 1

    def read(kind: Kind, which: Ints) -> list[Copies]:
        if kind not in _ALIKE:
            return copies(which, np.arange(len(which)), 0)
        (high, low), fields = _ALIKE[kind]
        alone, others = which[shares_none[which]], which[~shares_none[which]]
        group = marks[high, alone].astype(np.int64) << 32 | marks[low, alone]
        return copies(alone, group, fields) + (copies(others, np.arange(len(others)), 0) if len(others) else [])

    def ten(kind: Kind) -> Items:
        crowd = _crowds(len(plays), [by for each in _JOINING[kind] if (by := joined[each])])
        return _ten(kind, plays, last, crowd, marks[_JOINING[kind][-1]] > 0, partial(read, kind))

    return {kind: ten(kind) for kind in KINDS}


def _ten(
    kind: Kind, plays: Ints, last: Ints, crowd: Ints, is_known: Ints, read: Callable[[Ints], list[Copies]]
) -> Items:
    most = np.zeros(len(crowd), np.int64)
    np.maximum.at(most, crowd, last // 1000)
    most += np.bincount(crowd, plays, len(crowd)).astype(np.int64) << ranking.SECONDS_BITS
    # What no line is made for stands in nobody's way.
    has_line = np.zeros(len(crowd), bool)
    has_line[crowd[is_known]] = True
    most[~has_line] = 0
    # Of each song; none, where it has no plays.
    can_reach = np.where(plays > 0, most[crowd], 0)
    some = most[most > 0]  # among many zeros numpy looks for the tenth ten times as long
    least = np.partition(some, -TOP)[-TOP] if len(some) > TOP else 1
    items = ranking.ten_of(read(np.flatnonzero(can_reach >= least)), kind)
    reached = ranking.rank_of(items[-1]) if len(items) == TOP else 1
    if reached < least:
        items = ranking.ten_of(read(np.flatnonzero(can_reach >= reached)), kind)
    return items


class _Joined(NamedTuple):
    """Songs in the order of a column of numbers: in it, whether a song's is known, and which group it is in; and where
    each group begins."""

    order: Ints
    is_known: Ints
    group: Ints
    begins: Ints


def _joined(column: Ints) -> _Joined | None:
    """None where no two songs have the same number."""
    order, is_first = in_groups(column)
    if is_first.all():
        return None
    return _Joined(order, column[order] > 0, np.cumsum(is_first) - 1, np.flatnonzero(is_first))


def _crowds(songs: int, joined: Sequence[_Joined]) -> Ints:
    """Of each song the first one that it is joined to."""
    crowd = np.arange(songs)
    settled = 0  # so many columns, one after another, join nothing more
    for by in cycle(joined):
        new, some = crowd.copy(), crowd[by.order]
        new[by.order] = np.where(by.is_known, np.minimum.reduceat(some, by.begins)[by.group], some)
        settled = settled + 1 if np.array_equal(crowd, new) else 1
        crowd = new
        if settled == len(joined):
            break
    return crowd
