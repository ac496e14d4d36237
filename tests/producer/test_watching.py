"""Watching playlists and artists: what is asked, what is kept of it, and what is not asked again."""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.faults import QuotaExceeded, RateLimited
from demo.spotify_library import Playlist
from demo.spotify_tokens import _Consent
from pipelines.domain.play import Artist
from pipelines.domain.snapshots import ArtistSnapshot, PlaylistSnapshot, SnapshotSource
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive
from producer.snapshots.asker import Asker, PausedError
from producer.snapshots.heard import artists_in_top
from producer.snapshots.outbox import Outbox
from producer.spotify.client import Endpoints
from producer.spotify.client import Spotify as Client
from producer.spotify.oauth import App as Credentials
from producer.spotify.transport import Transport
from producer.state.cursor import Cursors
from producer.watching.items import Items, WatchError, key_of
from producer.watching.snapshot import Snapshots
from tests.builders import play
from tests.commands import Run, run
from tests.snapshots import track
from tests.standins.spotify import NOW, Spotify, spotify

__all__ = ["run", "spotify"]

LIST = "5hGbCdEfGhIjKlMnOpQrSt"
ADDED = datetime(2026, 10, 1, 12, tzinfo=UTC)


@dataclass
class App:
    """The environment's login, as far as asking needs one."""

    server: Spotify
    refresh_token: str | None
    log_in_again: str = "log in again"

    @property
    def app(self) -> Credentials:
        return Credentials(self.server.accounts.client_id, self.server.accounts.client_secret)

    def refreshing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def keep_refresh_token(self, token: str) -> None:
        self.refresh_token = token

    def discard_refresh_token(self) -> None:
        self.refresh_token = None


class Watching:
    """A state, an archive, and the look-alike; every call is as a new process."""

    def __init__(self, server: Spotify, folder: Path) -> None:
        self.server = server
        self.state, self.archive = str(folder / "state"), str(folder / "archive")
        self.now = NOW
        self.items = Items(self.state)
        self.refresh_token = server.accounts.refresh_token
        self._transport = Transport(lambda _: None, lambda: self.now)

    def add(self, *keys: str) -> None:
        for key in keys:
            self.items.add(key, None, self.now)

    def top_artists(self, count: int) -> list[str]:
        return artists_in_top(self.archive, count)

    def asker(self, **options: Any) -> Asker:
        login = App(self.server, self.refresh_token)
        client = Client(login, Endpoints(self.server.url, self.server.url), transport=self._transport)
        return Asker([client], self.state, self.server.accounts.client_id, clock=lambda: self.now, **options)

    def snapshot(self, **options: Any) -> bool:
        outbox = Outbox(self.state, topic=None, archive=self.archive)
        return Snapshots(
            self.state, self.items, self.asker(**options), outbox, self.top_artists, clock=lambda: self.now
        ).run()

    def rows(self) -> list[PlaylistSnapshot]:
        return sorted(self._read("playlist_snapshot"), key=lambda row: (row.taken_at, row.position))

    def artists(self) -> list[ArtistSnapshot]:
        return sorted(self._read("artist_snapshot"), key=lambda row: (row.taken_at, row.artist_id))

    def _read(self, kind: str) -> list[Any]:
        archive = SnapshotArchive(self.archive)
        return [row for path in archive.files(kind) for row in archive.read(kind, path)]

    def asked(self) -> list[str]:
        """The paths of the Web API that were asked for since the last time."""
        found = [path for path in self.server.asked() if path.startswith("/v1/")]
        self.server.requests.clear()
        return found

    def later(self, **time: int) -> None:
        self.now += timedelta(**time)
        self.server.accounts.expire_access_tokens()


@pytest.fixture
def watching(spotify: Spotify, tmp_path: Path) -> Watching:
    return Watching(spotify, tmp_path)


def playlist(server: Spotify, count: int, **about: Any) -> Playlist:
    tracks = server.library.tracks()[:count]
    return server.library.add(Playlist(LIST, "Line 13", [(ADDED, track) for track in tracks], **about))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"https://open.spotify.com/playlist/{LIST}?si=0123456789abcdef", f"playlist:{LIST}"),
        (f"https://open.spotify.com/intl-fr/artist/{LIST}", f"artist:{LIST}"),
        (f"spotify:playlist:{LIST}", f"playlist:{LIST}"),
        (f"spotify:user:somebody:playlist:{LIST}", f"playlist:{LIST}"),
        (f" artist:{LIST}\n", f"artist:{LIST}"),
        ("top:10", "top:10"),
    ],
)
def test_links_and_uris_name_what_is_watched(text: str, key: str) -> None:
    assert key_of(text) == key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"https://open.spotify.com/track/{LIST}", "is a link to a track"),
        (f"spotify:album:{LIST}", "is a link to an album"),
        ("https://example.com/playlist/1", "is no playlist and no artist"),
        ("The Ferrymen", "is no playlist and no artist"),
        ("top:11", "write top:10"),
        ("top:0", "write top:10"),
    ],
)
def test_anything_else_is_refused_with_what_there_can_be(text: str, why: str) -> None:
    with pytest.raises(WatchError, match=why):
        key_of(text)


def test_a_playlist_is_written_with_positions_and_without_persons(watching: Watching) -> None:
    tracks = playlist(watching.server, 120).entries
    tracks[3] = (ADDED, None)
    watching.add(f"playlist:{LIST}")
    assert watching.snapshot()
    rows = watching.rows()
    assert [row.position for row in rows] == list(range(1, 121))
    assert [row.track_id for row in rows] == [track and track.id for _, track in tracks]
    assert {(row.tracks, row.added_at, row.playlist_name) for row in rows} == {(120, ADDED, "Line 13")}
    assert rows[0].isrc
    assert rows[0].album_image_url
    everything = b"".join(path.read_bytes() for path in Path(watching.state).rglob("*.json"))
    assert b"somebody" not in everything + b"".join(row.to_message()[0] for row in rows)
    url = f"/v1/playlists/{LIST}"
    assert watching.asked() == [url, *[f"{url}/items"] * 3, url]


def test_an_unchanged_playlist_costs_one_request_and_writes_nothing(watching: Watching) -> None:
    changing = playlist(watching.server, 3)
    watching.add(f"playlist:{LIST}")
    watching.snapshot()
    watching.asked()
    watching.snapshot()
    assert watching.asked() == [], "it is not due"
    watching.later(days=1)
    watching.snapshot()
    assert watching.asked() == [f"/v1/playlists/{LIST}"]
    assert len(watching.rows()) == 3
    changing.put(changing.entries[:2])
    watching.later(days=1)
    watching.snapshot()
    assert [row.tracks for row in watching.rows()] == [3, 3, 3, 2, 2]


def test_an_empty_playlist_is_one_row(watching: Watching) -> None:
    playlist(watching.server, 0)
    watching.add(f"playlist:{LIST}")
    watching.snapshot()
    [row] = watching.rows()
    assert (row.position, row.tracks, row.track_name) == (0, 0, None)


def test_a_run_that_ends_in_the_middle_of_a_playlist_goes_on_there(watching: Watching) -> None:
    playlist(watching.server, 120)
    watching.add(f"playlist:{LIST}")
    watching.snapshot(per_day=3)
    assert watching.rows() == []
    watching.asked()
    watching.later(days=1)
    watching.snapshot(per_day=3)
    assert watching.asked() == [(url := f"/v1/playlists/{LIST}"), f"{url}/items", url]
    assert [row.position for row in watching.rows()] == list(range(1, 121))


def test_a_playlist_that_changed_meanwhile_is_read_from_the_beginning(watching: Watching) -> None:
    changing = playlist(watching.server, 120)
    watching.add(f"playlist:{LIST}")
    watching.snapshot(per_day=3)
    changing.put([*changing.entries[60:], *changing.entries[:50]])
    watching.later(days=1)
    watching.snapshot(per_day=100)
    assert [row.track_id for row in watching.rows()] == [track and track.id for _, track in changing.entries]


def test_a_private_playlist_takes_the_right_to_read_it(watching: Watching, caplog: pytest.LogCaptureFixture) -> None:
    playlist(watching.server, 2, is_public=False)
    watching.add(f"playlist:{LIST}")
    watching.snapshot()
    assert "404: Resource not found" in caplog.text
    assert watching.rows() == []
    scope = "user-read-recently-played playlist-read-private"
    watching.refresh_token = watching.server.accounts._new_refresh_token(_Consent(datetime.now(UTC), scope))
    watching.later(days=31)
    watching.snapshot()
    assert len(watching.rows()) == 2


def test_a_new_app_is_told_once_what_it_is_not_given(watching: Watching, caplog: pytest.LogCaptureFixture) -> None:
    artists = [album.artist.id for album, _ in watching.server.library.catalogue.albums[:6:2]]
    playlist(watching.server, 2, is_ours=False)
    watching.add(f"playlist:{LIST}", *(f"artist:{id_}" for id_ in artists))
    watching.snapshot()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert {text.partition(" (")[0].removeprefix("Spotify does not give this app ") for text in told} == {
        "the top tracks of artists",
        "popularity of artists",
        "followers of artists",
        "genres of artists",
        f"the tracks of the playlist {LIST}, which is another person's, or needs a login with --playlists",
    }
    assert len(told) == 5
    assert "(403: Forbidden, 2026-11-10); it is asked for again from 2026-12-10 on" in caplog.text
    assert sum(path.endswith("/top-tracks") for path in watching.asked()) == 1
    caplog.clear()
    for _ in range(8):
        watching.later(days=1)
        watching.snapshot()
    assert not any(record.levelno == logging.WARNING for record in caplog.records)
    assert not any(path.endswith(("/top-tracks", "/items")) for path in watching.asked())
    watching.later(days=25)
    watching.snapshot()
    assert sum(path.endswith(("/top-tracks", "/items")) for path in watching.asked()) == 2, "a month later"


def test_an_app_with_all_rights_gets_figures_over_time(watching: Watching) -> None:
    watching.server.library.has_all = True
    artist = watching.server.library.catalogue.albums[0][0].artist
    watching.add(f"artist:{artist.id}")
    for day in range(3):
        watching.server.library.day = day
        watching.snapshot()
        watching.later(days=1)
    first, second, third = watching.artists()
    assert first.name == artist.name
    assert first.followers is not None
    assert [second.followers, third.followers] == [first.followers + 37, first.followers + 74]
    assert first.popularity
    assert len(first.genres) == 2
    assert first.top_tracks


def test_the_artists_of_top_tens_are_watched_by_themselves(watching: Watching) -> None:
    albums = watching.server.library.catalogue.albums
    artists = list(dict.fromkeys(album.artist for album, _ in albums))[:12]
    for number, artist in enumerate(artists):
        plays = [
            play(f"2026-10-{number + 1:02}T{hour:02}:00:00Z", f"t{number}", artists=(Artist(artist.name, artist.id),))
            for hour in range(number + 1)
        ]
        Archive(watching.archive).write(plays[0].played_at.date().replace(day=1), plays)
    watching.add("top:10")
    watching.snapshot()
    assert {row.artist_id for row in watching.artists()} == {artist.id for artist in artists[2:]}
    watching.asked()
    watching.later(days=1)
    watching.snapshot()
    assert watching.asked() == [], "once a week"


def test_artists_whom_only_exports_named_are_asked_about_once_a_song_told_their_id(
    watching: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told, namesake, unknown = list(
        dict.fromkeys(album.artist for album, _ in watching.server.library.catalogue.albums)
    )[:3]
    plays = [
        play(f"2026-10-01T0{number}:00:00Z", f"t{number}", artists=(Artist(artist.name),))
        for number, artist in enumerate((told, namesake, unknown))
    ]
    Archive(watching.archive).write(ADDED.date(), plays)
    watching.add("top:10")
    watching.snapshot()
    assert watching.asked() == []
    assert "top:10: of 3 artists, 3 cannot be asked about: an export has their names alone" in caplog.text
    songs = [
        track("t0", artists=(Artist("A guest"), Artist(told.name, told.id))),
        track("t1", artists=(Artist(namesake.name, namesake.id),)),
        track("another", artists=(Artist(namesake.name, "1" * 22),)),
        track("t2", artists=(Artist(unknown.name, "2" * 22),), source=SnapshotSource.MUSICBRAINZ),
    ]
    SnapshotArchive(watching.archive).write(songs)
    watching.snapshot()
    assert [row.artist_id for row in watching.artists()] == [told.id]
    assert "top:10: of 3 artists, 2 cannot be asked about" in caplog.text


def test_a_budget_holds_for_the_day_and_the_rest_is_asked_the_next(
    watching: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    watching.server.library.has_all = True
    ids = list(dict.fromkeys(album.artist.id for album, _ in watching.server.library.catalogue.albums))[:6]
    watching.add(*(f"artist:{id_}" for id_ in ids))
    assert watching.snapshot(per_day=8)
    watching.snapshot(per_day=8)
    assert len(watching.asked()) == 8
    assert "the 8 requests of today are used up; what is left is asked from 2026-11-11 00:00:00 UTC on" in caplog.text
    watching.later(hours=5)
    watching.snapshot(per_day=8)
    assert [row.artist_id for row in watching.artists()] == sorted(ids[:4]) + sorted(ids[4:])


@pytest.mark.parametrize("fault", [RateLimited(80_000), QuotaExceeded(80_000)])
def test_when_spotify_asks_to_wait_nothing_is_asked_until_then(watching: Watching, fault: Any) -> None:
    playlist(watching.server, 2)
    watching.add(f"playlist:{LIST}")
    watching.server.faults.add(fault, path=f"/v1/playlists/{LIST}")
    assert watching.snapshot(), "it is nobody's fault, and goes on by itself"
    watching.asked()
    watching.later(hours=12)
    watching.snapshot()
    assert watching.asked() == []
    watching.later(hours=11)
    watching.snapshot()
    assert len(watching.rows()) == 2


def test_polling_goes_first(watching: Watching) -> None:
    cursors = Cursors(watching.state)
    cursors.change(cursors.read("me"), lambda cursor: replace(cursor, retry_at=watching.now + timedelta(hours=2)))
    with pytest.raises(PausedError, match="polling to wait, which goes first"):
        watching.asker().check_polling()


def test_what_was_asked_before_a_kill_is_written_by_the_next_run(watching: Watching) -> None:
    artist = watching.server.library.catalogue.albums[0][0].artist
    watching.add(f"artist:{artist.id}")
    outbox = Outbox(watching.state, topic=None, archive=watching.archive)
    outbox.flush = lambda: None  # type: ignore[method-assign]
    Snapshots(
        watching.state, watching.items, watching.asker(), outbox, watching.top_artists, lambda: watching.now
    ).run()
    assert watching.artists() == []
    watching.asked()
    watching.snapshot()
    assert watching.asked() == []
    assert [row.artist_id for row in watching.artists()] == [artist.id]


def test_what_is_kept_is_not_asked_again_by_the_next_run_though_no_note_was_taken_of_it(watching: Watching) -> None:
    watching.server.library.has_all = True
    artist, other = list(dict.fromkeys(album.artist for album, _ in watching.server.library.catalogue.albums))[:2]
    playlist(watching.server, 20)
    watching.add(f"playlist:{LIST}", f"artist:{artist.id}", "top:10")
    of = (Artist(artist.name, artist.id), Artist(other.name, other.id))
    plays = [play(f"2026-10-01T0{n}:00:00Z", f"t{n}", artists=(one,)) for n, one in enumerate(of)]
    Archive(watching.archive).write(ADDED.date(), plays)
    watching.snapshot()
    kept = [*watching.rows(), *watching.artists()]
    watching.asked()
    for key in (f"playlist:{LIST}", f"artist:{artist.id}", "top:10"):
        watching.items.remove(key)
        watching.add(key)
    Outbox(watching.state, topic=None, archive=watching.archive).put(kept)
    watching.snapshot()
    assert watching.asked() == []
    watching.later(days=1)
    watching.snapshot()
    assert watching.asked() == [
        f"/v1/playlists/{LIST}",
        *(f"/v1/artists/{artist.id}{more}" for more in ("", "/top-tracks")),
    ]


def test_the_commands_as_a_person_types_them(spotify: Spotify, tmp_path: Path, run: Run) -> None:
    playlist(spotify, 2)
    artist = spotify.library.catalogue.albums[0][0].artist
    home = ("--home", str(tmp_path / "home"))
    logins = ("--logins", str(tmp_path / "logins"))
    ran = run("watch", "add", f"spotify:playlist:{LIST}", f"https://open.spotify.com/artist/{artist.id}", *home)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == f"watched        playlist:{LIST}"
    ran = run("snapshot", "--once", *home, *logins)
    assert ran.code == 0, ran.err
    assert "playlist Line 13: 2 tracks, new" in ran.out
    assert f"artist {artist.name}: name and picture, which is all this app is given" in ran.out
    assert "Spotify does not give this app the top tracks of artists (403: Forbidden" in ran.err
    ran = run("watch", "list", *home)
    assert "Line 13" in ran.out
    assert "last 20" in ran.out
    ran = run("watch", "remove", f"playlist:{LIST}", "top:10", *home)
    assert ran.out.splitlines()[:2] == [f"removed     playlist:{LIST}", "not watched top:10"]


def test_doctor_says_what_is_withdrawn_and_what_was_not_asked_about(
    watching: Watching, spotify: Spotify, tmp_path: Path, run: Run
) -> None:
    artist = spotify.library.catalogue.albums[0][0].artist
    watching.now = datetime.now(UTC)
    watching.add(f"artist:{artist.id}")
    watching.snapshot()
    options = ("--state", watching.state, "--archive", watching.archive, "--logins", str(tmp_path / "logins"))
    said = run("doctor", *options).out
    assert "ok       watching: 1 watched, and asked about in time" in said
    assert "ok       withdrawn: Spotify does not give this app the top tracks of artists (403: Forbidden" in said
    watching.items.add("top:10", None, watching.now - timedelta(days=9))
    assert "warning  watching: 1 of 2 not asked about for too long" in run("doctor", *options).out


def test_without_anything_watched_it_says_what_to_do(tmp_path: Path, run: Run) -> None:
    ran = run("snapshot", "--once", "--home", str(tmp_path))
    assert ran.code == 1
    assert "error: nothing is watched; run: heavy-rotation watch add LINK" in ran.err
