"""Snapshots published to a topic arrive with their kind, at once, and nothing is left on the way."""

from pathlib import Path

import pytest

from pipelines.domain.snapshots import from_message
from producer.polling.publishing import PublishError
from producer.snapshots.outbox import Outbox
from tests.commands import Run, run
from tests.producer.test_publishing import Topic, topic
from tests.producer.test_watching import LIST, playlist
from tests.snapshots import artist
from tests.standins.spotify import Spotify, spotify

__all__ = ["run", "spotify", "topic"]


def test_to_a_topic(spotify: Spotify, run: Run, tmp_path: Path, topic: Topic) -> None:
    playlist(spotify, 3)
    artist = spotify.library.catalogue.albums[0][0].artist
    places = ("--state", tmp_path / "state")
    run("watch", "add", f"playlist:{LIST}", f"artist:{artist.id}", *places)
    ran = run("snapshot", "--once", "--topic", topic.name, "--logins", tmp_path / "logins", *places)
    assert ran.code == 0, ran.err
    messages = topic.messages(4)
    assert sorted(message.attributes["kind"] for message in messages) == ["artist_snapshot", *["playlist_snapshot"] * 3]
    for message in messages:
        snapshot = from_message(message.attributes["kind"], message.data)
        assert message.attributes["source"] == "SPOTIFY"
        assert message.attributes["played_at"].endswith("Z"), "the stream takes a message's time from it"
        assert snapshot.to_message() == (message.data, dict(message.attributes))
    assert Outbox(str(tmp_path / "state"), topic=None, archive=str(tmp_path / "a")).pending() == []
    assert not (tmp_path / "a").exists()


def test_what_a_topic_does_not_take_is_kept_until_one_does(tmp_path: Path, topic: Topic) -> None:
    state = str(tmp_path / "state")
    nowhere = Outbox(state, topic=f"{topic.name}-that-is-not-there", archive=None)
    nowhere.put([artist("first")])
    with pytest.raises(PublishError, match="there is no projects/p/topics/"):
        nowhere.put([artist("second")])
    assert nowhere.pending() == [artist("first"), artist("second")]
    Outbox(state, topic=topic.name, archive=None).flush()
    arrived = {from_message(message.attributes["kind"], message.data) for message in topic.messages(2)}
    assert arrived == {artist("first"), artist("second")}
    assert nowhere.pending() == []
