"""A world from a seed: who listened to what, and what Spotify's API and exports say of it.

Imports nothing of the project: what is said here is the truth that the project is held to. Instants are milliseconds
since 1970, in UTC, unless a name says otherwise.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

ZONE = "Europe/Paris"
END = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 57  # two months' ends, and before that END the end of summer time
KINDS = ("heavy", "idle", "looper", "tied", "borders", "offline", "many ids")
COUNTS_FROM_MS = 30_000
LISTED = 50
_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Track:
    """What Spotify knows of a track id. Ids of one song have the same title and artist, but for case and width."""

    id: str
    title: str
    artist: str
    artist_id: str
    album: str
    album_id: str
    duration: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One play as it happened: of ``ms_played``, until ``end``.

    ``stamp`` is the instant under which the API lists it, from ``listed_at`` on; None where it never does. A play heard
    offline was ``reported`` later than it ended.
    """

    user: str
    track: Track
    end: int
    ms_played: int
    stamp: int | None
    listed_at: int
    reported: int
    is_offline: bool

    @property
    def counts(self) -> bool:
        """Whether an export's row of it counts."""
        return self.ms_played >= COUNTS_FROM_MS

    @property
    def exported_at(self) -> int:
        """Its instant by an extended export: whole seconds, but for what was heard offline and told later."""
        start = (self.end - self.ms_played) // 1000 * 1000
        told = start + self.ms_played
        return told if self.is_offline and self.reported - told > 30_000 else self.reported // 1000 * 1000


def millis(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def instant(ms: int) -> datetime:
    """The other way round."""
    return datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)


def rfc3339(ms: int) -> str:
    """With milliseconds and a Z."""
    return instant(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def catalogue() -> list[Track]:
    """Fourteen songs by six artists, of which five have two or three ids, with names that are hard on software."""
    names = [
        ("Salted Orchard", "The Beekeepers"),
        ("Marée basse", "Nouvelle Marée"),
        ("<script>alert(1)</script>", "& Co"),
        ("Half a Harbour", "The Beekeepers"),
        ("מים שקטים", "Trampoline Oracle"),
        ("🌧️", "Trampoline Oracle"),
        ("Straße", "Nouvelle Marée"),
        ("Comet", "The Beekeepers"),
        ("Comet", "Ana Duarte"),
        ("'; DROP TABLE plays", "Ana Duarte"),
        ("Second  Comet", "Committee"),
        ("ＷＩＤＥ", "Committee"),
        ("Nothing", "Committee"),
        ("l", "Ana Duarte"),
    ]
    tracks: list[Track] = []
    for number, (title, artist) in enumerate(names):
        for copy in range(1 + (number % 3 == 0) + (number % 6 == 0)):
            shown = title if copy == 0 else title.upper() if title.upper().lower() == title.lower() else title
            tracks.append(
                Track(
                    id=f"{number:02}{copy}".ljust(22, "0"),
                    title=shown,
                    artist=artist,
                    artist_id=f"1{artist.encode().hex()}"[:22].ljust(22, "0"),
                    album=f"Album {number % 5}{('', ' (Deluxe)', ' (Live)')[copy]}",
                    album_id=f"2{number % 5}{copy}{artist.encode().hex()}"[:22].ljust(22, "0"),
                    duration=120_000 + 1000 * number,
                )
            )
    return tracks


class World:
    """Some listeners and all that they heard in DAYS before ``end``, in the order of its ends."""

    def __init__(self, seed: int, end: datetime = END) -> None:
        self.rng = random.Random(f"world/{seed}")
        self.begin, self.end = millis(end) - DAYS * _DAY, millis(end)
        self.tracks = catalogue()
        # Months' ends are in every world, and all kinds in any three seeds in a row.
        others = [kind for kind in KINDS if kind != "borders"]
        kinds = ["borders", *(others[(2 * seed + place) % len(others)] for place in range(self.rng.randint(2, 3)))]
        self.users = {f"{kind.replace(' ', '-')}-{seed}": kind for kind in kinds}
        self.heard = sorted(
            (play for user, kind in self.users.items() for play in self._listening(user, kind)),
            key=lambda play: (play.end, play.user, play.track.id),
        )

    def of(self, user: str) -> list[Heard]:
        """What one listener heard."""
        return [play for play in self.heard if play.user == user]

    def _listening(self, user: str, kind: str) -> list[Heard]:
        draw = random.Random(f"{user}/{kind}/{self.rng.random()}")
        match kind:
            case "heavy":
                ends = self._sessions(draw, days=8, most=30)
            case "idle":
                ends = [draw.randrange(self.begin, self.end) for _ in range(draw.randint(1, 5))]
            case "borders":
                ends = list(self._around_borders(draw))
            case _:
                ends = self._sessions(draw, days=5, most=20)
        return list(self._plays(draw, user, kind, ends))

    def _plays(self, draw: random.Random, user: str, kind: str, ends: Sequence[int]) -> Iterator[Heard]:
        looped = draw.choice(self.tracks)
        one_each = draw.sample(self.tracks, len(self.tracks))
        last: dict[tuple[str, str], int] = {}
        for number, end in enumerate(sorted(set(ends))):
            if kind == "looper":
                track = looped
            elif kind == "tied":
                track = one_each[number % len(one_each)]
            elif kind == "many ids":
                track = draw.choice([t for t in self.tracks if t.id[2] != "0" or t.id[:2] in ("00", "06", "12")])
            else:
                track = draw.choice(self.tracks)
            song = (track.title.lower(), track.artist)
            if end - last.get(song, 0) < 180_000:
                continue  # what lies nearer is told apart by rules that are not exact, and is no part of this truth
            last[song] = end
            yield self._play(draw, user, track, end, kind)
            if kind == "tied" and draw.random() < 0.3:  # a second device: another song, in the same second or instant
                other = one_each[(number + 7) % len(one_each)]
                song = (other.title.lower(), other.artist)
                if end - last.get(song, 0) >= 180_000:
                    last[song] = end
                    yield self._play(draw, user, other, end, kind)

    def _play(self, draw: random.Random, user: str, track: Track, end: int, kind: str) -> Heard:
        is_short = draw.random() < 0.12
        ms_played = draw.randrange(1000, 29_000) if is_short else draw.randrange(31_000, track.duration)
        is_offline = kind == "offline" and draw.random() < 0.6
        reported = end + (draw.randrange(60_000, 3 * _DAY) if is_offline else 0)
        late = draw.choice([0, 0, 0, draw.randrange(3_600_000)])
        stamp = (
            None if is_short or is_offline or draw.random() < 0.03 else end + draw.choice([0, 0, draw.randrange(400)])
        )
        return Heard(user, track, end, ms_played, stamp, end + 1000 + late, reported, is_offline)

    def _sessions(self, draw: random.Random, *, days: int, most: int) -> list[int]:
        ends: list[int] = []
        for _ in range(days):
            at = draw.randrange(self.begin, self.end - _DAY // 2) // 1000 * 1000
            for _ in range(draw.randint(3, most)):
                at += draw.randrange(65_000, 400_000)
                ends.append(at // 1000 * 1000 + draw.randrange(500))
        return ends

    def _around_borders(self, draw: random.Random) -> Iterator[int]:
        """Months' ends, in the zone and in UTC, and changes of the clock, to the millisecond and within a day."""
        for border in self._borders():
            for _ in range(3):
                at = border + draw.choice([-1000, -999, -600, 0, 1, 200, draw.randrange(-_DAY, _DAY)])
                if self.begin < at < self.end:
                    yield at

    def _borders(self) -> Iterator[int]:
        zone = ZoneInfo(ZONE)
        hours = range(self.begin // 3_600_000 * 3_600_000, self.end, 3_600_000)
        for before, at in pairwise(hours):
            local = instant(before).astimezone(zone), instant(at).astimezone(zone)
            if local[0].month != local[1].month or local[0].utcoffset() != local[1].utcoffset():
                yield at
            if instant(before).month != instant(at).month:
                yield at


def item(play: Heard) -> dict[str, Any]:
    """A play as recently-played lists it."""
    track = play.track
    artists = [{"id": track.artist_id, "name": track.artist}]
    album = {"id": track.album_id, "name": track.album, "artists": artists, "release_date": "2019", "images": []}
    about = {"id": track.id, "name": track.title, "artists": artists, "album": album, "duration_ms": track.duration}
    assert play.stamp is not None
    return {"track": about, "played_at": rfc3339(play.stamp), "context": None}


def message(play: Heard, ingested_at: int) -> dict[str, Any]:
    """A play as docs/messages.md has it."""
    track = play.track
    assert play.stamp is not None
    return {
        "user_id": play.user,
        "played_at": rfc3339(play.stamp),
        "track_id": track.id,
        "track_name": track.title,
        "duration_ms": track.duration,
        "artists": [{"id": track.artist_id, "name": track.artist}],
        "album_id": track.album_id,
        "album_name": track.album,
        "album_artist_name": track.artist,
        "source": "RECENTLY_PLAYED",
        "ingested_at": rfc3339(ingested_at),
    }


def listing(plays: Iterable[Heard], now: int) -> list[Heard]:
    """What Spotify lists at that time, the newest first."""
    there = [play for play in plays if play.stamp is not None and play.listed_at <= now]
    return sorted(there, key=lambda play: play.stamp or 0, reverse=True)[:LISTED]


def extended_row(play: Heard) -> dict[str, Any]:
    """A row of the extended export."""
    track = play.track
    return {
        "ts": instant(play.reported).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": "ios",
        "ms_played": play.ms_played,
        "conn_country": "FR",
        "ip_addr": "192.0.2.1",
        "master_metadata_track_name": track.title,
        "master_metadata_album_artist_name": track.artist,
        "master_metadata_album_album_name": track.album,
        "spotify_track_uri": f"spotify:track:{track.id}",
        "episode_name": None,
        "spotify_episode_uri": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": None,
        "offline": play.is_offline,
        "offline_timestamp": (play.end - play.ms_played) // 1000 if play.is_offline else None,
        "incognito_mode": False,
    }


def account_row(play: Heard) -> dict[str, Any]:
    """A row of the account data."""
    return {
        "endTime": instant(play.end).strftime("%Y-%m-%d %H:%M"),
        "artistName": play.track.artist,
        "trackName": play.track.title,
        "msPlayed": play.ms_played,
    }


EPISODE = {
    "ts": "2026-10-05T10:00:00Z",
    "ms_played": 900_000,
    "master_metadata_track_name": None,
    "master_metadata_album_artist_name": None,
    "master_metadata_album_album_name": None,
    "spotify_track_uri": None,
    "episode_name": "An episode",
    "spotify_episode_uri": "spotify:episode:e",
    "offline": False,
    "offline_timestamp": None,
}
