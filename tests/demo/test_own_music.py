"""A demonstration of somebody's own export plays on from that person's songs."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from demo.catalogue import Track
from demo.listener import Listener
from demo.own_music import own_catalogue
from pipelines.domain.play import Artist
from pipelines.storage.archive import Archive
from tests.builders import play

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_every_track_is_one_that_was_heard_and_favourites_stay_favourites(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    heard = [("often", "One")] * 30 + [("seldom", "Two")] + [("names:x", "Three")] * 5
    some = [
        play(f"2026-05-02T08:00:{at:02}Z", song, track_name=f"Track {song}", album_name=name, artists=(Artist(name),))
        for at, (song, name) in enumerate(heard)
    ]
    archive.write(date(2026, 5, 1), some)
    catalogue = own_catalogue(archive)
    assert catalogue
    played = [listen.what for listen in Listener(1, catalogue).listens(NOW - timedelta(days=5), NOW)]
    names = [what.name for what in played if isinstance(what, Track)]
    assert len(names) == len(played) > 50
    assert set(names) == {"Track often", "Track seldom", "Track names:x"}
    assert names.count("Track often") > 2 * names.count("Track seldom")
    assert {what.id for what in played} >= {"often", "seldom"}
    assert not any(str(what.id).startswith("names:") for what in played)


def test_an_archive_without_plays_has_no_catalogue(tmp_path: Path) -> None:
    assert own_catalogue(Archive(str(tmp_path))) is None
