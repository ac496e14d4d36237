"""What the stream keeps of one user's month between two batches: each play in fourteen bytes, each song once.

It lies in pieces. A batch adds one, with what is new in it; when the small ones have grown to an eighth of the large
one, all of them become one. So a batch costs what is new in it, and not what the month has: the large piece is sorted,
and looked into where it lies. One cell of state holds the pieces, since runners pay for each that they read or write.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.domain import ranking
from pipelines.domain.ranking import Copies, Entry, Items, Kind
from pipelines.streaming import contenders, forms
from pipelines.streaming.forms import COLUMNS, ROW, Piece
from pipelines.streaming.songs import (
    Ints,
    copies_alike,
    copies_of,
    ingested,
    line_of,
    names_of,
    preference_of,
    track_id_of,
)

_LEAST_SMALL, _PART_SMALL = 64, 8
# Of fewer songs all are ranked: it takes longer to tell which may be among the ten.
_LEAST_SONGS = 128


class _Plays(NamedTuple):
    """Plays in columns, each instant once, ascending: milliseconds since the month began, song, preference."""

    at: Ints
    song: Ints
    low: Ints
    high: Ints

    def preference(self, where: Any = slice(None)) -> Ints:
        return self.low[where].astype(np.int64) | self.high[where].astype(np.int64) << 32

    def only(self, where: Ints) -> "_Plays":
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
        # What is said of each song, the numbers of those that were looked for, and the marks of all: kept from the
        # first large piece on, since nobody asks for them in a smaller month.
        self._said: list[bytes] = []
        self._songs: dict[bytes, int] = {}
        self._marks: list[bytes] = []
        self._has_marks = self._is_less = False
        pieces = list(pieces)
        self.size = sum(map(len, pieces))
        for is_large, _, plays, marks, said in forms.unpacked(pieces):
            self._said += said
            self._marks.append(marks)
            if is_large:
                self._large, self._has_marks = _plays_in(plays), True
            else:
                for at, song, low, high in ROW.iter_unpack(plays):
                    if self._is_preferred(song, low | high << 32, self._small.get(at)):
                        self._small[at] = song, low | high << 32

    def __bool__(self) -> bool:
        """Whether there is a play."""
        return bool(self._small) or len(self._large.at) > 0

    def __len__(self) -> int:
        """How many plays there are."""
        _, is_there = _found(self._instants(), self._large.at)
        return len(self._small) + len(self._large.at) - int(is_there.sum())

    def add(self, entries: Sequence[tuple[int, Entry]]) -> tuple[list[bool], bytes | None]:
        """Take plays in. Of each, whether it is new here, or a copy that is preferred to the one that was; and the
        piece to be kept besides the others, if any is."""
        first, marks = len(self._said), len(self._marks)
        if len(self._songs) < first:
            self._songs = dict(zip(self._said, range(first), strict=True))
        small: dict[int, tuple[int, int]] = {}
        answers = []
        known = self._in_large([millis - self.start for millis, _ in entries])
        for (millis, entry), large in zip(entries, known, strict=True):
            at, said, preference = millis - self.start, line_of(entry), preference_of(entry)
            if (song := self._songs.get(said)) is None:
                song = self._songs[said] = len(self._said)
                self._said.append(said)
                if self._has_marks:
                    self._marks.append(forms.marks_of_names(entry[1:]))
            is_new = self._is_preferred(song, preference, self._small.get(at, large))
            if is_new:
                self._small[at] = small[at] = song, preference
            answers.append(is_new)
        if not small:
            # No piece tells of their songs, so that another one's songs would be numbered as if they were there.
            while len(self._said) > first:
                del self._songs[self._said.pop()]
            del self._marks[marks:]
            return answers, None
        rows = b"".join([ROW.pack(at, song, known & 0xFFFFFFFF, known >> 32) for at, (song, known) in small.items()])
        piece = forms.packed(Piece(False, first, rows, b"".join(self._marks[marks:]), self._said[first:]))
        self.size += len(piece)
        return answers, piece

    def forget(self, until: int) -> None:
        """Leave out what was ingested up to an instant, in milliseconds since 1970."""
        before = len(self._small) + len(self._large.at)
        self._small = {at: play for at, play in self._small.items() if ingested(play[1]) > until}
        self._large = self._large.only(ingested(self._large.preference()) > until)
        self._is_less |= len(self._small) + len(self._large.at) < before

    def compacted(self) -> bytes | None:
        """The one piece that all of them are to become now; None as long as they are few."""
        if not self._is_less and len(self._small) <= max(_LEAST_SMALL, len(self._large.at) // _PART_SMALL):
            return None
        plays = self._all()
        columns = b"".join([column.astype(kind).tobytes() for column, kind in zip(plays, COLUMNS, strict=True)])
        marks = b"".join(self._marks) if self._has_marks else forms.marks_of_lines(self._said)
        return forms.packed(Piece(True, 0, columns, marks, self._said))

    def tens(self) -> dict[Kind, Items]:
        """The ten of each kind: ``ranking.tens_of`` all copies."""
        if len(self._said) < _LEAST_SONGS or not self._has_marks:
            return ranking.tens_of(self.copies())
        columns = self._by_song()

        def copies(which: Ints, group: Ints, fields: int) -> list[Copies]:
            lines = [self._said[song] for song in which.tolist()]
            return copies_alike(lines, [column[which] for column in columns], group, fields)

        plays, last, *_ = columns
        return contenders.tens(plays, last, forms.in_columns(self._marks)[:, : len(plays)], copies)

    def copies(self) -> list[Copies]:
        """All plays, by what their copies say."""
        if not len(self._large.at):
            return self._copies_of_few()
        return copies_of(names_of(self._said), zip(*[column.tolist() for column in self._by_song()], strict=True))

    def _by_song(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Of each song the plays, the last one's instant, the smallest preference as a number, and that play's
        instant, in milliseconds since 1970. The last songs may be missing, where they have no plays."""
        plays = self._all()
        preference = plays.preference()
        counts = np.bincount(plays.song)
        # Of many values for one song the last stays: the last play, since plays are in order, and the preferred one, of
        # equals the later.
        last, best = np.zeros((2, len(counts)), dtype=np.int64)
        last[plays.song] = plays.at
        by_preference = np.argsort(-preference, kind="stable")
        best[plays.song[by_preference]] = by_preference
        return counts, self.start + last, preference[best], self.start + plays.at[best].astype(np.int64)

    def _copies_of_few(self) -> list[Copies]:
        """The same where nothing is in columns, which would take longer than a few dozen plays do without."""
        by_song: dict[int, list[tuple[int, int]]] = {}
        for at, (song, preference) in self._small.items():
            by_song.setdefault(song, []).append((preference, -at))
        said, values = [], []
        for song, line in enumerate(self._said):
            if plays := by_song.get(song):
                (preference, before), last = min(plays), max([-at for _, at in plays])
                said.append(line)
                values.append((len(plays), self.start + last, preference, self.start - before))
        return copies_of(names_of(said), values)

    def _is_preferred(self, song: int, preference: int, to: tuple[int, int] | None) -> bool:
        """``Play.preference``, whose last part is the track's id."""
        if to is None or preference != to[1]:
            return to is None or preference < to[1]
        return song != to[0] and track_id_of(self._said[song]) < track_id_of(self._said[to[0]])

    def _in_large(self, instants: list[int]) -> Iterable[tuple[int, int] | None]:
        large = self._large
        if not len(large.at):
            return [None] * len(instants)
        where, is_there = _found(np.array(instants, np.uint32), large.at)
        found = zip(large.song[where].tolist(), large.preference(where).tolist(), strict=True)
        return [play if there else None for play, there in zip(found, is_there.tolist(), strict=True)]

    def _instants(self) -> Ints:
        return np.fromiter(self._small, np.uint32, len(self._small))

    def _all(self) -> _Plays:
        if not self._small:
            return self._large
        song, preference = np.array([*self._small.values()], np.int64).T
        small = _Plays(self._instants(), song, preference & 0xFFFFFFFF, preference >> 32)
        # What is small was preferred to what was there.
        where, is_there = _found(small.at, self._large.at)
        large = self._large.only(np.delete(np.arange(len(self._large.at)), where[is_there]))
        both = _Plays(*map(np.concatenate, zip(large, small, strict=True)))
        return both.only(np.argsort(both.at))


def _found(instants: Ints, ascending: Ints) -> tuple[Ints, Ints]:
    """Where each instant is among others, and whether it is there."""
    if not len(ascending):
        return np.zeros(len(instants), np.intp), np.zeros(len(instants), bool)
    where = np.minimum(ascending.searchsorted(instants), len(ascending) - 1)
    return where, ascending[where] == instants


def _plays_in(columns: bytes) -> _Plays:
    count, offset, found = len(columns) // ROW.size, 0, []
    for kind in map(np.dtype, COLUMNS):
        found.append(np.frombuffer(columns, kind, count, offset))
        offset += count * kind.itemsize
    return _Plays(*found)


_NO_PLAYS = _plays_in(b"")
