"""Names are read of few songs, and the tens are those of all."""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from zlib import crc32

import pytest

from pipelines.domain import ranking
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.song import UNKNOWN_NAME
from pipelines.streaming import contenders, tally
from pipelines.streaming.tally import Tally
from tests.builders import play

START = parse("2026-10-31T23:00:00Z")


def a_month(rng: random.Random) -> list[Play]:
    """Few seconds, so that most ranks are equal; ids and names that are missing, made up, shared, or folded alike."""
    tracks, artists, albums = rng.choice([(12, 3, 5), (40, 15, 20), (60, 60, 60), (80, 12, 30)])

    def a_play() -> Play:
        track, artist, album = rng.randrange(tracks), rng.randrange(artists), rng.randrange(albums)
        name = rng.choice(["Artist {}", "artist  {}", "Artist {}"]).format(artist)
        artist_id = rng.choice([f"artist-{artist}", f"artist-{artist}", f"other-{artist % 3}", "", None])
        return play(
            START + timedelta(seconds=rng.randrange(90), milliseconds=rng.choice([0, 1, 999])),
            rng.choice([f"track-{track}", f"track-{track}", f"copy-{track % 9}", f"names:{track}"]),
            track_name=rng.choice([f"Song {track}", f"SONG {track}", f"Song {track}", UNKNOWN_NAME]),
            artists=rng.choice([(Artist(name, artist_id),)] * 9 + [()]),
            album_name=rng.choice([f"Album {album}", f"album {album}", f"Album {album}", "", None]),
            album_id=rng.choice([f"album-{album}", f"album-{album}", f"issue-{album % 7}", None]),
            album_artist_name=rng.choice([None, None, "Various"]),
            album_image_url=rng.choice([None, f"cover {album}"]),
            source=rng.choice(list(Source)),
            ingested_at=START + timedelta(hours=rng.randrange(3)),
        )

    return [a_play() for _ in range(rng.choice([20, 90, 200]))]


def kept(month: list[Play]) -> Tally:
    made = Tally(to_millis(START), [])
    _, piece = made.add([ranking.entry(p) for p in month])
    return Tally(to_millis(START), [made.compacted() or piece or b""])


def told_by(numbers: int, text: str | None) -> int:
    """A worse checksum: all texts have one of so many numbers."""
    return 1 + crc32(text.encode()) % numbers if text else 0


@pytest.fixture
def _of_any_month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_LEAST_SONGS", 0)
    monkeypatch.setattr(tally, "_LEAST_SMALL", 0)


@pytest.mark.usefixtures("_of_any_month")
@pytest.mark.parametrize("numbers", [None, 1_000, 60, 8, 1])
def test_the_tens_are_those_of_all_songs(numbers: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if numbers is not None:
        monkeypatch.setattr(contenders, "_mark", partial(told_by, numbers))
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


def a_large_month(artists: int) -> list[Play]:
    return [
        play(
            START + timedelta(minutes=n),
            f"track-{n % 1_000}",
            artists=(Artist(f"Artist {n % artists}", f"artist-{n % artists}"),),
            album_id=f"album-{n % artists}",
            album_name=f"Album {n % artists}",
        )
        for n in range(1_200)
    ]


def counted(names_of: Callable[..., list[Any]], read: list[int]) -> Callable[..., list[Any]]:
    def count(lines: Any) -> list[Any]:
        found = names_of(lines)
        read.append(len(found))
        return found

    return count


@pytest.mark.parametrize("artists", [1_000, 250])
def test_names_are_read_of_a_tenth_of_the_songs(artists: int, monkeypatch: pytest.MonkeyPatch) -> None:
    of_month = kept(a_large_month(artists))
    read: list[int] = []
    monkeypatch.setattr(tally, "names_of", counted(tally.names_of, read))
    of_month.tens()
    assert 10 <= sum(read) <= 100
