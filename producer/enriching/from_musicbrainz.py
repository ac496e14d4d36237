"""MusicBrainz: which artist it is, and the artist's genres; which recording a track is that still lacks something.

An artist by the link to Spotify where there is one, else among those credited for a song's ISRC, else by exactly the
name. ``STATE/enriching.json`` has what was found out on the way, so that no run asks it again: artists by link, and
releases whose cover is still to be asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pipelines.domain.play import Artist
from pipelines.domain.snapshots import ArtistSnapshot, MatchedBy, SnapshotSource, TrackSnapshot
from pipelines.domain.song import UNKNOWN_NAME, is_synthetic
from producer.enriching.known import Known, cut_short
from producer.snapshots.heard import HeardArtist, HeardTrack
from producer.sources.musicbrainz import LINKS_AT_ONCE, MusicBrainz, Recording, SearchBusyError
from producer.sources.polite import SourceError
from producer.state.kept import Kept

_SOURCE = SnapshotSource.MUSICBRAINZ


class FromMusicBrainz:
    """One run. ``links`` of ``progress`` are artists (MBID) by Spotify's id, null for who is not linked."""

    def __init__(self, client: MusicBrainz, known: Known, progress: Kept, *, with_spotify: bool) -> None:
        """With Spotify, a track that has an id there is asked for there first."""
        self._with_spotify = with_spotify
        self._client = client
        self._known = known
        self._progress = progress
        self._is_search_busy = False
        self.asked = self.found = 0

    def ask(self, artists: Iterable[HeardArtist], tracks: Iterable[HeardTrack]) -> str:
        """Ask about all that was not asked before: artists first. What to say of it; raises no SourceError."""
        told = ""
        try:
            for some in _batches(self._known.without_mbid(artists), LINKS_AT_ONCE):
                links = self._links(some)
                for artist in some:
                    self._artist(artist, links.get(artist.id))
            told = f"{self._told('artists')}; "
            self.asked = self.found = 0
            for track in tracks:
                self._track(track)
            told += self._told("tracks")
        except SourceError as error:
            return cut_short(told + self._told("tracks" if told else "artists"), error)
        return told + ("; its search is too busy, whoever asks: the next run searches" if self._is_search_busy else "")

    def _told(self, what: str) -> str:
        return f"{what}: {self.asked:,} asked, {self.found:,} found"

    def _links(self, artists: Sequence[HeardArtist]) -> dict[str, str]:
        ids = [artist.id for artist in artists if not is_synthetic(artist.id)]
        kept: dict[str, str | None] = self._progress.read().get("links", {})
        if left := [id_ for id_ in ids if id_ not in kept]:
            found = self._client.artists_of_links(left)
            kept = {id_: kept.get(id_, found.get(id_)) for id_ in ids}
            # Those of an earlier batch have their snapshots by now, or need a search.
            self._progress.change(lambda progress: progress | {"links": kept})
        return {id_: mbid for id_, mbid in kept.items() if mbid}

    def _artist(self, artist: HeardArtist, linked: str | None) -> None:
        mbid, by = linked, MatchedBy.SPOTIFY_LINK
        if mbid is None and artist.isrc:
            mbid, by = self._client.artist_of_isrc(artist.isrc, artist.name), MatchedBy.ISRC
        if mbid is None:
            if self._is_search_busy:
                return  # not known yet
            try:
                mbid, by = self._client.artist_named(artist.name), MatchedBy.NAME
            except SearchBusyError:
                self._is_search_busy = True
                return
        about = self._client.artist(mbid) if mbid else None
        self.asked += 1
        snapshot = ArtistSnapshot(artist_id=artist.id, source=_SOURCE, taken_at=self._known.clock(), found=False)
        if about:
            self.found += 1
            snapshot = ArtistSnapshot(
                artist_id=artist.id,
                source=_SOURCE,
                taken_at=self._known.clock(),
                found=True,
                source_id=about[0],
                matched_by=by,
                name=about[1] or artist.name,
                genres=about[2],
            )
        self._known.put([snapshot])

    def _track(self, heard: HeardTrack) -> None:
        """Where Spotify was asked or cannot be: a track of names, or one that still lacks something."""
        track = self._known.filled(heard)
        is_asked_there = (
            not self._with_spotify or is_synthetic(track.id) or self._known.track(track.id, SnapshotSource.SPOTIFY)
        )
        if not track.lacks or not is_asked_there or self._known.track(track.id, _SOURCE):
            return
        by, recording = MatchedBy.ISRC, self._client.recording_of_isrc(track.isrc) if track.isrc else None
        if recording is None and track.artist_name and track.name != UNKNOWN_NAME:
            if self._is_search_busy:
                return
            try:
                recording = self._client.recording_named(track.name, track.artist_name, track.duration_ms)
                by = MatchedBy.NAME
            except SearchBusyError:
                self._is_search_busy = True
                return
        self.asked += 1
        self.found += recording is not None
        if recording and recording.release_id and not track.has_cover:
            release_id = recording.release_id
            self._progress.change(
                lambda progress: progress | {"covers": progress.get("covers", {}) | {track.id: release_id}}
            )
        self._known.put([_snapshot(track, recording, by, self._known)])


def _snapshot(track: HeardTrack, recording: Recording | None, by: MatchedBy, known: Known) -> TrackSnapshot:
    if recording is None:
        return TrackSnapshot(track_id=track.id, source=_SOURCE, taken_at=known.clock(), found=False)
    return TrackSnapshot(
        track_id=track.id,
        source=_SOURCE,
        taken_at=known.clock(),
        found=True,
        source_id=recording.id,
        matched_by=by,
        name=recording.title,
        artists=(Artist(track.artist_name),) if track.artist_name else (),
        album_name=recording.release_title,
        album_release_date=recording.release_date,
        duration_ms=recording.length_ms,
        isrc=recording.isrc,
    )


def _batches(artists: Iterable[HeardArtist], size: int) -> Iterator[list[HeardArtist]]:
    left = iter(artists)
    while some := list(islice(left, size)):
        yield some
