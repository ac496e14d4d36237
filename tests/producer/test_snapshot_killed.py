"""``snapshot --once`` killed at any time goes on: what was answered and kept is not asked again, nothing is lost."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import PubsubMessage

from demo.spotify_library import Playlist
from pipelines.domain.play import Artist
from pipelines.domain.snapshots import ArtistSnapshot, PlaylistSnapshot, Snapshot, from_message
from pipelines.storage.archive import Archive
from pipelines.storage.snapshots import SnapshotArchive
from producer.snapshots.outbox import Outbox
from producer.watching.items import Items
from tests.builders import play
from tests.rebuilding.rebuilds import run as rebuild
from tests.snapshots import KINDS, expected, in_table
from tests.standins.pubsub import Topic
from tests.standins.spotify import Spotify, spotify

__all__ = ["spotify"]

REPOSITORY = Path(__file__).parents[2]
KILLS = 10
# Of several pages, and the other of so many that it goes where it goes at once.
LISTS = {"5hGbCdEfGhIjKlMnOpQrSt": 120, "6hGbCdEfGhIjKlMnOpQrSt": 520}
WATCHED, IN_TOPS = 3, 6


class World:
    """Two playlists, some artists, and others who are in a month's ten, at a Spotify that gives all there is."""

    def __init__(self, server: Spotify, folder: Path, topic: Topic | None) -> None:
        self.server, self.folder, self.topic = server, folder, topic
        self.rng = random.Random(4)
        self.state = folder / "state"
        server.library.has_all = True
        tracks = server.library.tracks()
        added = datetime(2026, 10, 1, tzinfo=UTC)
        for id_, count in LISTS.items():
            entries = [(added, tracks[number % len(tracks)]) for number in range(count)]
            server.library.add(Playlist(id_, id_[:1], entries))
        artists = list(dict.fromkeys(album.artist for album, _ in server.library.catalogue.albums))
        self.artists = [artist.id for artist in artists[: WATCHED + IN_TOPS]]
        plays = [
            play(added + timedelta(hours=number), f"t{number}", artists=(Artist(artist.name, artist.id),))
            for number, artist in enumerate(artists[WATCHED : WATCHED + IN_TOPS])
        ]
        Archive(str(folder / "archive")).write(added.date(), plays)
        keys = [*(f"playlist:{id_}" for id_ in LISTS), *(f"artist:{id_}" for id_ in self.artists[:WATCHED]), "top:10"]
        for key in keys:
            Items(str(self.state)).add(key, None, added)

    @property
    def command(self) -> list[str]:
        places = ["--archive", str(self.folder / "archive"), "--state", str(self.state)]
        into = ["--topic", self.topic.topic] if self.topic else []
        logins = ["--logins", str(self.folder / "logins")]
        return [sys.executable, "-m", "producer", "snapshot", "--once", *places, *into, *logins]

    def run_and_kill(self) -> bool:
        """Kill it a moment after one of its next requests is answered; whether it was at work still."""
        count = len(self.server.requests) + self.rng.randint(1, 8)
        process = subprocess.Popen(
            self.command, cwd=REPOSITORY, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        ends = time.monotonic() + 60
        while len(self.server.requests) < count and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.0005)
        time.sleep(self.rng.choice((0, self.rng.uniform(0, 0.03))))
        process.kill()
        return process.wait() == -9

    def run_to_the_end(self) -> None:
        subprocess.run(self.command, cwd=REPOSITORY, env=os.environ, check=True, timeout=120, stdout=subprocess.DEVNULL)

    def arrived(self) -> list[Snapshot]:
        """Every copy that reached the topic, or the archive."""
        if self.topic:
            found = [from_message(each.attributes["kind"], each.data) for each in _all(self.topic)]
            SnapshotArchive(str(self.folder / "archive")).write(found)  # as a stream would
        archive = SnapshotArchive(str(self.folder / "archive"))
        return [each for kind in KINDS for path in archive.files(kind) for each in archive.read(kind, path)]


@pytest.mark.long
@pytest.mark.parametrize("way", ["archive", "topic"])
def test_killed_at_any_time_it_loses_nothing_and_asks_nothing_twice_that_was_kept(
    way: str, spotify: Spotify, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    world = World(spotify, tmp_path, request.getfixturevalue("topic") if way == "topic" else None)
    kills = sum(world.run_and_kill() for _ in range(KILLS))
    assert kills > KILLS / 2
    world.run_to_the_end()
    world.run_to_the_end()  # which finds nothing that is due
    arrived = world.arrived()
    once = {each.identity: each for each in arrived}
    lists = Counter(each.playlist_id for each in once.values() if isinstance(each, PlaylistSnapshot))
    assert lists == LISTS
    # A second answer, of another instant, would be a second snapshot.
    assert sorted(each.artist_id for each in once.values() if isinstance(each, ArtistSnapshot)) == sorted(world.artists)
    assert len(set(arrived)) == len(once), "what was published twice is the same twice, its instant and month too"
    # An artist's two requests may have been under way, or one page, or whether a playlist is still in its state.
    asked = Counter(request.path for request in spotify.requests if request.status == 200)
    again = {path: times - 1 for path, times in asked.items() if path.startswith("/v1/artists/") and times > 1}
    pages = sum(asked[f"/v1/playlists/{id_}/items"] for id_ in LISTS) - sum(-(-count // 50) for count in LISTS.values())
    assert sum(again.values()) + pages <= 2 * kills
    assert Outbox(str(world.state), topic=None, archive=str(tmp_path / "a")).pending() == []
    assert rebuild(tmp_path) == 0
    for kind in KINDS:
        assert in_table(tmp_path, kind) == expected(once.values(), kind)


def _all(topic: Topic) -> Iterator[PubsubMessage]:
    """What is in its subscription."""
    with SubscriberClient() as client, suppress(DeadlineExceeded):
        while got := client.pull(
            subscription=topic.subscription, max_messages=1000, timeout=5, retry=None
        ).received_messages:
            client.acknowledge(subscription=topic.subscription, ack_ids=[each.ack_id for each in got])
            yield from (each.message for each in got)
