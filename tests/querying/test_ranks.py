"""Where rows of a ten stand in another."""

import pytest

from pipelines.domain.song import synthetic_id
from pipelines.querying.ranks import Ranks, Row

NAMED = synthetic_id("artist", "Nina")


def row(key: str, rank: int, name: str = "Nina", kind: str = "artist") -> Row:
    return {"kind": kind, "key": key, "name": name, "rank": rank}


def test_a_row_is_found_by_kind_and_key() -> None:
    ranks = Ranks([row("a", 1, "One"), row("b", 2, "Two"), row("a", 3, "One", "album")])
    assert ranks.of(row("a", 9, "Uno")) == 1
    assert ranks.of(row("a", 9, "One", "album")) == 3
    assert ranks.of(row("a", 9, "One", "track")) is None


@pytest.mark.parametrize(("there", "here"), [(NAMED, "id"), ("id", NAMED)], ids=["imported first", "polled first"])
def test_an_artist_without_an_id_is_found_by_name(there: str, here: str) -> None:
    assert Ranks([row(there, 2)]).of(row(here, 1, "NINA")) == 2


def test_two_artists_of_one_name_with_ids_are_two() -> None:
    assert Ranks([row("one", 2)]).of(row("another", 1)) is None


def test_songs_and_albums_are_found_by_their_keys_alone() -> None:
    assert Ranks([row(NAMED, 2, kind="album")]).of(row("id", 1, kind="album")) is None


def test_against_nothing_there_is_nothing() -> None:
    assert not Ranks([])
