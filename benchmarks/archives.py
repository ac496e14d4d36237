"""An invented archive of any size, quickly: ``python -m benchmarks.archives PLAYS LISTENERS MONTHS FOLDER``.

Tracks are heard as Zipf has it; a tenth of the plays is there twice, half of these copies from a later poll. Some songs
have a second track id, on another album and in other letters, and some albums are compilations, so that the rules of
songs and of album artists have something to do. The same seed gives the same plays.

Millions of plays one by one would take longer than all that is measured on them. So what Avro makes of a track is made
once, and a play is put together of it, a listener and two instants.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.month import Calendar, following, month_text, preceding
from pipelines.domain.play import Artist, Play, Source
from pipelines.storage.archive import decode
from pipelines.storage.encoding import file_of, long, pieces_of, text

LAST_MONTH = date(2026, 10, 1)
# As the stream writes them.
PLAYS_IN_FILE = 10_000
SONGS, ARTISTS, ALBUMS = 50_000, 6_000, 12_000
_SKEW = 0.9
_SECOND_IDS = SONGS // 10
_COMPILATIONS = ALBUMS // 20
_REPEATED = 0.1
_POLLED_AFTER_MS = 600_000

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of what: ``plays`` are distinct instants drawn, before the tenth that is there twice.

    ``first_share`` of them are the first listener's, ``last_share`` are in the newest month; the rest is spread evenly.
    """

    plays: int
    listeners: int
    months: int
    plays_in_file: int = PLAYS_IN_FILE
    first_share: float = 0.0
    last_share: float | None = None

    def __str__(self) -> str:
        who = "one listener" if self.listeners == 1 else f"{self.listeners:,} listeners"
        skew = f", one with {self.first_share:.0%}" if self.first_share else ""
        large = f", {self.last_share:.0%} in one" if self.last_share else ""
        files = "" if self.plays_in_file == PLAYS_IN_FILE else f", files of {self.plays_in_file}"
        span = "one month" if self.months == 1 else f"{self.months} months"
        return f"{self.plays:,} plays, {who}{skew}, {span}{large}{files}"

    def scaled(self, share: float) -> "Shape":
        """The same with a share of the plays."""
        return replace(self, plays=max(self.months, round(self.plays * share)))


@dataclass(frozen=True, slots=True)
class Made:
    """An archive that was made: ``plays`` with the repeated ones, ``data_bytes`` of all files."""

    folder: Path
    shape: Shape
    plays: int
    files: int
    data_bytes: int


def make(shape: Shape, folder: Path, seed: int = 1) -> Made:
    """Write the archive into a folder that is not there yet."""
    rng = np.random.default_rng(seed)
    writer, calendar = _Writer(), Calendar()
    plays = files = data_bytes = 0
    for month, count in _months(shape):
        begin, end = (round(instant.timestamp() * 1000) for instant in calendar.bounds(month))
        where = folder / "plays" / f"month={month_text(month)}"
        where.mkdir(parents=True)
        at, users, tracks, late = _drawn(rng, shape, count, begin, end)
        for number, first in enumerate(range(0, len(at), shape.plays_in_file)):
            some = slice(first, first + shape.plays_in_file)
            data = writer.file(at[some], users[some], tracks[some], late[some])
            (where / f"plays-{number:08}.avro").write_bytes(data)
            files, data_bytes = files + 1, data_bytes + len(data)
        plays += len(at)
    return Made(folder, shape, plays, files, data_bytes)


def listener_name(number: int) -> str:
    """The user_id of a listener, from 0 on."""
    return f"listener{number:06}"


def _months(shape: Shape) -> Iterator[tuple[date, int]]:
    month = LAST_MONTH
    for _ in range(shape.months - 1):
        month = preceding(month)
    last = round(shape.plays * shape.last_share) if shape.last_share else shape.plays // shape.months
    others = (shape.plays - last) // max(1, shape.months - 1)
    for left in range(shape.months - 1, -1, -1):
        yield month, others if left else last
        month = following(month)


def _drawn(
    rng: np.random.Generator, shape: Shape, count: int, begin: int, end: int
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Plays of one month in the order of time: instant, listener, track, and by how much later it was ingested."""
    at = rng.integers(begin, end, count)
    users = np.where(rng.random(count) < shape.first_share, 0, rng.integers(0, shape.listeners, count))
    favour = np.cumsum(1 / np.arange(1, SONGS + 1) ** _SKEW)
    # Rounding may put the last one at the very end.
    songs = np.minimum(np.searchsorted(favour, rng.random(count) * favour[-1], side="right"), SONGS - 1)
    second = (songs % (SONGS // _SECOND_IDS) == 0) & (rng.random(count) < 1 / 3)
    tracks = np.where(second, SONGS + songs // (SONGS // _SECOND_IDS), songs)
    # A user's instant is one play: what was drawn twice with another track would have no right answer.
    _, first = np.unique(users * (end - begin) + (at - begin), return_index=True)
    at, users, tracks = at[first], users[first], tracks[first]
    again = rng.integers(0, len(at), round(len(at) * _REPEATED))
    late = np.concatenate([np.zeros(len(at), np.int64), rng.integers(0, 2, len(again)) * _POLLED_AFTER_MS])
    at, users, tracks = (np.concatenate([column, column[again]]) for column in (at, users, tracks))
    order = np.argsort(at, kind="stable")
    return at[order], users[order], tracks[order], late[order]


@cache
def _library() -> tuple[Play, ...]:
    """A play of each track; its user and instants do not matter. The tracks beyond SONGS are second ids."""
    rng = np.random.default_rng(1)
    by, albums, guests = (rng.integers(0, many, SONGS + _SECOND_IDS).tolist() for many in (ARTISTS, ALBUMS, ARTISTS))
    owners = rng.integers(0, ARTISTS, ALBUMS).tolist()
    tracks = []
    for number in range(SONGS + _SECOND_IDS):
        is_second = number >= SONGS
        song = (number - SONGS) * (SONGS // _SECOND_IDS) if is_second else number
        # The second id is of the same artist, on another album, whoever that is by.
        is_compilation = albums[number] < _COMPILATIONS
        artist = owners[albums[song]] if albums[song] >= _COMPILATIONS else by[song]
        title = f"Song number {song}"
        artists = [artist, guests[song]] if song % 7 == 0 else [artist]
        # Twice the same album name, a deluxe edition under the same name, has an id of its own.
        album, edition = albums[number], number % 11 == 0
        owner = "Various Artists" if is_compilation else f"Artist {owners[album]}"
        tracks.append(
            Play(
                user_id="",
                played_at=_SOME_INSTANT,
                track_id=f"{number:022x}",
                track_name=f"  {title.upper()} " if is_second else title,
                artists=tuple(Artist(f"Artist {one}", f"a{one:021x}") for one in artists),
                source=Source.RECENTLY_PLAYED,
                ingested_at=_SOME_INSTANT,
                duration_ms=150_000 + song,
                isrc=f"FR{song:010}",
                explicit=song % 5 == 0,
                album_id=f"{'e' if edition else 'b'}{album:021x}",
                album_name=f"Album {album}",
                album_release_date="2020-01-01",
                album_image_url=f"https://images.example/{album:040x}",
                context_uri=f"spotify:playlist:{song % 40:022x}",
                album_artist_name=owner,
            )
        )
    return tuple(tracks)


_SOME_INSTANT = Calendar().bounds(LAST_MONTH)[0]


@cache
def _pieces() -> list[tuple[bytes, ...]]:
    """What a file has of each track, around the listener and the two instants."""
    return [pieces_of(track, "user_id", "played_at", "ingested_at") for track in _library()]


class _Writer:
    """Files of plays of a library."""

    def __init__(self) -> None:
        self._pieces = _pieces()
        self._users: dict[int, bytes] = {}

    def file(self, at: Numbers, users: Numbers, tracks: Numbers, late: Numbers) -> bytes:
        """A file of these plays, one in each row."""
        columns = (at.tolist(), users.tolist(), tracks.tolist(), (at + _POLLED_AFTER_MS + late).tolist())
        records = []
        for played, user, track, ingested in zip(*columns, strict=True):
            before, between, middle, after = self._pieces[track]
            records.append(b"".join((before, self._user(user), between, long(played), middle, long(ingested), after)))
        return file_of(records)

    def _user(self, number: int) -> bytes:
        if number not in self._users:
            self._users[number] = text(listener_name(number))
        return self._users[number]


def check(made: Made) -> None:
    """Raises AssertionError where the archive's own reader finds other plays than were written."""
    files = sorted(made.folder.glob("plays/*/*.avro"))
    some = [play for path in (files[0], files[-1]) for play in decode(str(path), path.read_bytes())]
    tracks = {track.track_id: track for track in _library()}
    for play in some:
        track = tracks[play.track_id]
        instants = {name: getattr(play, name) for name in ("user_id", "played_at", "ingested_at")}
        assert play == replace(track, **instants), play


def main(argv: Sequence[str] | None = None) -> int:
    """Make one, and say as JSON what it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archives", description=__doc__, allow_abbrev=False)
    for name in ("plays", "listeners", "months"):
        parser.add_argument(name, type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plays-in-file", type=int, default=PLAYS_IN_FILE)
    parser.add_argument("--first-share", type=float, default=0.0, help="of the plays, those of the first listener")
    parser.add_argument("--last-share", type=float, help="of the plays, those in the newest month")
    parser.add_argument("--seed", type=int, default=1)
    given = vars(parser.parse_args(argv))
    folder, seed = given.pop("folder"), given.pop("seed")
    made = make(Shape(**given), folder, seed)
    check(made)
    print(json.dumps({"plays": made.plays, "files": made.files, "bytes": made.data_bytes}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
