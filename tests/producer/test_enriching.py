"""Enriching from open sources over real HTTP: what is asked, once, at its pace, and what goes on without it."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.catalogue import Artist as Band
from demo.catalogue import Track
from demo.open_sources import OpenSources as LookAlikes
from demo.open_sources import mbid
from pipelines.domain.play import Artist, Play, Source
from pipelines.domain.snapshots import ArtistSnapshot, SnapshotSource, TrackSnapshot
from pipelines.domain.song import synthetic_id
from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive
from producer.enriching.enrich import Enriching, OpenSources
from producer.snapshots.asker import REQUESTS_A_DAY
from producer.snapshots.heard import heard
from producer.snapshots.outbox import Outbox
from producer.sources import coverart, musicbrainz
from producer.sources.listenbrainz import ARTISTS_AT_ONCE, ListenBrainz
from producer.sources.musicbrainz import MusicBrainz, SearchBusyError
from producer.sources.polite import EndedError, Polite, SourceError
from tests.builders import play
from tests.commands import Run, run
from tests.enriching import WaitingClock, enrich
from tests.producer.test_watching import Watching
from tests.standins.endless import ENDLESS, Endless, endless
from tests.standins.spotify import Spotify, spotify

__all__ = ["run", "spotify"]

SOURCES = {"musicbrainz": "MusicBrainz", "listenbrainz": "ListenBrainz", "coverart": "the Cover Art Archive"}
NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
MUSICBRAINZ, LISTENBRAINZ = SnapshotSource.MUSICBRAINZ, SnapshotSource.LISTENBRAINZ


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookAlikes]:
    with LookAlikes() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def polite(server: LookAlikes, clock: Any = None, spacing: float = 0.0, **options: Any) -> Polite:
    """Of MusicBrainz by default, without its pace where the clock is not real."""
    if clock:
        return Polite("MusicBrainz", server.url, "test@example.com", spacing, clock.wait, now=clock, **options)
    return Polite("MusicBrainz", server.url, "test@example.com", spacing, threading.Event().wait, **options)


@pytest.fixture
def unhurried(sources: LookAlikes) -> None:
    """Between two requests the look-alikes' clock goes on by seven seconds."""
    sources.clock = count(0, 7).__next__


class World:
    """An archive with plays of a catalogue's tracks, and every run of ``enrich`` as a new process."""

    def __init__(self, server: LookAlikes, folder: Path) -> None:
        self.server = server
        self.state, self.archive = str(folder / "state"), str(folder / "archive")
        self.now = NOW
        self.clock = WaitingClock()

    def listen(self, tracks: list[Track], **fields: Any) -> None:
        plays = [self._play(number, track, **fields) for number, track in enumerate(tracks)]
        Archive(self.archive).write(datetime(2026, 10, 1, tzinfo=UTC).date(), plays)

    def _play(self, number: int, track: Track, **fields: Any) -> Play:
        at = datetime(2026, 10, 2, tzinfo=UTC) + timedelta(minutes=4 * number)
        about: dict[str, Any] = {
            "track_name": track.name,
            "artists": tuple(Artist(each.name, each.id) for each in track.artists),
            "isrc": track.isrc,
            "duration_ms": track.duration_ms,
            "album_image_url": "https://images.example.com/1.jpg",
        }
        return play(at, str(track.id), **about | fields)

    def enrich(self, **options: Any) -> bool:
        def one(name: str) -> Polite:
            return Polite(name, self.server.url, "test@example.com", 1.0, self.clock.wait, now=self.clock, **options)

        return enrich(heard(Archive(self.archive)), self.archive, self.state, one, self.now)

    def artists(self, source: SnapshotSource) -> dict[str, ArtistSnapshot]:
        return {each.artist_id: each for each in self._read("artist_snapshot") if each.source is source}

    def tracks(self, source: SnapshotSource) -> dict[str, TrackSnapshot]:
        return {each.track_id: each for each in self._read("track_snapshot") if each.source is source}

    def _read(self, kind: str) -> list[Any]:
        archive = SnapshotArchive(self.archive)
        return [each for path in archive.files(kind) for each in archive.read(kind, path)]

    def asked(self) -> list[str]:
        found = [request.path for request in self.server.requests]
        self.server.requests.clear()
        return found


@pytest.fixture
def world(sources: LookAlikes, unhurried: None, tmp_path: Path) -> World:
    return World(sources, tmp_path)


def bands(server: LookAlikes) -> list[tuple[Band, Track]]:
    """One track of each artist who is a main artist, in the order in which the look-alike numbers them."""
    firsts: dict[Band, Track] = {}
    for track in [track for _, tracks in server.catalogue.albums for track in tracks]:
        firsts.setdefault(track.artists[0], track)
    return sorted(firsts.items(), key=lambda each: server._number[each[0].id])


def test_an_artist_is_found_by_link_by_isrc_by_name_or_not(world: World) -> None:
    of_each_kind = {world.server._number[band.id] % 4: (band, track) for band, track in bands(world.server)}
    world.listen([track for _, track in of_each_kind.values()])
    assert world.enrich()
    found = world.artists(MUSICBRAINZ)
    assert [found[of_each_kind[kind][0].id].matched_by for kind in range(4)] == ["SPOTIFY_LINK", "ISRC", "NAME", None]
    linked = found[of_each_kind[0][0].id]
    assert linked.source_id == mbid("artist", of_each_kind[0][0].id)
    assert not found[of_each_kind[3][0].id].found
    assert any(each.genres for each in found.values())
    votes = [genre.votes or 0 for genre in linked.genres]
    assert votes == sorted(votes, reverse=True)
    figures = world.artists(LISTENBRAINZ)
    assert set(figures) == {of_each_kind[kind][0].id for kind in range(3)}
    assert any(each.listeners for each in figures.values())


def test_an_artist_costs_as_many_requests_as_the_guide_reckons_with(world: World) -> None:
    """Of each kind one: all links in one request, then 1 by link, 2 by ISRC, 3 by name, 2 who is not there."""
    of_each_kind = {world.server._number[band.id] % 4: track for band, track in bands(world.server)}
    world.listen(list(of_each_kind.values()))
    world.enrich()
    asked = [path for path in world.asked() if path.startswith("/ws/2/")]
    assert len(asked) == 1 + 1 + 2 + 3 + 2


def test_what_was_asked_is_not_asked_again_found_or_not(world: World) -> None:
    world.listen([track for _, track in bands(world.server)[:8]])
    world.enrich()
    first = world.asked()
    assert len([path for path in first if path.startswith("/ws/2/url")]) == 1
    world.enrich()
    assert world.asked() == []
    world.now += timedelta(days=7)
    world.enrich()
    assert world.asked() == ["/1/popularity/artist"], "figures are of a week"


def test_stopped_anywhere_it_goes_on_without_asking_anything_twice(world: World) -> None:
    world.listen([track for _, track in bands(world.server)[:6]])
    runs = 0
    while not runs or len(world.artists(MUSICBRAINZ)) < 6:
        world.clock.now = 0.0
        world.enrich(seconds=2.5)
        runs += 1
        assert runs < 20
    asked = [path for path in world.asked() if path.startswith("/ws/2/")]
    assert runs > 3
    # What is looked up on the way to one artist, an ISRC and then the name, is for one artist at a time.
    assert len(asked) - len(set(asked)) <= runs
    links = [path for path in asked if path.startswith("/ws/2/url")]
    assert len(links) == 1
    genres = [path for path in asked if path.startswith("/ws/2/artist/")]
    assert len(genres) == len(set(genres))
    assert len(world.artists(MUSICBRAINZ)) == 6


def test_a_name_of_an_export_is_found_with_length_isrc_and_cover(world: World) -> None:
    known = [(band, track) for band, track in bands(world.server) if world.server.is_known(band)][:5]
    plays = []
    for number, (band, track) in enumerate(known):
        id_ = synthetic_id("track", band.name, track.name)
        at = datetime(2026, 10, 2, tzinfo=UTC) + timedelta(minutes=4 * number)
        only_names = {"track_name": track.name, "artists": (Artist(band.name),), "source": Source.ACCOUNT_EXPORT}
        plays.append(play(at, id_, album_id=None, album_name=None, **only_names))
    Archive(world.archive).write(datetime(2026, 10, 1, tzinfo=UTC).date(), plays)
    world.enrich()
    found = world.tracks(MUSICBRAINZ)
    assert {each.duration_ms for each in found.values()} == {track.duration_ms for _, track in known}
    assert {each.matched_by for each in found.values()} == {"NAME"}
    covers = world.tracks(SnapshotSource.COVER_ART_ARCHIVE)
    assert set(covers) == set(found)
    links = {each.album_image_url for each in covers.values() if each.found}
    assert f"https://coverartarchive.org/release/{mbid('release', known[0][1].album.id)}/front-500" in links
    world.asked()
    world.enrich()
    assert world.asked() == []


@pytest.mark.parametrize("down", ["musicbrainz", "listenbrainz", "coverart"])
def test_a_source_that_is_down_delays_nothing_else(world: World, down: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world.listen([track for _, track in bands(world.server)[:4]])
    world.server.is_down = {down}
    began = world.clock.now
    assert world.enrich(), "it goes on by itself"
    assert world.clock.now - began < 60
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert set(warned) <= {f"{SOURCES[down]} answered 503; the next run goes on"}
    assert bool(warned) == (down != "coverart"), "no cover was lacking"
    assert bool(world.artists(MUSICBRAINZ)) == (down != "musicbrainz")
    world.server.is_down = set()
    world.enrich()
    assert len(world.artists(MUSICBRAINZ)) == 4
    assert world.artists(LISTENBRAINZ)


def test_a_search_that_is_shed_is_left_and_the_rest_goes_on(world: World) -> None:
    of_each_kind = {world.server._number[band.id] % 4: (band, track) for band, track in bands(world.server)}
    world.listen([track for _, track in of_each_kind.values()])
    world.server.is_search_shed = True
    world.enrich()
    assert set(world.artists(MUSICBRAINZ)) == {of_each_kind[kind][0].id for kind in (0, 1)}
    assert sum(path.startswith("/ws/2/artist?") for path in world.asked()) == 1
    world.server.is_search_shed = False
    world.enrich()
    assert len(world.artists(MUSICBRAINZ)) == 4


def test_top_tens_come_first_then_plays(world: World) -> None:
    tracks = [track for _, track in bands(world.server)[:14]]
    world.listen([track for number, track in enumerate(tracks) for _ in range(number + 1)])
    order = [artist.id for artist in heard(Archive(world.archive)).artists]
    assert order == [track.artists[0].id for track in reversed(tracks)]


def test_a_rare_artist_of_a_top_ten_comes_before_a_frequent_one_of_none(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    crowd = [play(f"2026-09-{day:02}T10:00:00Z", f"t{n}") for n in range(11) for day in range(1, 12 - n)]
    crowd = [play(each.played_at + timedelta(minutes=number), each.track_id) for number, each in enumerate(crowd)]
    archive.write(datetime(2026, 9, 1, tzinfo=UTC).date(), crowd)
    archive.write(datetime(2026, 10, 1, tzinfo=UTC).date(), [play("2026-10-03T08:00:00Z", "rare")])
    assert next(artist.id for artist in heard(archive).artists) == "artist-rare"


def test_who_asks_is_said_with_a_contact(sources: LookAlikes) -> None:
    polite(sources).ask("GET", "/ws/2/artist/" + next(iter(sources.artists)))
    [request] = sources.requests
    assert request.user_agent.startswith("heavy-rotation/")
    assert request.user_agent.endswith(" ( test@example.com )")
    assert requests.get(sources.url + "/ws/2/artist/1", timeout=5).status_code == 403


def test_musicbrainz_is_asked_once_a_second(sources: LookAlikes) -> None:
    client = MusicBrainz(polite(sources, spacing=1.1))
    for id_ in list(sources.artists)[:3]:
        assert client.artist(id_)
    assert [request.status for request in sources.requests] == [200, 200, 200]
    first, second, third = [request.at for request in sources.requests]
    assert min(second - first, third - second) >= 1.0


def test_more_than_one_a_second_is_refused_by_the_look_alike_and_asked_again(sources: LookAlikes) -> None:
    client = MusicBrainz(polite(sources))
    for id_ in list(sources.artists)[:2]:
        assert client.artist(id_)
    assert [request.status for request in sources.requests] == [200, 503, 200]


def test_listenbrainz_is_not_asked_past_its_rate(sources: LookAlikes) -> None:
    sources.per_ten_seconds = 2
    clock = WaitingClock()
    client = ListenBrainz(polite(sources, clock), None)
    ids = list(sources.artists)[:3]
    client.popularity(ids)
    client.popularity(ids)
    assert clock.now == 0
    with pytest.raises(SourceError, match="answered 429"):
        client.popularity(ids)
    assert clock.now >= 1, "as long as its header said"


def test_a_token_that_is_wanted_is_told(sources: LookAlikes) -> None:
    sources.wants_token = True
    ids = list(sources.artists)[:2]
    with pytest.raises(SourceError, match="LISTENBRAINZ_TOKEN"):
        ListenBrainz(polite(sources), None).popularity(ids)
    assert ListenBrainz(polite(sources), "secret").popularity(ids)


def test_a_shed_search_is_told_from_too_many_requests(sources: LookAlikes) -> None:
    sources.is_search_shed = True
    with pytest.raises(SearchBusyError):
        MusicBrainz(polite(sources)).artist_named("Nobody")
    assert len(sources.requests) == 1, "asking again is of no use"


def test_one_link_and_many_are_answered_in_different_forms(sources: LookAlikes) -> None:
    linked = [artist.id for artist in sources.artists.values() if sources.is_linked(artist)]
    other = next(artist.id for artist in sources.artists.values() if not sources.is_linked(artist))
    client = MusicBrainz(polite(sources, spacing=1.1))
    assert client.artists_of_links(linked[:1]) == {linked[0]: mbid("artist", linked[0])}
    assert client.artists_of_links([other]) == {}
    assert set(client.artists_of_links([*linked[:2], other])) == set(linked[:2])


def test_a_host_that_is_not_there_is_given_up_soon() -> None:
    clock = WaitingClock()
    gone = Polite("MusicBrainz", "http://127.0.0.1:9", "test@example.com", 1.1, clock.wait, now=clock)
    with pytest.raises(SourceError, match="MusicBrainz cannot be reached; the next run goes on"):
        gone.ask("GET", "/")
    assert gone.requests == 4
    assert clock.now < 30


@pytest.mark.parametrize("answer", ENDLESS, ids=lambda each: each.name)
def test_an_answer_without_an_end_is_left(answer: Endless, monkeypatch: pytest.MonkeyPatch) -> None:
    with endless(answer, monkeypatch) as url:
        source = Polite("MusicBrainz", url, "me@example.com", 0, lambda _: False)
        with closing(source), pytest.raises(SourceError, match="MusicBrainz did not come to the end of an answer; the"):
            source.ask("GET", "/")


def test_a_run_ends_with_its_time_and_with_a_stop(sources: LookAlikes) -> None:
    with pytest.raises(EndedError, match="is over"):
        polite(sources, WaitingClock(), seconds=0).ask("GET", "/")
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(EndedError, match="stopped"):
        Polite("MusicBrainz", sources.url, "test@example.com", 0, stopping.wait).ask("GET", "/")
    assert sources.requests == []


@pytest.mark.parametrize("contact", ["me", "mé@example.com"])
def test_a_contact_has_to_be_one(contact: str) -> None:
    with pytest.raises(Failure, match="HEAVY_ROTATION_CONTACT"):
        OpenSources.of({"HEAVY_ROTATION_CONTACT": contact}, 1, time.sleep)


def test_spotify_is_asked_for_what_an_export_did_not_say(spotify: Spotify, tmp_path: Path) -> None:
    tracks = spotify.library.tracks()[:4]
    lacking = {"isrc": None, "duration_ms": None, "album_image_url": None, "source": Source.EXTENDED_EXPORT}
    world = World.__new__(World)
    world.archive, world.state, world.now = str(tmp_path / "archive"), str(tmp_path / "state"), NOW
    world.listen(tracks, **lacking)
    watching = Watching(spotify, tmp_path)

    def enrich(**options: Any) -> bool:
        outbox = Outbox(world.state, topic=None, archive=world.archive)
        asker = watching.asker(**options)
        heard_of = heard(Archive(world.archive))
        return Enriching(heard_of, world.archive, world.state, outbox, asker, None, clock=lambda: NOW).run()

    assert enrich(per_day=3), "a budget that is used up goes on the next day"
    watching.later(hours=5)
    enrich()
    found = world.tracks(SnapshotSource.SPOTIFY)
    assert {each.isrc for each in found.values()} == {track.isrc for track in tracks}
    assert all(each.duration_ms and each.album_image_url for each in found.values())
    asked = watching.asked()
    assert sum(path.startswith("/v1/audio-features/") for path in asked) == 1, "a new app is not given them"
    assert sum(path.startswith("/v1/tracks/") for path in asked) == 4
    enrich()
    assert watching.asked() == []


def test_the_command_with_all_sources(sources: LookAlikes, spotify: Spotify, tmp_path: Path, run: Run) -> None:
    world = World(sources, tmp_path)
    world.listen([track for _, track in bands(sources)[:1]], isrc=None)
    options = ("--archive", world.archive, "--state", world.state, "--logins", str(tmp_path / "logins"))
    ran = run("enrich", *options)
    assert ran.code == 0, ran.err
    assert "Spotify: tracks: 1 asked, 1 found" in ran.out
    assert "MusicBrainz: artists: 1 asked, 1 found; tracks: 0 asked, 0 found" in ran.out
    assert "ListenBrainz: artists: 1 asked" in ran.out
    assert spotify.asked()


def test_without_a_contact_the_open_sources_are_off(spotify: Spotify, tmp_path: Path, run: Run) -> None:
    options = ("--archive", str(tmp_path / "a"), "--state", str(tmp_path / "s"), "--logins", str(tmp_path / "logins"))
    ran = run("enrich", *options)
    assert ran.code == 0, ran.err
    assert "are off: set HEAVY_ROTATION_CONTACT" in ran.err
    assert spotify.asked() == []


def test_what_it_costs_is_as_the_document_says() -> None:
    """5,000 tracks and 1,500 artists, at each source's pace."""
    text = (Path(__file__).parents[2] / "docs" / "watching.md").read_text(encoding="utf-8")
    tracks, artists = 5_000, 1_500
    links = -(-artists // musicbrainz.LINKS_AT_ONCE)
    for requests_, spacing in (
        (links + artists, musicbrainz.SPACING_SECONDS),
        # Each by ISRC in vain, by name, and for its genres.
        (links + 3 * artists, musicbrainz.SPACING_SECONDS),
        (tracks, musicbrainz.SPACING_SECONDS),
        (tracks, coverart.SPACING_SECONDS),
    ):
        assert f"| {requests_:,} | {round(requests_ * spacing / 60)} minutes |" in text
    assert f"| {-(-artists // ARTISTS_AT_ONCE)} | seconds |" in text
    assert f"| {tracks:,} | {tracks // REQUESTS_A_DAY} days |" in text
