"""What was heard, by artist and by track: whom to ask about, and in which order.

Read from the archive, a month at a time: the artists and songs of the top tens of months first, the latest month first,
then the rest by plays.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from pipelines.domain.play import Play
from pipelines.domain.ranking import TOP, Tally, add, entry, top_ten
from pipelines.domain.snapshots import SnapshotSource, TrackSnapshot
from pipelines.domain.song import is_synthetic, synthetic_id
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive


@dataclass(slots=True)
class HeardArtist:
    """A main artist: ``id`` as in top tens, Spotify's or made from the name; ``isrc`` of a song that was heard."""

    id: str
    name: str
    plays: int = 0
    isrc: str | None = None


@dataclass(slots=True)
class HeardTrack:
    """A track, with what plays know of it."""

    id: str
    name: str
    artist_name: str | None
    plays: int = 0
    isrc: str | None = None
    duration_ms: int | None = None
    has_cover: bool = False
    in_top: bool = False

    @property
    def lacks(self) -> bool:
        """Whether something is not known that a source may know."""
        return not self.has_cover or self.duration_ms is None or self.isrc is None


@dataclass(slots=True)
class Heard:
    """Of all listeners together, the most important first. ``top_artists`` has ids by month and rank."""

    artists: list[HeardArtist]
    tracks: list[HeardTrack]
    top_artists: dict[date, list[list[str]]] = field(default_factory=dict)

    def artists_in_top(self, count: int) -> list[str]:
        """The ids of the artists that were among the first ``count`` of any month, of the latest month first."""
        tops = (top[:count] for month in sorted(self.top_artists, reverse=True) for top in self.top_artists[month])
        return list(dict.fromkeys(id_ for top in tops for id_ in top))


def heard(archive: Archive) -> Heard:
    """Read the whole archive. Raises StorageError."""
    marks = archive.marks.read()
    ids_of_names: dict[str, set[str]] = {}
    by_name: dict[tuple[str | None, str], HeardArtist] = {}
    tracks: dict[str, HeardTrack] = {}
    top_artists: dict[date, list[list[str]]] = {}
    top_tracks: list[str] = []
    for month in sorted(archive.months(), reverse=True):
        tallies: dict[str, Tally] = {}
        for play in _once(marks.without([play for path in archive.files([month]) for play in archive.read(path)])):
            add(tallies.setdefault(play.user_id, {}), *entry(play))
            _count_artist(play, by_name, ids_of_names)
            _count_track(play, tracks)
        # By the folder's month, which is the calendar's but for some hours: this decides on an order only.
        top_artists[month] = [[item["id"] for item in top_ten(tally, "artist")] for tally in tallies.values()]
        top_tracks += [item["id"] for tally in tallies.values() for item in top_ten(tally, "track")]
    found = Heard([], [], top_artists)
    first_artists = {id_: rank for rank, id_ in enumerate(found.artists_in_top(TOP))}
    first_tracks = {id_: rank for rank, id_ in enumerate(dict.fromkeys(top_tracks))}
    last = len(first_artists) + len(first_tracks)
    artists = _by_id(by_name.values(), ids_of_names)
    found.artists = sorted(artists, key=lambda each: (first_artists.get(each.id, last), -each.plays, each.id))
    for id_ in first_tracks.keys() & tracks.keys():
        tracks[id_].in_top = True
    found.tracks = sorted(tracks.values(), key=lambda each: (first_tracks.get(each.id, last), -each.plays, each.id))
    return found


def artists_in_top(archive: str, count: int) -> list[str]:
    """The ids of the artists that were among the first ``count`` of any month, of the latest month first.

    Whom only exports named has Spotify's id where Spotify told it of one of the songs. Raises StorageError.
    """
    ids = heard(Archive(archive)).artists_in_top(count)
    if any(map(is_synthetic, ids)):
        told = _ids_of_songs(SnapshotArchive(archive))
        ids = [told.get(id_, id_) for id_ in ids]
    return list(dict.fromkeys(ids))


def _ids_of_songs(archive: SnapshotArchive) -> dict[str, str]:
    """Spotify's id for each id that is made from a name, by the artists of songs that Spotify was asked about.

    A name that several artists have is nobody's.
    """
    found: dict[str, set[str]] = {}
    for path in archive.files(TrackSnapshot.kind):
        for track in archive.read(TrackSnapshot.kind, path):
            for artist in track.artists if isinstance(track, TrackSnapshot) else ():
                if artist.id and track.source is SnapshotSource.SPOTIFY:
                    found.setdefault(synthetic_id("artist", artist.name), set()).add(artist.id)
    return {made: next(iter(ids)) for made, ids in found.items() if len(ids) == 1}


def _once(plays: list[Play]) -> Iterable[Play]:
    """Each play by its best copy."""
    best: dict[tuple[str, object], Play] = {}
    for play in plays:
        known = best.get(key := (play.user_id, play.played_at))
        if known is None or play.preference < known.preference:
            best[key] = play
    return best.values()


def _count_artist(
    play: Play, by_name: dict[tuple[str | None, str], HeardArtist], ids_of_names: dict[str, set[str]]
) -> None:
    if (name := play.artist_name) is None:
        return
    id_ = play.artists[0].id or None
    if id_:
        ids_of_names.setdefault(name, set()).add(id_)
    artist = by_name.setdefault((id_, name), HeardArtist(id_ or "", name))
    artist.plays += 1
    artist.isrc = artist.isrc or play.isrc


def _by_id(artists: Iterable[HeardArtist], ids_of_names: dict[str, set[str]]) -> list[HeardArtist]:
    """A name without an id stands for the one id that is known for it, and else for itself, as in a top ten."""
    merged: dict[str, HeardArtist] = {}
    plays: Counter[str] = Counter()
    for artist in artists:
        ids = ids_of_names.get(artist.name, set())
        id_ = artist.id or (next(iter(ids)) if len(ids) == 1 else synthetic_id("artist", artist.name))
        known = merged.setdefault(id_, HeardArtist(id_, artist.name))
        known.isrc = known.isrc or artist.isrc
        plays[id_] += artist.plays
    for id_, artist in merged.items():
        artist.plays = plays[id_]
    return list(merged.values())


def _count_track(play: Play, tracks: dict[str, HeardTrack]) -> None:
    track = tracks.get(play.track_id)
    if track is None:
        track = tracks[play.track_id] = HeardTrack(play.track_id, play.track_name, play.artist_name)
    track.plays += 1
    track.isrc = track.isrc or play.isrc
    track.duration_ms = track.duration_ms or play.duration_ms
    track.has_cover = track.has_cover or bool(play.album_image_url)
