"""Spotify's covers, durations and ISRCs of songs that only an export named, within the budget."""

from collections.abc import Callable, Iterable
from typing import Any

from pipelines.domain.play import UnreadableError
from pipelines.domain.snapshots import SnapshotSource, TrackSnapshot
from pipelines.domain.song import is_synthetic
from pipelines.domain.spotify_items import track_snapshot
from pipelines.domain.withdrawn import FEATURES
from producer.enriching.known import Known
from producer.snapshots.asker import Asker, PausedError
from producer.snapshots.heard import HeardTrack


def ask_spotify(asker: Asker, tracks: Iterable[HeardTrack], known: Known, is_stopping: Callable[[], bool]) -> str:
    """Ask about the tracks that lack something, once each; of those in top tens audio features too. What to say of it.

    Raises SpotifyError, and what keeping snapshots raises.
    """
    asked = found = 0
    try:
        asker.check_polling()
        for track in tracks:
            wants_features = track.in_top and not asker.is_withdrawn(FEATURES)
            if is_synthetic(track.id) or not (track.lacks or wants_features):
                continue
            if known.track(track.id, SnapshotSource.SPOTIFY):
                continue
            if is_stopping():
                break
            answer = asker.get("tracks", f"/v1/tracks/{track.id}", withdrawn_by=(403,))
            if answer is None:
                return "Spotify gives this app no tracks"
            features = asker.get(FEATURES, f"/v1/audio-features/{track.id}") if wants_features else None
            snapshot = _read(track, answer, features.body if features else None, known)
            known.put([snapshot])
            asked, found = asked + 1, found + snapshot.found
    except PausedError as paused:
        return f"tracks: {asked:,} asked, {found:,} found; {paused}"
    return f"tracks: {asked:,} asked, {found:,} found"


def _read(track: HeardTrack, answer: Any, features: Any, known: Known) -> TrackSnapshot:
    now = known.clock()
    if answer.status == 200:
        try:
            return track_snapshot(track.id, answer.body, features, now)
        except UnreadableError:  # it would be so the next time
            pass
    return TrackSnapshot(track_id=track.id, source=SnapshotSource.SPOTIFY, taken_at=now, found=False)
