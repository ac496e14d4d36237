"""``enrich`` killed at any time goes on: what was answered is kept, and is not asked again."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from demo.open_sources import OpenSources as LookAlikes
from pipelines.domain.snapshots import SnapshotSource
from tests.producer.test_enriching import World, bands, sources
from tests.standins.spotify import Spotify, spotify

__all__ = ["sources", "spotify"]

REPOSITORY = Path(__file__).parents[2]
KILLS = 4


@pytest.mark.long
def test_killed_at_any_time_it_asks_nothing_twice_but_what_was_under_way(
    sources: LookAlikes, spotify: Spotify, tmp_path: Path
) -> None:
    world = World(sources, tmp_path)
    world.listen([track for _, track in bands(sources)[:8]])
    arguments = ["enrich", "--archive", world.archive, "--state", world.state, "--logins", str(tmp_path / "logins")]
    command = [sys.executable, "-m", "producer", *arguments]
    spotify.requests.clear()
    for _ in range(KILLS):
        before = len(sources.requests)
        process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 60
        while len(sources.requests) < before + 3 and time.monotonic() < ends:
            time.sleep(0.01)
        process.kill()
        process.wait()
    subprocess.run(command, cwd=REPOSITORY, env=os.environ, check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert len(world.artists(SnapshotSource.MUSICBRAINZ)) == 8
    asked = Counter(request.path for request in sources.requests if request.status == 200)
    assert asked.pop("/1/popularity/artist") >= 1
    again = {path: times - 1 for path, times in asked.items() if times > 1}
    # Of one artist at a time: by ISRC, by name, and the genres.
    assert sum(again.values()) <= 3 * KILLS
    assert max(again.values(), default=0) <= KILLS  # each may have met the same artist
    tracks = Counter(request.path for request in spotify.requests if request.path.startswith("/v1/tracks/"))
    assert max(tracks.values(), default=1) == 1
