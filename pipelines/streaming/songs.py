"""What the stream keeps of a song: what copies of one track say alike, as a line of JSON without line breaks."""

from collections.abc import Iterable
from typing import Any

import orjson

from pipelines.domain.ranking import Entry

# Names as ``ranking.Copies`` has them: track id and name, artist id and name, album id, name and artist, image.
Names = list[Any]
_ARTIST, _ALBUM_ARTIST = 3, 6


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
