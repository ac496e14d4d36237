"""A catalogue of somebody's own songs, from their archive, so that a demonstration plays on from them."""

from collections import Counter, defaultdict
from datetime import date

from demo.catalogue import Album, Artist, Catalogue, Track, stable_id
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive

_MONTHS, _ALBUMS = 12, 60
_LONG_AGO = date(2000, 1, 1)  # exports do not say when an album came out
_USUAL_MS = 200_000


def own_catalogue(archive: Archive) -> Catalogue | None:
    """The albums heard most in the newest twelve months, with the songs heard of them; None where there are none.

    Raises StorageError.
    """
    heard: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    plays: dict[str, Play] = {}
    longest: Counter[str] = Counter()
    for path in archive.files(archive.months()[-_MONTHS:]):
        for play in archive.read(path):
            if not play.artists:
                continue
            album = play.album_name or play.track_name, play.album_artist_name or play.artists[0].name
            heard[album][play.track_id] += 1
            plays[play.track_id] = play
            longest[play.track_id] = max(longest[play.track_id], play.duration_ms or play.ms_played or 0)
    most = sorted(heard, key=lambda album: (-heard[album].total(), album))[:_ALBUMS]
    albums = tuple(_album(name, artist, heard[name, artist], plays, longest) for name, artist in most)
    often = {album.id: heard[album.name, album.artist.name].total() for album, _ in albums}
    return Catalogue(albums, (), (), often) if albums else None


def _album(
    name: str, artist_name: str, tracks: Counter[str], plays: dict[str, Play], longest: Counter[str]
) -> tuple[Album, tuple[Track, ...]]:
    artist = _artist(artist_name)
    album = Album(stable_id("own", name, artist_name), name, "album", artist, _LONG_AGO, len(tracks))
    return album, tuple(
        Track(
            id=stable_id("own", track_id) if track_id.startswith("names:") else track_id,
            name=plays[track_id].track_name,
            album=album,
            artists=tuple(_artist(each.name) for each in plays[track_id].artists),
            number=number,
            duration_ms=max(longest[track_id], 30_000) if longest[track_id] else _USUAL_MS,
            explicit=False,
            isrc=None,
        )
        for number, (track_id, _) in enumerate(tracks.most_common(), start=1)
    )


def _artist(name: str) -> Artist:
    return Artist(stable_id("own", "artist", name), name)
