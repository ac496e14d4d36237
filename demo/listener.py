"""An imaginary listener in Paris: what was played, when, and for how long.

`Listener.listens(start, end)` is a pure function of the seed and the interval. It is made a local day at a
time, each day from a seed of its own, so that an interval gives the same plays however it is cut.

Habits are in Europe/Paris local time: headphones on the way to work and back, long stretches at the desk,
evenings, late mornings and late nights at weekends. Favourites rise and fade over months; a few tracks a
month are played far too often; new albums are heard from the day they come out; albums are often played
in order. Some tracks are skipped within seconds, some later; a few plays are podcasts or local files.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from demo.catalogue import Album, Catalogue, Episode, Track, invent_catalogue, stable_id

PARIS = ZoneInfo("Europe/Paris")

_NEW_ALBUM_DAYS = 40
_PLAYLISTS = ("Desk, Mostly Awake", "Line 13", "Dishes")


@dataclass(frozen=True, slots=True)
class Listen:
    """One track or episode that was played; times are aware, UTC, whole milliseconds.

    The reasons and `platform` have the values of Spotify's extended export; `ms_played` is how long it was
    heard, pauses left out. `context_uri` is the album or playlist it was played from, if any.
    """

    ended_at: datetime
    ms_played: int
    what: Track | Episode
    context_uri: str | None
    reason_start: str
    reason_end: str
    shuffle: bool
    offline: bool
    platform: str

    @property
    def started_at(self) -> datetime:
        return self.ended_at - timedelta(milliseconds=self.ms_played)

    @property
    def skipped(self) -> bool:
        return self.reason_end == "fwdbtn"


@dataclass(frozen=True, slots=True)
class _Habit:
    """A time of the day at which music may be on: local wall clock, minutes, chance in 0..1."""

    begins: time
    minutes: float
    chance: float
    platform: str
    album_chance: float


_WEEKDAY = (
    _Habit(time(8, 5), 35, 0.86, "ios", 0.25),
    _Habit(time(9, 40), 75, 0.62, "osx", 0.35),
    _Habit(time(14, 10), 80, 0.62, "osx", 0.35),
    _Habit(time(18, 15), 40, 0.88, "ios", 0.2),
    _Habit(time(20, 45), 60, 0.5, "osx", 0.5),
)
_WEEKEND = (
    _Habit(time(10, 30), 70, 0.8, "osx", 0.5),
    _Habit(time(15, 0), 75, 0.62, "ios", 0.2),
    _Habit(time(19, 30), 70, 0.62, "osx", 0.3),
    _Habit(time(22, 50), 80, 0.45, "ios", 0.15),
)


class Listener:
    """The listener of a seed. Thread-safe: it remembers only what it can work out again."""

    def __init__(self, seed: int = 1, catalogue: Catalogue | None = None) -> None:
        """Of an invented catalogue, or of another one, which has albums that are out, and need have nothing else."""
        self.seed = seed
        self.catalogue = catalogue or invent_catalogue(seed)
        self._day = lru_cache(maxsize=64)(self._play_day)
        self._taste = lru_cache(maxsize=64)(self._work_out_taste)

    def listens(self, start: datetime, end: datetime) -> Iterator[Listen]:
        """What ended from `start` on and before `end` (both aware), oldest first, no two at one instant."""
        day = start.astimezone(PARIS).date() - timedelta(days=1)  # an evening may go on past midnight
        last = end.astimezone(PARIS).date()
        while day <= last:
            for listen in self._day(day):
                if start <= listen.ended_at < end:
                    yield listen
            day += timedelta(days=1)

    def _play_day(self, day: date) -> tuple[Listen, ...]:
        rng = random.Random(f"day/{self.seed}/{day}")
        is_weekend = day.weekday() >= 5
        taste = self._taste(day.year, day.month)
        listens: list[Listen] = []
        free_at = datetime.min.replace(tzinfo=UTC)
        for habit in _WEEKEND if is_weekend else _WEEKDAY:
            if rng.random() >= habit.chance:
                continue
            wall = datetime.combine(day, habit.begins, PARIS).astimezone(UTC)
            begins = max(wall + timedelta(seconds=round(rng.gauss(0, 420), 3)), free_at)
            until = begins + timedelta(minutes=habit.minutes * rng.uniform(0.6, 1.4))
            session = _play_session(rng, habit, begins, until, self._choose(rng, habit, taste, day))
            listens += session
            # Sessions never overlap, and a pause keeps the end of one apart from the start of the next.
            free_at = (session[-1].ended_at if session else begins) + timedelta(minutes=3)
        return tuple(listens)

    def _choose(
        self, rng: random.Random, habit: _Habit, taste: "_Taste", day: date
    ) -> Iterator[tuple[Track | Episode, str | None, bool]]:
        """What comes next, for as long as asked: (what, context, whether shuffled)."""
        if habit.platform == "ios" and rng.random() < 0.1 and self.catalogue.episodes:
            yield rng.choice(self.catalogue.episodes), None, False
        if rng.random() < 0.03 and self.catalogue.local_tracks:
            yield rng.choice(self.catalogue.local_tracks), None, False
        playlist = stable_id(self.seed, "playlist", rng.choice(_PLAYLISTS))
        while True:
            if rng.random() < habit.album_chance:
                album, tracks = taste.album(rng, day)
                for track in tracks:
                    yield track, f"spotify:album:{album.id}", False
            else:
                context = f"spotify:playlist:{playlist}" if rng.random() < 0.8 else None
                for _ in range(rng.randint(6, 18)):
                    yield taste.track(rng, day), context, True

    def _work_out_taste(self, year: int, month: int) -> "_Taste":
        rng = random.Random(f"taste/{self.seed}/{year}-{month}")
        months = year * 12 + month
        released = [entry for entry in self.catalogue.albums if entry[0].release_date < date(year, month, 28)]
        weights: list[float] = []
        for album, _ in released:
            if self.catalogue.heard:
                weights.append(float(self.catalogue.heard[album.id]))
                continue
            # An artist's wave is slow and its own; the album's ripple on it keeps the order changing.
            wave = random.Random(f"wave/{self.seed}/{album.artist.id}")
            period, phase, size = wave.uniform(7, 19), wave.uniform(0, 2 * math.pi), wave.gauss(0, 0.9)
            ripple = random.Random(f"ripple/{self.seed}/{album.id}").uniform(0, 2 * math.pi)
            swing = 1.5 * math.sin(2 * math.pi * months / period + phase) + 0.5 * math.sin(months / 2 + ripple)
            age_days = (date(year, month, 1) - album.release_date).days
            weights.append(math.exp(size + swing) * (4.0 if age_days < _NEW_ALBUM_DAYS else 1.0))
        return _Taste(rng, released, weights)


class _Taste:
    """The favourites of a month: albums by weight, tracks by weight, and a few tracks that stick."""

    def __init__(
        self,
        rng: random.Random,
        released: Sequence[tuple[Album, tuple[Track, ...]]],
        weights: Sequence[float],
    ) -> None:
        self._albums = released
        self._album_ends = list(accumulate(weights))
        self._tracks = [track for _, tracks in released for track in tracks]
        by_track = []
        for (_, tracks), weight in zip(released, weights, strict=True):
            # The single of an album is heard more than its last track.
            by_track += [weight * math.exp(random.Random(track.uri).gauss(0, 0.8)) for track in tracks]
        average = sum(by_track) / len(by_track)
        for index in rng.choices(range(len(by_track)), by_track, k=5):
            by_track[index] += average * rng.uniform(12, 30)
        self._track_ends = list(accumulate(by_track))

    def album(self, rng: random.Random, day: date) -> tuple[Album, tuple[Track, ...]]:
        """An album that is out on `day`."""
        while True:
            entry = self._albums[bisect_left(self._album_ends, rng.random() * self._album_ends[-1])]
            if entry[0].release_date <= day:
                return entry

    def track(self, rng: random.Random, day: date) -> Track:
        """A track that is out on `day`."""
        while True:
            track = self._tracks[bisect_left(self._track_ends, rng.random() * self._track_ends[-1])]
            if track.album.release_date <= day:
                return track


def _play_session(
    rng: random.Random,
    habit: _Habit,
    begins: datetime,
    until: datetime,
    choices: Iterator[tuple[Track | Episode, str | None, bool]],
) -> list[Listen]:
    """Plays one after the other from `begins`; the last one may run past `until`, or be cut there."""
    listens: list[Listen] = []
    at = begins
    reason_start = rng.choice(("clickrow", "playbtn", "appload"))
    offline = habit.platform == "ios" and rng.random() < 0.08
    while at < until:
        what, context, shuffle = next(choices)
        ms_played, reason_end = _hear(rng, what, shuffle)
        ends = at + timedelta(milliseconds=ms_played)
        if ends > until and rng.random() < 0.6:
            ms_played = max(int((until - at) / timedelta(milliseconds=1)), 1)
            ends, reason_end = at + timedelta(milliseconds=ms_played), "endplay"
        listens.append(
            Listen(ends, ms_played, what, context, reason_start, reason_end, shuffle, offline, habit.platform)
        )
        pause = rng.uniform(20, 240) if rng.random() < 0.02 else rng.uniform(0.15, 1.2)
        at = ends + timedelta(milliseconds=int(pause * 1000))
        reason_start = reason_end if reason_end in ("trackdone", "fwdbtn") else "playbtn"
    return listens


def _hear(rng: random.Random, what: Track | Episode, shuffle: bool) -> tuple[int, str]:
    """For how long it is heard, in milliseconds, and why it ends; shuffled tracks are skipped more."""
    luck = rng.random() * (1.0 if shuffle else 2.2)
    if luck < 0.13:
        return rng.randrange(900, 29_500), "fwdbtn"
    if luck < 0.2:
        return min(rng.randrange(31_000, 150_000), what.duration_ms), "fwdbtn"
    return what.duration_ms, "trackdone"
