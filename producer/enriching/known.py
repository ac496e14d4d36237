"""What sources said before, or did not know: the archive has it, so that it is asked for once."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pipelines.clock import Clock
from pipelines.domain.snapshots import ArtistSnapshot, Snapshot, SnapshotSource, TrackSnapshot
from pipelines.storage.snapshots import SnapshotArchive
from producer.snapshots.heard import HeardArtist, HeardTrack
from producer.snapshots.outbox import Outbox
from producer.sources.polite import EndedError, SourceError

_log = logging.getLogger(__name__)


class Known:
    """The latest snapshot of each artist and track by each source; new ones go to the outbox. For any threads."""

    def __init__(self, archive: SnapshotArchive, outbox: Outbox, clock: Clock) -> None:
        """Reads the archive, and what it is still to get. Raises StorageError and StateError."""
        self.clock = clock
        self._outbox = outbox
        self._lock = threading.Lock()
        self._artists: dict[tuple[str, SnapshotSource], ArtistSnapshot] = {}
        self._tracks: dict[tuple[str, SnapshotSource], TrackSnapshot] = {}
        for kind in (ArtistSnapshot.kind, TrackSnapshot.kind):
            for path in archive.files(kind):
                self._take(archive.read(kind, path))
        self._take(outbox.pending())

    def put(self, snapshots: list[Any]) -> None:
        """Keep what a source said. Raises what ``Outbox.put`` raises."""
        self._outbox.put(snapshots)
        with self._lock:
            self._take(snapshots)

    def artist(self, artist_id: str, source: SnapshotSource) -> ArtistSnapshot | None:
        """The latest, which may say that the source does not know the artist."""
        return self._artists.get((artist_id, source))

    def track(self, track_id: str, source: SnapshotSource) -> TrackSnapshot | None:
        """The same of a track."""
        return self._tracks.get((track_id, source))

    def artists_of(self, source: SnapshotSource) -> list[ArtistSnapshot]:
        """All artists that a source knows."""
        with self._lock:
            return [each for (_, of), each in self._artists.items() if of is source and each.found]

    def without_mbid(self, artists: Iterable[HeardArtist]) -> list[HeardArtist]:
        """The artists that MusicBrainz was not asked about."""
        return [artist for artist in artists if not self.artist(artist.id, SnapshotSource.MUSICBRAINZ)]

    def filled(self, track: HeardTrack) -> HeardTrack:
        """The track with what sources said since it was heard."""
        said = [each for source in SnapshotSource if (each := self.track(track.id, source)) and each.found]
        return replace(
            track,
            isrc=track.isrc or next((each.isrc for each in said if each.isrc), None),
            duration_ms=track.duration_ms or next((each.duration_ms for each in said if each.duration_ms), None),
            has_cover=track.has_cover or any(each.album_image_url for each in said),
        )

    def _take(self, snapshots: Iterable[Snapshot]) -> None:
        for each in snapshots:
            match each:
                case ArtistSnapshot():
                    _keep_latest(self._artists, (each.artist_id, each.source), each)
                case TrackSnapshot():
                    _keep_latest(self._tracks, (each.track_id, each.source), each)


def cut_short(told: str, error: SourceError) -> str:
    """What to say of a source that did not come to its end; what is wrong with it is a warning, its time is not."""
    if isinstance(error, EndedError):
        return f"{told}; {error}"
    _log.warning("%s", error)
    return told


def _keep_latest(known: dict[Any, Any], key: object, snapshot: Any) -> None:
    if key not in known or known[key].taken_at <= snapshot.taken_at:
        known[key] = snapshot
