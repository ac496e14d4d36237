"""The look-alike's playlists, artists and tracks: as Spotify's API file has them, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from demo.spotify_feed import BadRequestError
from demo.spotify_library import Library, NotGivenError, Playlist
from tests.demo.test_spotify import NULLABLE, problems, schemas

__all__ = ["schemas"]

ADDED = datetime(2026, 10, 1, tzinfo=UTC)
LIST = "5hGbCdEfGhIjKlMnOpQrSt"


@pytest.fixture
def library() -> Library:
    library = Library()
    library.add(Playlist(LIST, "Line 13", [(ADDED, track) for track in library.tracks()[:70]]))
    return library


@pytest.fixture(autouse=True)
def known_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    nulls = {"PagingPlaylistTrackObject.next", "PagingPlaylistTrackObject.previous", "PlaylistObject.description"}
    monkeypatch.setattr("tests.demo.test_spotify.NULLABLE", NULLABLE | nulls)


def ask(library: Library, path: str, scope: str = "", **query: str) -> Any:
    return library.answer(f"/v1/{path}", query, scope, "http://127.0.0.1:1")


def test_artists_tracks_and_features_are_as_the_api_file_says(library: Library, schemas: dict[str, Any]) -> None:
    track = library.tracks()[0]
    assert problems(schemas, "TrackObject", ask(library, f"tracks/{track.id}")) == []
    artist = ask(library, f"artists/{track.artists[0].id}")
    assert problems(schemas, "ArtistObject", artist) == []
    library.has_all = True
    artist = ask(library, f"artists/{track.artists[0].id}")
    assert problems(schemas, "ArtistObject", artist) == []
    assert artist.keys() >= {"popularity", "followers", "genres"}
    for top in ask(library, f"artists/{track.artists[0].id}/top-tracks")["tracks"]:
        assert problems(schemas, "TrackObject", top) == []
    assert problems(schemas, "AudioFeaturesObject", ask(library, f"audio-features/{track.id}")) == []


def test_playlists_are_as_the_api_file_says(library: Library, schemas: dict[str, Any]) -> None:
    page = ask(library, f"playlists/{LIST}/items", limit="50")
    assert problems(schemas, "PagingPlaylistTrackObject", page) == []
    for item in page["items"]:
        assert problems(schemas, "TrackObject", item["item"]) == []
    whole = ask(library, f"playlists/{LIST}")
    assert whole.keys() <= known(schemas, "PlaylistObject")
    assert whole["items"]["total"] == 70


def known(schemas: dict[str, Any], name: str) -> set[str]:
    from tests.demo.test_spotify import properties

    return set(properties(schemas, name))


def test_pages_hold_all_items_once(library: Library) -> None:
    pages = [ask(library, f"playlists/{LIST}/items", limit="50", offset=str(offset)) for offset in (0, 50)]
    ids = [item["item"]["id"] for page in pages for item in page["items"]]
    assert ids == [track.id for track in library.tracks()[:70]]
    assert [page["next"] is None for page in pages] == [False, True]


def test_an_edit_gives_another_snapshot_id(library: Library) -> None:
    before = ask(library, f"playlists/{LIST}", fields="snapshot_id")
    library.playlists[LIST].put([])
    assert ask(library, f"playlists/{LIST}", fields="snapshot_id") != before
    assert before.keys() == {"snapshot_id"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("artists/nobody", 404),
        ("tracks/nothing", 404),
        ("playlists/none", 404),
        ("artists/any/top-tracks", 403),
        ("audio-features/any", 403),
    ],
)
def test_what_is_not_given_is_refused_as_spotify_does(library: Library, path: str, status: int) -> None:
    with pytest.raises(NotGivenError) as refused:
        ask(library, path)
    assert refused.value.status == status


def test_other_people_s_and_private_playlists(library: Library) -> None:
    library.playlists[LIST].is_ours = False
    assert "items" not in ask(library, f"playlists/{LIST}")
    with pytest.raises(NotGivenError, match="Forbidden"):
        ask(library, f"playlists/{LIST}/items")
    library.playlists[LIST].is_public = False
    with pytest.raises(NotGivenError, match="not found"):
        ask(library, f"playlists/{LIST}")
    assert ask(library, f"playlists/{LIST}", scope="a playlist-read-private")["public"] is False


@pytest.mark.parametrize("query", [{"limit": "51"}, {"limit": "0"}, {"offset": "-1"}, {"limit": "all"}])
def test_a_page_that_cannot_be_is_a_bad_request(library: Library, query: dict[str, str]) -> None:
    with pytest.raises(BadRequestError):
        ask(library, f"playlists/{LIST}/items", **query)
