"""The rows of an export, and the archive's copies of plays, as columns: some thirty bytes each.

So a whole lifetime of listening can be compared with what is known, without a row's texts in memory.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import compress
from operator import gt
from typing import Self

from pipelines.domain.play import SOURCE_RANK, Source
from producer.identity.remembered import PolledPlay, TrackName

ACCOUNT = SOURCE_RANK[Source.ACCOUNT_EXPORT]
EXTENDED = SOURCE_RANK[Source.EXTENDED_EXPORT]
POLLED = SOURCE_RANK[Source.RECENTLY_PLAYED]
# The number of a track that no row of the export has.
NO_TRACK = -1


class Tracks:
    """Numbers for tracks. A track is an id with the names of its main artist and its title.

    Two tracks are the same if their ids are, or their names: account data has no ids, and Spotify gives one
    recording other ids in other countries. ``id_of`` and ``names_of`` number the ids, and artists with titles, by
    the tracks' numbers.
    """

    def __init__(self) -> None:
        self.texts: list[TrackName] = []
        self.id_of = array("I")
        self.names_of = array("I")
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._ids: dict[str, int] = {}
        self._names: dict[tuple[str, str], int] = {}

    def number(self, track_id: str, artist: str, name: str) -> int:
        """The track's number, a new one for a new track."""
        text = track_id, artist, name
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(TrackName(*text))
            self.id_of.append(self._ids.setdefault(track_id, len(self._ids)))
            self.names_of.append(self._names.setdefault(self.texts[number].names, len(self._names)))
        return number

    def number_if_known(self, track_id: str, artist: str, name: str) -> int:
        """The track's number if its id or its names have one, otherwise NO_TRACK."""
        if track_id in self._ids or TrackName(track_id, artist, name).names in self._names:
            return self.number(track_id, artist, name)
        return NO_TRACK

    def same(self, one: int, other: int) -> bool:
        """Whether two numbers stand for the same track."""
        if NO_TRACK in (one, other):
            return False
        return self.same_id(one, other) or self.same_names(one, other)

    def same_id(self, one: int, other: int) -> bool:
        """Whether two tracks have one id."""
        return self.id_of[one] == self.id_of[other]

    def same_names(self, one: int, other: int) -> bool:
        """Whether two tracks have one title, by one main artist."""
        return self.names_of[one] == self.names_of[other]

    def ids_by_names(self) -> dict[tuple[str, str], str]:
        """The Spotify id of artist and title, where exactly one is known."""
        found: dict[tuple[str, str], str | None] = {}
        for track_id, *names in self.texts:
            if not track_id.startswith("names:"):
                artist, name = names
                # A second id makes the names ambiguous.
                known = found.setdefault((artist, name), track_id)
                found[artist, name] = track_id if known == track_id else None
        return {names: track_id for names, track_id in found.items() if track_id}


class Plays:
    """Plays as columns. Instants and durations are milliseconds, sources are ranks of SOURCE_RANK.

    ``spans`` has, by source, the first and the last instant of each export: it lacks nothing in between.
    """

    def __init__(self, tracks: Tracks) -> None:
        self.all_tracks = tracks
        self.spans: dict[int, list[tuple[int, int]]] = {}
        self.instants = array("q")
        self.sources = array("B")
        self.tracks = array("i")
        self.ms_played = array("q")

    def __len__(self) -> int:
        return len(self.instants)

    def add(self, instant: int, source: int, track: int, ms_played: int | None) -> None:
        """One more play."""
        self.instants.append(instant)
        self.sources.append(source)
        self.tracks.append(track)
        self.ms_played.append(ms_played or 0)


class Rows(Plays):
    """Rows of exports. ``instants`` are the ends of plays; ``reported`` is when Spotify learned of them, which is
    later for some that were heard offline.
    """

    def __init__(self, tracks: Tracks) -> None:
        super().__init__(tracks)
        self.reported = array("q")

    def add_row(self, end: int, source: int, track: int, ms_played: int, reported: int) -> None:
        """One more row."""
        # Not by ``add``: of a lifetime's rows each call is noticed.
        self.instants.append(end)
        self.sources.append(source)
        self.tracks.append(track)
        self.ms_played.append(ms_played)
        self.reported.append(reported)


class Copies(Plays):
    """The copies of plays that the archive holds for one user. Sort after adding, before asking.

    ``stamps`` has a second instant of some plays by the first: the API's own, of one that was polled and is known by
    another, or when an offline one was reported. ``unwritten`` has the instants of plays that were polled and are not
    in the archive.
    """

    def __init__(self, tracks: Tracks) -> None:
        super().__init__(tracks)
        self.stamps: dict[int, int] = {}
        self.unwritten: set[int] = set()
        self._stamped: list[tuple[int, int]] = []

    def with_polled(self, polled: Iterable[PolledPlay]) -> Self:
        """Others, sorted, with these plays too, which were polled and may not be in the archive yet."""
        both = type(self)(self.all_tracks)
        both.spans = self.spans
        both.instants, both.sources = self.instants[:], self.sources[:]
        both.tracks, both.ms_played = self.tracks[:], self.ms_played[:]
        for play in polled:
            if not self.at(play.instant):
                both.unwritten.add(play.instant)
            both.add_polled(play, self.all_tracks.number_if_known(*play.track))
        both.sort()
        return both

    def add_copy(self, rows: Rows, row: int, instant: int) -> None:
        """One more play, by the instant under which it is known; the row says what it was."""
        self.add(instant, rows.sources[row], rows.tracks[row], rows.ms_played[row])
        if rows.reported[row] != rows.instants[row]:
            self.stamps.setdefault(instant, rows.reported[row])

    def add_polled(self, play: PolledPlay, track: int) -> None:
        """One more play that was polled, of the track with this number."""
        self.add(play.instant, POLLED, track, None)
        if play.stamp != play.instant:
            self.stamps[play.instant] = play.stamp

    def sort(self) -> None:
        """By instant."""
        self._stamped = sorted((stamp, instant) for instant, stamp in self.stamps.items())
        if not any(map(gt, self.instants, self.instants[1:])):
            return
        order = sorted(range(len(self)), key=self.instants.__getitem__)
        self.instants = array("q", map(self.instants.__getitem__, order))
        self.sources = array("B", map(self.sources.__getitem__, order))
        self.tracks = array("i", map(self.tracks.__getitem__, order))
        self.ms_played = array("q", map(self.ms_played.__getitem__, order))

    def between(self, first: int, last: int) -> range:
        """The copies of these instants, both included."""
        return range(bisect_left(self.instants, first), bisect_left(self.instants, last + 1))

    def stamped_between(self, first: int, last: int) -> set[int]:
        """The instants of the plays whose second instant is between these, both included."""
        start, end = bisect_left(self._stamped, (first,)), bisect_left(self._stamped, (last + 1,))
        return {instant for _, instant in self._stamped[start:end]}

    def at(self, instant: int) -> range:
        """The copies of one instant, and so of one play."""
        return self.between(instant, instant)

    def instants_of(self, *sources: int) -> frozenset[int]:
        """The instants of which there is a copy from one of these sources."""
        return frozenset(compress(self.instants, map(sources.__contains__, self.sources)))

    def is_copy_of(self, copy: int, rows: Rows, row: int) -> bool:
        """Whether the copy was made from this row, or from the same row of another file.

        Its track's id may be another by then, or have become known; its names stay.
        """
        if self.sources[copy] != rows.sources[row] or self.ms_played[copy] != rows.ms_played[row]:
            return False
        return self.all_tracks.same(self.tracks[copy], rows.tracks[row])

    def has_id_of(self, copy: int, rows: Rows, row: int) -> bool:
        """Whether the copy's track has the id that the row has, too."""
        return self.all_tracks.same_id(self.tracks[copy], rows.tracks[row])
