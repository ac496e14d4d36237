"""The lines of one kind, a song, an artist or an album each: their order, and what those are called that are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.querying.columns.counted import TIMES
from pipelines.querying.columns.credited import Credits
from pipelines.querying.columns.grouping import in_order_of_texts, least, summed
from pipelines.querying.columns.history import Column
from pipelines.querying.columns.standing import Standing
from pipelines.querying.columns.texts import EMPTY, NULL, Codes, numbered

# As the part's SQL puts Spotify's ids before all others.
_FAR = 1_000_000_000_000_000


@dataclass(frozen=True)
class _Said:
    """What a kind says of each track: whether it counts, for which key, and what that is then called."""

    counts: Column
    key: Codes
    id: Codes
    is_spotifys: Column
    name: Codes
    artist_name: Codes
    artist_key: Codes


def _said(kind: str, of: Credits) -> _Said:
    """The part's ``counted``."""
    every, none = np.ones(len(of.track_id), bool), np.full(len(of.track_id), NULL, np.int32)
    if kind == "track":
        is_spotifys = ~of.texts.are_made(of.track_id)
        return _Said(every, of.song_id, of.track_id, is_spotifys, of.track_name, of.artist_name, of.artist_key)
    if kind == "artist":
        return _Said(of.artist_key != NULL, of.artist_key, of.artist_key, every, of.artist_name, none, of.artist_key)
    counts = of.album_name != NULL
    return _Said(counts, of.album_key, of.shown_album_id, of.is_album_of_spotify, of.album_name, of.album_artist, none)


@dataclass(frozen=True)
class _PlaysOf:
    """The plays of so many lines: their rows, their tracks' rows and which of these each has, each track's line."""

    number: int
    rows: Column
    tracks: Column
    of_rows: Column
    of_tracks: Column

    def last(self, values: Column) -> Column:
        """For each line the track that has the largest of these values, which are different."""
        best = np.flatnonzero(values == -least(self.of_tracks, -values, self.number)[self.of_tracks])
        found = np.empty(self.number, np.int64)
        found[self.of_tracks[best]] = best
        return found


class Lines:
    """The lines of one kind. Their order is known of all, the rest is made of those that are asked for."""

    def __init__(self, kind: str, by: str, credited: Credits, copies: Mapping[str, Codes]) -> None:
        self.kind = kind
        self._by, self._credited, self._copies, self._of = by, credited, copies, _said(kind, credited)
        rows = credited.rows
        self._some = np.flatnonzero(self._of.counts[rows])
        self.keys_by_place, self._places = numbered(self._of.key[rows[self._some]], len(credited.texts))

    def __len__(self) -> int:
        return len(self.keys_by_place)

    @cached_property
    def _order(self) -> Column:
        """The place of each rank."""
        return self.best(np.arange(len(self)), len(self))

    def best(self, among: Column, limit: int) -> Column:
        """Of some places the first by rank, in their order. To sort all where ten are asked for takes too long."""
        among = self._standing.best(among, limit)
        weights = self._standing.weights[among]
        order = np.argsort(-weights)
        in_order_of_texts(order, (weights,), lambda some: self._texts(self.details(among[some])["id"]))
        return among[order[:limit]]

    def of_keys(self, keys: Codes) -> Column:
        """The places of those keys that have one."""
        places = np.searchsorted(self.keys_by_place, keys)
        there = np.flatnonzero(places < len(self))
        return np.unique(places[there][self.keys_by_place[places[there]] == keys[there]])

    def _ranks(self, places: Column) -> Column:
        """Of some places, the first rank being 0."""
        standing = self._standing
        ranks = standing.before(places)
        for number in np.flatnonzero(standing.alike(places) > 1).tolist():
            place = places[number]
            tied = np.flatnonzero(standing.weights == standing.weights[place])
            ids = dict(zip(tied.tolist(), self._texts(self.details(tied)["id"]), strict=True))
            ranks[number] += sum(id_ < ids[place] for id_ in ids.values())
        return ranks

    @cached_property
    def _standing(self) -> Standing:
        return Standing(self._amounts, self._last)

    @cached_property
    def _amounts(self) -> Column:
        return self.amounts(self._by)

    @cached_property
    def _last(self) -> Column:
        """Seconds."""
        return -self._least(-self._counts("last_played_at")) // 1_000_000

    def amounts(self, by: str) -> Column:
        """By place: plays, or time and -1 where none is known."""
        plays = self._sum("plays")
        return plays if by != "time" else np.where(plays == self._sum("unknown_plays"), -1, self._sum("heard_ms"))

    def order(self, order: str) -> tuple[Column, tuple[Column, ...], tuple[int, ...]]:
        """Ranks in an order of the question ``tops``, numbers by rank that say it, and how many digits these have."""
        keys: tuple[Column, ...] = (self._least(self._counts("first_played_at")) // 1000,)
        widths: tuple[int, ...] = (15,)
        if order != "first":
            keys, widths = (10**15 - self.amounts(order), 10**10 - self._last), (16, 11)
        of_ranks = tuple(key[self._order] for key in keys)
        return np.lexsort(of_ranks[::-1]), of_ranks, widths

    def first(self, limit: int) -> dict[str, Column]:
        """The part's columns for the first lines."""
        places = self.best(np.arange(len(self)), limit)
        return self._columns(places, np.arange(len(places)))

    def columns(self, ranks: Column) -> dict[str, Column]:
        """The part's columns for lines of these ranks, the first being 0."""
        return self._columns(self._order[ranks], ranks)

    def at(self, places: Column) -> dict[str, Column]:
        """The part's columns for lines of these places."""
        return self._columns(places, self._ranks(places))

    def _columns(self, places: Column, ranks: Column) -> dict[str, Column]:
        standing = self._standing
        return {
            **self.details(places),
            "amount": self._amounts[places],
            "rank": ranks + 1,
            "lines": np.full(len(ranks), len(self)),
            "is_tied": ranks > standing.with_more(places),
            "tied_after": standing.with_as_many(places) - ranks - 1,
        }

    def details(self, places: Column) -> dict[str, Column]:
        """What lines of some places are called, and their plays."""
        number, of = len(places), self._plays_of(places)
        tracks, of_rows, lines = of.tracks, of.of_rows, of.of_tracks[of.of_rows]
        counts = {name: column[of.rows] for name, column in self._credited.counts.items()}

        def said(name: str, *, is_said: bool) -> Codes:
            """For each line what the last of its plays says that says anything, of the last such play of each track."""
            if not is_said:
                return np.full(number, NULL, np.int32)
            codes = self._copies[name][counts["copy"]]
            telling = np.flatnonzero(codes > EMPTY)
            at = np.zeros(len(tracks), np.int64)
            at_telling = _newest(of_rows[telling], counts["last_played_at"][telling], len(tracks))
            best = telling[counts["last_played_at"][telling] == at_telling[of_rows[telling]]]
            text = np.full(len(tracks), NULL, np.int32)
            at[of_rows[best]], text[of_rows[best]] = counts["last_played_at"][best], codes[best]
            found: Codes = text[of.last(at)]
            return found

        shown, _, _ = self._shown(of)
        return {
            "key": self.keys_by_place[places],
            **{name: getattr(self._of, name)[shown] for name in ("id", "name", "artist_name", "artist_key")},
            "album_name": said("album_name", is_said=self.kind == "track"),
            "image_url": said("album_image_url", is_said=self.kind != "artist"),
            **{name: summed(lines, counts[name], number) for name in TIMES},
            "first_played_at": least(lines, counts["first_played_at"], number),
            "first_played_on": least(lines, counts["first_played_on"], number),
            "last_played_at": _newest(lines, counts["last_played_at"], number) // 1_000_000 * 1_000_000,
        }

    def shown(self, places: Column) -> tuple[Column, Codes, Codes]:
        """Of lines of some places the track that says what each is called, and what it says: id and name."""
        return self._shown(self._plays_of(places))

    def _shown(self, of: "_PlaysOf") -> tuple[Column, Codes, Codes]:
        newest = _newest(of.of_rows, self._credited.counts["last_played_at"][of.rows], len(of.tracks)) // 1000
        shown = of.tracks[of.last(newest + np.where(self._of.is_spotifys[of.tracks], _FAR, 0))]
        return shown, self._of.id[shown], self._of.name[shown]

    def _plays_of(self, places: Column) -> "_PlaysOf":
        index = np.full(len(self), -1)
        index[places] = np.arange(len(places))
        lines = index[self._places]
        some = np.flatnonzero(lines >= 0)
        rows = self._some[some]
        tracks, of_rows = numbered(self._credited.rows[rows], len(self._credited.track_id))
        of_tracks = np.empty(len(tracks), np.int64)
        of_tracks[of_rows] = lines[some]
        return _PlaysOf(len(places), rows, tracks, of_rows, of_tracks)

    def _counts(self, name: str) -> Column:
        return self._credited.counts[name][self._some]

    def _sum(self, name: str) -> Column:
        return summed(self._places, self._counts(name), len(self))

    def _least(self, values: Column) -> Column:
        return least(self._places, values, len(self))

    def _texts(self, codes: Codes) -> list[str]:
        return [self._credited.texts[code] for code in codes.tolist()]


def _newest(places: Column, instants: Column, number: int) -> Column:
    return -least(places, -instants, number)
