"""What the stream keeps of a song: what copies of one track say alike, as a line of JSON without line breaks."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson

from pipelines.domain.ranking import Copies, Entry

# Names as ``ranking.Copies`` has them: track id and name, artist id and name, album id, name and artist, image.
Names = list[Any]
# A line has the artist last, and the album before it: songs of which an artist's or an album's line is made alike have
# lines that end alike in so many fields, which is told without reading them. Most albums are the artist's: 0 says so.
_ALBUMS_ARTIST = 0
ARTIST_FIELDS, ALBUM_FIELDS = 2, 6
# Fewer songs are read sooner than it is told whether their lines end alike.
_LEAST_ALIKE = 32
Ints = np.ndarray[Any, np.dtype[Any]]
# Of a song's plays: how many, the last one's instant, the smallest preference as a number, and that play's instant.
Heard = tuple[int, int, int, int]
# A preference as a number: the source's rank, then the milliseconds of the ingestion, which fit for five centuries.
_INGESTED_BITS = 44


def line_of(entry: Entry) -> bytes:
    """The names of an entry. Entries that say the same have the same line."""
    return _line(*entry[1:])


def lines_of_before(lines: Iterable[bytes]) -> list[bytes]:
    """Lines of the state's forms 1 and 2, which had the names in the order of ``Names``."""
    return [
        _line(track_id, track, artist_id, artist, album_id, album, artist if by == _ALBUMS_ARTIST else by, image_url)
        for track_id, track, artist_id, artist, album_id, album, by, image_url in _loaded(lines)
    ]


def names_of(lines: Iterable[bytes]) -> list[Names]:
    """The names of each line."""
    return [
        [*track, artist_id, artist, album_id, album, artist if by == _ALBUMS_ARTIST else by, image_url]
        for *track, album_id, album, by, image_url, artist_id, artist in _loaded(lines)
    ]


def _line(
    track_id: str,
    track_name: str,
    artist_id: str | None,
    artist_name: str | None,
    album_id: str | None,
    album_name: str | None,
    album_artist: str | None,
    image_url: str | None,
) -> bytes:
    by = _ALBUMS_ARTIST if album_artist == artist_name else album_artist
    return orjson.dumps([track_id, track_name, album_id, album_name, by, image_url, artist_id, artist_name])


def _loaded(lines: Iterable[bytes]) -> list[list[Any]]:
    # All at once: to call the parser for each song took as long as to parse it.
    loaded: list[list[Any]] = orjson.loads(b"[%b]" % b",".join(lines))
    return loaded


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


def copies_alike(lines: Sequence[bytes], heard: Sequence[Ints], group: Ints, fields: int) -> list[Copies]:
    """The same of songs that have plays, but one for all whose lines end with the same fields: with all their plays,
    and what the preferred one says. It is looked for among those of one ``group`` alone, and some may be left by
    themselves. ``heard`` has a column for each part of Heard."""
    plays, last, preference, at = heard
    large = _large(group) if len(lines) >= _LEAST_ALIKE else []
    ends: list[bool] = []
    for songs in large:
        end = _end(lines[songs[0]], fields)
        ends += [lines[song].endswith(end) for song in songs.tolist()]
    alone, preferred, values = np.ones(len(lines), bool), [], []
    if large:
        is_alike = np.array(ends)
        alike = np.concatenate(large)[is_alike]
        alone[alike] = False
        of = np.repeat(np.arange(len(large)), [*map(len, large)])[is_alike]
        begins = np.searchsorted(of, np.arange(len(large)))  # the first of each ends as itself
        smallest = np.minimum.reduceat(preference[alike], begins)
        is_tied = preference[alike] == smallest[of]
        tied = alike[is_tied]
        # A preference's last parts are the track's id and the later instant.
        ids = [names[0] for names in names_of([lines[song] for song in tied.tolist()])]
        ranked = sorted(zip(of[is_tied].tolist(), ids, (-at[tied]).tolist(), tied.tolist(), strict=True), reverse=True)
        preferred = [*{which: song for which, *_, song in ranked}.values()][::-1]
        total, latest = np.add.reduceat(plays[alike], begins), np.maximum.reduceat(last[alike], begins)
        values = [*zip(*[column.tolist() for column in (total, latest, smallest, at[preferred])], strict=True)]
    rest = np.flatnonzero(alone)
    values += zip(*[column[rest].tolist() for column in heard], strict=True)
    return copies_of(names_of([lines[song] for song in [*preferred, *rest.tolist()]]), values)


def in_groups(column: Ints) -> tuple[Ints, Ints]:
    """Where each value of a column is when they are in order, and of each place whether another value begins there."""
    order = column.argsort(kind="stable")  # the quickest
    ordered = column[order]
    return order, np.concatenate([[True], ordered[1:] != ordered[:-1]])


def _large(group: Ints) -> list[Ints]:
    """The songs of each group that has enough."""
    order, is_first = in_groups(group)
    begins = np.flatnonzero(is_first)
    sizes = np.append(begins[1:], len(group)) - begins
    is_large = sizes >= _LEAST_ALIKE
    return [order[begin : begin + size] for begin, size in zip(begins[is_large], sizes[is_large], strict=True)]


def _end(line: bytes, fields: int) -> bytes:
    """With the comma before: no text has a comma and a quotation mark that is its own."""
    return b"," + orjson.dumps(orjson.loads(line)[-fields:])[1:]
