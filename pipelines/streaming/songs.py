"""What the stream keeps of a song: what copies of one track say alike, as a line of JSON without line breaks."""

from collections.abc import Iterable
from typing import Any

import orjson

from pipelines.domain.ranking import Copies, Entry

# Names as ``ranking.Copies`` has them: track id and name, artist id and name, album id, name and artist, image.
Names = list[Any]
_ARTIST, _ALBUM_ARTIST = 3, 6
# Of a song's plays: how many, the last one's instant, the smallest preference as a number, and that play's instant.
Heard = tuple[int, int, int, int]
# A preference as a number: the source's rank, then the milliseconds of the ingestion, which fit for five centuries.
_INGESTED_BITS = 44


def line_of(entry: Entry) -> bytes:
    """The names of an entry. Entries that say the same have the same line."""
    _, *names, album_artist, image_url = entry
    # Most albums are the artist's.
    return orjson.dumps([*names, 0 if album_artist == names[_ARTIST] else album_artist, image_url])


def names_of(lines: Iterable[bytes]) -> list[Names]:
    """The names of each line."""
    # All at once: to call the parser for each song took as long as to parse it.
    songs: list[Names] = orjson.loads(b"[%b]" % b",".join(lines))
    for names in songs:
        if names[_ALBUM_ARTIST] == 0:
            names[_ALBUM_ARTIST] = names[_ARTIST]
    return songs


def track_id_of(line: bytes) -> str:
    """The track's id that a line begins with."""
    return str(orjson.loads(line)[0])


def preference_of(entry: Entry) -> int:
    """The preference of a play as a number, without the track's id."""
    rank, ingested, _ = entry[0]
    return rank << _INGESTED_BITS | ingested


def ingested(preference: Any) -> Any:
    """The milliseconds since 1970 in one preference, or in a column of them."""
    return preference & (1 << _INGESTED_BITS) - 1


def copies_of(songs: Iterable[Names], heard: Iterable[Heard]) -> list[Copies]:
    """What is said of each song with its plays, but for those without plays."""
    return [
        Copies._make((plays, last, (*divmod(preference, 1 << _INGESTED_BITS), names[0], -at), *names))
        for names, (plays, last, preference, at) in zip(songs, heard, strict=False)
        if plays
    ]


def copies_alike(songs: Iterable[Names], heard: Iterable[Heard], fields: slice) -> list[Copies]:
    """The same of songs that have plays, but one for all that have the same names in some fields: with all their plays,
    and what the preferred one says."""
    alike: dict[tuple[Any, ...], list[Any]] = {}
    for names, (plays, last, preference, at) in zip(songs, heard, strict=True):
        key = tuple(names[fields])
        if (known := alike.get(key)) is None:
            alike[key] = [plays, last, preference, at, names]
            continue
        known[0] += plays
        if last > known[1]:
            known[1] = last
        if preference <= known[2] and (preference, names[0], -at) < (known[2], known[4][0], -known[3]):
            known[2:] = preference, at, names
    return copies_of([each[4] for each in alike.values()], [tuple(each[:4]) for each in alike.values()])
