"""Names are read of few songs, and the tens are those of all."""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from pipelines.domain import ranking
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.song import UNKNOWN_NAME
from pipelines.streaming import contenders, songs, tally
from pipelines.streaming.tally import Tally
from tests.builders import play

START = parse("2026-10-31T23:00:00Z")


def a_month(rng: random.Random) -> list[Play]:
    """Few seconds, so that most ranks are equal; ids and names that are missing, made up, shared, or folded alike."""
    count, artists, albums = rng.choice([(12, 3, 5), (40, 8, 12), (60, 60, 60), (120, 12, 14)])

    def a_song(number: int) -> dict[str, Any]:
        artist, album = rng.randrange(artists), rng.randrange(albums)
        # Some end like another one's line, were it not for its quotation marks.
        name = rng.choice(["Artist {}", "artist  {}", "Artist {}", 'A","Artist {}', "null,Artist {}"]).format(artist)
        artist_id = rng.choice([*[f"artist-{artist}"] * 4, f"other-{artist % 3}", f'"artist-{artist}', "", None])
        return {
            "track": rng.choice([*[f"track-{number}"] * 6, f"copy-{number % 9}", f"names:{number}"]),
            "track_name": rng.choice([f"Song {number}", f"SONG {number // 2}", f"Song {number // 2}", UNKNOWN_NAME]),
            "artists": rng.choice([*[(Artist(name, artist_id),)] * 9, ()]),
            "album_name": rng.choice([*[f"Album {album}"] * 4, f"album {album}", "", None]),
            "album_id": rng.choice([*[f"album-{album}"] * 4, f"issue-{album % 7}", None]),
            "album_artist_name": rng.choice([None, None, "Various"]),
            "album_image_url": rng.choice(
                [None, *[f"cover {album}"] * 3, f"cover {album % 3}", f'",null,"Artist {artist}']
            ),
        }

    known = [a_song(number) for number in range(count)]
    return [
        play(
            START + timedelta(seconds=rng.randrange(90), milliseconds=rng.choice([0, 1, 999])),
            **rng.choice(known),
            source=rng.choice(list(Source)),
            ingested_at=START + timedelta(hours=rng.randrange(3)),
        )
        for _ in range(rng.choice([20, 90, 200]))
    ]


def kept(month: list[Play]) -> Tally:
    """In a large piece and a small one, as a month that grows."""
    pieces: list[bytes] = []
    most = len(month) * 3 // 4
    for some in (month[:most], month[most:]):
        growing = Tally(to_millis(START), pieces)
        _, piece = growing.add([ranking.entry(p) for p in some])
        pieces += [piece] if piece and pieces else [growing.compacted() or piece or b""]
    return Tally(to_millis(START), pieces)


def told_by(numbers: int, told_apart: tuple[str, ...], text: str | None) -> int:
    """A worse checksum: all texts have one of so many numbers, but for those that begin with one of ``told_apart``."""
    if text and text.startswith(told_apart):
        return crc32(text.encode())
    return 1 + crc32(text.encode()) % numbers if text else 0


@pytest.fixture(params=[2, 3])
def _of_any_month(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(tally, "_LEAST_SONGS", 0)
    monkeypatch.setattr(tally, "_LEAST_SMALL", 0)
    monkeypatch.setattr(songs, "_LEAST_ALIKE", request.param)


@pytest.mark.usefixtures("_of_any_month")
@pytest.mark.parametrize("told_apart", [(), ("track-", "copy-")], ids=["nothing apart", "tracks apart"])
@pytest.mark.parametrize("numbers", [None, 1_000, 60, 8, 1])
def test_the_tens_are_those_of_all_songs(
    numbers: int | None, told_apart: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if numbers is not None:
        monkeypatch.setattr(contenders, "_mark", partial(told_by, numbers, told_apart))
    for seed in range(40):
        of_month = kept(a_month(random.Random(seed)))
        assert of_month.tens() == ranking.tens_of(of_month.copies()), f"seed {seed}"


@pytest.mark.usefixtures("_of_any_month")
@pytest.mark.parametrize("forgotten", [0, 1, 2])
def test_what_was_forgotten_is_no_contender(forgotten: int) -> None:
    for seed in range(20):
        of_month = kept(a_month(random.Random(seed)))
        of_month.forget(to_millis(START + timedelta(hours=forgotten)))
        assert of_month.tens() == ranking.tens_of(of_month.copies()), f"seed {seed}"


def test_one_is_made_of_songs_that_end_alike_with_what_the_preferred_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(songs, "_LEAST_ALIKE", 2)
    instants = to_millis(START)
    for seed in range(200):
        rng = random.Random(seed)
        entries = [
            ranking.entry(play(START, rng.choice("abc"), track_name=str(n), artists=(Artist(rng.choice("xy"), "id"),)))[
                1
            ]
            for n in range(5)
        ]
        heard = [
            (rng.randrange(1, 4), instants + rng.randrange(3), rng.randrange(2), rng.randrange(2)) for _ in entries
        ]
        each = songs.copies_of(songs.names_of(map(songs.line_of, entries)), heard)
        alike = [some for some in each if some.artist_name == each[0].artist_name]
        preferred = min(alike, key=attrgetter("preference"))
        one = preferred._replace(plays=sum(some.plays for some in alike), last=max(some.last for some in alike))
        columns = [np.array(column) for column in zip(*heard, strict=True)]
        made = songs.copies_alike(
            [songs.line_of(entry) for entry in entries], columns, np.zeros(5), songs.ARTIST_FIELDS
        )
        assert sorted(made) == sorted([one, *(some for some in each if some not in alike)]), f"seed {seed}"


def a_large_month(artists: int) -> list[Play]:
    return [
        play(
            START + timedelta(minutes=n),
            f"track-{n % 1_000}",
            artists=(Artist(f"Artist {n % 1_000 % artists}", f"artist-{n % 1_000 % artists}"),),
            album_id=f"album-{n % 1_000 % artists}",
            album_name=f"Album {n % 1_000 % artists}",
            ingested_at=START + timedelta(minutes=n + 20),
        )
        for n in range(1_200)
    ]


def counted(names_of: Callable[..., list[Any]], read: list[int]) -> Callable[..., list[Any]]:
    def count(lines: Any) -> list[Any]:
        found = names_of(lines)
        read.append(len(found))
        return found

    return count


@pytest.mark.parametrize("artists", [1_000, 250, 12, 1])
def test_names_are_read_of_a_tenth_of_the_songs(artists: int, monkeypatch: pytest.MonkeyPatch) -> None:
    of_month = kept(a_large_month(artists))
    read: list[int] = []
    monkeypatch.setattr(songs, "names_of", counted(songs.names_of, read))
    of_month.tens()
    assert 10 <= sum(read) <= 100
