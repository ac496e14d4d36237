"""An invented music library: artists, albums, tracks, podcast episodes, files on a disk.

All of it is a pure function of a seed. Names are put together from words, none is meant to be anybody's;
ids look like Spotify's (22 characters, base 62), ISRCs use the country code ZZ, which is given to nobody,
and images point to a host of the reserved example.com.
"""

import hashlib
import itertools
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase
_WHAT = "Marzipan Tramway Lighthouse Accordion Porcelain Umbrella Barometer Turnip Semaphore Paperclip"
_WHAT += " Thimble Gondola Chandelier Pamplemousse Wardrobe Trampoline Teapot Carousel Aquarium Postcard"
_WHO = "Ferrymen,Committee,Weather Bureau,Night School,Understudies,Beekeepers,Lost Property,Cartographers"
_WHO += ",Rehearsal,Ministry,Swimming Club,Post Office,Apprentices,Optimists,Night Porters,Echo Society"
_MOOD = "Quiet Crooked Velvet Borrowed Late Paper Hollow Golden Sleepless Distant Electric Salted Patient"
_MOOD += " Unfinished Second Winter Plastic Gentle Northern Spare"
_THING = "Staircase Orchard Balcony Satellite Harbour Mirror Suitcase Comet Kitchen Ladder Telegram Garden"
_THING += " Elevator Thunder Pavement Lantern Antenna Bicycle Tunnel Sunday"
_TURN = "for Nobody,in the Rain,at Closing Time,by the Canal,in Reverse,on the Last Train,under Snow"
_TURN += ",again,of Salt,with the Windows Open,at Half Speed,Part II,after Midnight,in Blue"
_SHOWS = ("Le Tiroir à Histoires", "Slow Commute Radio", "Questions for a Houseplant")


@dataclass(frozen=True, slots=True)
class Artist:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Album:
    """`kind` is Spotify's album_type: album, single or compilation."""

    id: str
    name: str
    kind: str
    artist: Artist
    release_date: date
    tracks_total: int

    def image_url(self, side: int) -> str:
        """A square cover, `side` pixels wide."""
        return f"https://images.example.com/{self.id}/{side}.jpg"


@dataclass(frozen=True, slots=True)
class Track:
    """A track; a file of the listener's own has `id` and `isrc` None and isn't found on Spotify."""

    id: str | None
    name: str
    album: Album
    artists: tuple[Artist, ...]
    number: int
    duration_ms: int
    explicit: bool
    isrc: str | None

    @property
    def is_local(self) -> bool:
        return self.id is None

    @property
    def uri(self) -> str:
        if self.id is not None:
            return f"spotify:track:{self.id}"
        parts = (self.artists[0].name, self.album.name, self.name)
        quoted = ":".join(part.replace(" ", "+") for part in parts)
        return f"spotify:local:{quoted}:{self.duration_ms // 1000}"


@dataclass(frozen=True, slots=True)
class Episode:
    """A podcast's episode."""

    id: str
    name: str
    show: str
    duration_ms: int

    @property
    def uri(self) -> str:
        return f"spotify:episode:{self.id}"


@dataclass(frozen=True)
class Catalogue:
    """Albums with their tracks in order, local files, and a year's worth of podcast episodes.

    ``heard`` says by album ids how often somebody real heard each; an invented listener's taste is made up instead.
    """

    albums: tuple[tuple[Album, tuple[Track, ...]], ...]
    local_tracks: tuple[Track, ...]
    episodes: tuple[Episode, ...]
    heard: Mapping[str, int] = field(default_factory=dict)


def stable_id(*parts: object) -> str:
    """22 base-62 characters that depend on `parts` only."""
    number = int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:16], "big")
    characters = []
    for _ in range(22):
        number, digit = divmod(number, 62)
        characters.append(_BASE62[digit])
    return "".join(characters)


def invent_catalogue(seed: int, artists: int = 64) -> Catalogue:
    """The library of `seed`: about 160 albums, 1,500 tracks, released from 1975 on."""
    rng = random.Random(f"catalogue/{seed}")
    names = [f"{what} {who}" for what in _WHAT.split() for who in _WHO.split(",")]
    band = [Artist(stable_id(seed, "artist", n), f"The {n}") for n in rng.sample(names, artists)]
    titles = [f"{mood} {thing}" for mood in _MOOD.split() for thing in _THING.split()]
    isrcs = itertools.count(1)
    albums = []
    for artist in band:
        released = date(1975, 1, 3) + timedelta(weeks=rng.randrange(48 * 52))
        for _ in range(rng.randint(1, 4)):
            albums.append(_invent_album(rng, seed, artist, band, released, titles, isrcs))
            released += timedelta(weeks=rng.randrange(50, 190))
    return Catalogue(tuple(albums), _invent_local_tracks(rng, seed), _invent_episodes(rng, seed))


def _invent_album(
    rng: random.Random,
    seed: int,
    artist: Artist,
    band: list[Artist],
    released: date,
    titles: list[str],
    isrcs: Iterator[int],
) -> tuple[Album, tuple[Track, ...]]:
    name = rng.choice(titles)
    kind = rng.choices(("album", "single", "compilation"), (84, 12, 4))[0]
    total = rng.randint(1, 3) if kind == "single" else rng.randint(8, 14)
    album_id = stable_id(seed, "album", artist.id, name, released)
    album = Album(album_id, name, kind, artist, released, total)
    tracks = []
    for number, title in enumerate(rng.sample(titles, total), start=1):
        turned = f"{title} {rng.choice(_TURN.split(','))}" if rng.random() < 0.4 else title
        guest = rng.choice(band)
        has_guest = guest != artist and rng.random() < 0.12
        tracks.append(
            Track(
                id=stable_id(seed, "track", album_id, number),
                name=f"{turned} (feat. {guest.name})" if has_guest else turned,
                album=album,
                artists=(artist, guest) if has_guest else (artist,),
                number=number,
                duration_ms=int(min(max(rng.gauss(213, 52), 62), 560) * 1000) + rng.randrange(1000),
                explicit=rng.random() < 0.08,
                isrc=f"ZZHR{seed % 10}{released.year % 100:02}{next(isrcs):05}",
            )
        )
    return album, tuple(tracks)


def _invent_local_tracks(rng: random.Random, seed: int) -> tuple[Track, ...]:
    artist = Artist(stable_id(seed, "artist", "local"), "Cellar Tapes")
    album = Album(stable_id(seed, "album", "local"), "Found on a Disk", "album", artist, date(2009, 6, 1), 6)
    return tuple(
        Track(None, f"Rehearsal Take {n}", album, (artist,), n, rng.randrange(95_000, 320_000), False, None)
        for n in range(1, 7)
    )


def _invent_episodes(rng: random.Random, seed: int) -> tuple[Episode, ...]:
    return tuple(
        Episode(stable_id(seed, "episode", show, n), f"No. {n}", show, rng.randrange(18, 52) * 60_000)
        for show in _SHOWS
        for n in range(1, 53)
    )
