"""What the stream keeps of one user's month between two batches: each play in fourteen bytes, each song once.

It lies in pieces. A batch adds one, with what is new in it; when the small ones have grown to an eighth of the large
one, all of them become one. So a batch costs what is new in it, and not what the month has: the large piece is sorted,
and looked into where it lies. One cell of state holds the pieces, since runners pay for each that they read or write.

A piece begins with the version of its form. Who changes the form goes on reading this one: a job that is updated finds
its state as it left it. State of a newer version raises StateError.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
import orjson

from pipelines.domain.ranking import Copies, Entry

VERSION = 1
# A piece: its version, whether it is the large one, the number of its plays, the number of its first song; then the
# plays, and what is said of its songs, a line for each. The large one has its plays in columns, small ones in rows.
_HEAD, _ROW = Struct("<BB2xII"), Struct("<IIIH")
_COLUMNS = (("<u4", 4), ("<u4", 4), ("<u4", 4), ("<u2", 2))
# A preference as a number: the source's rank, then the milliseconds of the ingestion, which fit for five centuries. It
# is in the last two columns, and the song is in the second.
_INGESTED_BITS = 44
_LEAST_SMALL, _PART_SMALL = 64, 8

_Ints = np.ndarray[Any, np.dtype[Any]]


class StateError(Exception):
    """The state was written by a newer version."""


class _Plays(NamedTuple):
    """Plays in columns, each instant once, ascending: milliseconds since the month began, song, preference."""

    at: _Ints
    song: _Ints
    low: _Ints
    high: _Ints

    def preference(self, where: Any = slice(None)) -> _Ints:
        return self.low[where].astype(np.int64) | self.high[where].astype(np.int64) << 32

    def only(self, where: _Ints) -> "_Plays":
        return _Plays(*(column[where] for column in self))


class Tally:
    """A month of one user, from its pieces. ``start`` is its first instant in milliseconds since 1970, ``size`` the
    bytes of its pieces, those too that ``add`` made."""

    def __init__(self, start: int, pieces: Iterable[bytes]) -> None:
        """Raises StateError."""
        self.start = start
        self._large = _NO_PLAYS
        # By milliseconds since the month began: song and preference.
        self._small: dict[int, tuple[int, int]] = {}
        self._songs: dict[bytes, int] = {}
        self._is_less = False
        self.size = 0
        # A runner gives them in any order, and songs are numbered in theirs.
        for piece in sorted(pieces, key=_first_song):
            self.size += len(piece)
            version, is_large, count, first = _HEAD.unpack_from(piece)
            if version > VERSION:
                raise StateError(f"state of form {version}, and this version knows {VERSION}: go on with a newer one")
            end = _HEAD.size + count * _ROW.size
            if len(piece) > end:
                said = piece[end:].split(b"\n")
                self._songs.update(zip(said, range(first, first + len(said)), strict=True))
            if is_large:
                self._large = _plays_in(piece, count)
            else:
                for at, song, low, high in _ROW.iter_unpack(memoryview(piece)[_HEAD.size : end]):
                    if self._is_preferred(song, low | high << 32, self._small.get(at)):
                        self._small[at] = song, low | high << 32

    def __bool__(self) -> bool:
        """Whether there is a play."""
        return bool(self._small) or len(self._large.at) > 0

    def add(self, entries: Sequence[tuple[int, Entry]]) -> tuple[list[bool], bytes | None]:
        """Take plays in. Of each, whether it is new here, or a copy that is preferred to the one that was; and the
        piece to be kept besides the others, if any is."""
        first = len(self._songs)
        small: dict[int, tuple[int, int]] = {}
        answers = []
        known = self._in_large([millis - self.start for millis, _ in entries])
        for (millis, entry), large in zip(entries, known, strict=True):
            at, said, preference = millis - self.start, _said(entry), _number(entry)
            song = self._songs.setdefault(said, len(self._songs))
            is_new = self._is_preferred(song, preference, self._small.get(at, large))
            if is_new:
                self._small[at] = small[at] = song, preference
            answers.append(is_new)
        if not small:
            # No piece tells of their songs, so that another one's songs would be numbered as if they were there.
            while len(self._songs) > first:
                self._songs.popitem()
            return answers, None
        rows = b"".join([_ROW.pack(at, song, known & 0xFFFFFFFF, known >> 32) for at, (song, known) in small.items()])
        new = [*islice(reversed(self._songs), len(self._songs) - first)][::-1]
        piece = _HEAD.pack(VERSION, False, len(small), first) + rows + b"\n".join(new)
        self.size += len(piece)
        return answers, piece

    def forget(self, until: int) -> None:
        """Leave out what was ingested up to an instant, in milliseconds since 1970."""
        before = len(self._small) + len(self._large.at)
        self._small = {at: play for at, play in self._small.items() if _ingested(play[1]) > until}
        self._large = self._large.only(_ingested(self._large.preference()) > until)
        self._is_less |= len(self._small) + len(self._large.at) < before

    def compacted(self) -> bytes | None:
        """The one piece that all of them are to become now; None as long as they are few."""
        if not self._is_less and len(self._small) <= max(_LEAST_SMALL, len(self._large.at) // _PART_SMALL):
            return None
        plays = self._all()
        columns = b"".join([column.astype(kind).tobytes() for column, (kind, _) in zip(plays, _COLUMNS, strict=True)])
        return _HEAD.pack(VERSION, True, len(plays.at), 0) + columns + b"\n".join(self._songs)

    def copies(self) -> list[Copies]:
        """All plays, by what their copies say."""
        if not len(self._large.at):
            return self._copies_of_few()
        plays = self._all()
        preference = plays.preference()
        counts = np.bincount(plays.song)
        # Of many values for one song the last stays: the last play, and the preferred one, of equals the later.
        last, best = np.zeros((2, len(counts)), dtype=np.int64)
        last[plays.song] = plays.at
        by_preference = np.lexsort((plays.at, -preference))
        best[plays.song[by_preference]] = by_preference
        columns = counts, self.start + last, preference[best], self.start + plays.at[best].astype(np.int64)
        return _copies(self._songs, zip(*[column.tolist() for column in columns], strict=True))

    def _copies_of_few(self) -> list[Copies]:
        """The same where nothing is in columns, which would take longer than a few dozen plays do without."""
        by_song: dict[int, list[tuple[int, int]]] = {}
        for at, (song, preference) in self._small.items():
            by_song.setdefault(song, []).append((preference, -at))
        said, values = [], []
        for song, line in enumerate(self._songs):
            if plays := by_song.get(song):
                (preference, before), last = min(plays), max([-at for _, at in plays])
                said.append(line)
                values.append((len(plays), self.start + last, preference, self.start - before))
        return _copies(said, values)

    def _is_preferred(self, song: int, preference: int, to: tuple[int, int] | None) -> bool:
        """``Play.preference``, whose last part is the track's id."""
        if to is None or preference != to[1]:
            return to is None or preference < to[1]
        return song != to[0] and self._track_id(song) < self._track_id(to[0])

    def _in_large(self, instants: list[int]) -> Iterable[tuple[int, int] | None]:
        large = self._large
        if not len(large.at):
            return [None] * len(instants)
        wanted = np.array(instants, np.uint32)
        where = np.minimum(large.at.searchsorted(wanted), len(large.at) - 1)
        found = zip(large.song[where].tolist(), large.preference(where).tolist(), strict=True)
        there = (large.at[where] == wanted).tolist()
        return [play if is_there else None for play, is_there in zip(found, there, strict=True)]

    def _track_id(self, number: int) -> str:
        return str(orjson.loads(list(self._songs)[number])[0])

    def _all(self) -> _Plays:
        if not self._small:
            return self._large
        at = np.fromiter(self._small, np.uint32, len(self._small))
        song, preference = np.array([*self._small.values()], np.int64).T
        small = _Plays(at, song, preference & 0xFFFFFFFF, preference >> 32)
        # What is small was preferred to what was there.
        large = self._large.only(~np.isin(self._large.at, at))
        both = _Plays(*map(np.concatenate, zip(large, small, strict=True)))
        return both.only(np.argsort(both.at))


def _plays_in(piece: bytes, count: int) -> _Plays:
    columns = []
    offset = _HEAD.size
    for kind, size in _COLUMNS:
        columns.append(np.frombuffer(piece, kind, count, offset))
        offset += count * size
    return _Plays(*columns)


def _first_song(piece: bytes) -> int:
    return int(_HEAD.unpack_from(piece)[3])


_NO_PLAYS = _plays_in(bytes(_HEAD.size), 0)


def _number(entry: Entry) -> int:
    rank, ingested, _ = entry[0]
    return rank << _INGESTED_BITS | ingested


def _ingested(preference: Any) -> Any:
    return preference & (1 << _INGESTED_BITS) - 1


def _said(entry: Entry) -> bytes:
    _, *said, album_artist, image_url = entry
    # Most albums are the artist's.
    return orjson.dumps([*said, 0 if album_artist == said[3] else album_artist, image_url])


def _copies(said: Iterable[bytes], values: Iterable[tuple[int, int, int, int]]) -> list[Copies]:
    """Of what is said of each song, and of its plays: how many, the last one's instant, the smallest preference as a
    number, and that play's instant."""
    found = []
    # All at once: to call the parser for each song took as long as to parse it.
    for names, (count, last, preference, at) in zip(orjson.loads(b"[%b]" % b",".join(said)), values, strict=False):
        if count:
            if names[6] == 0:
                names[6] = names[3]
            best = *divmod(preference, 1 << _INGESTED_BITS), names[0], -at
            found.append(Copies._make((count, last, best, *names)))
    return found
