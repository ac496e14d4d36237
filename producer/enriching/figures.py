"""ListenBrainz's listeners and listens of artists, once a week, and covers of the Cover Art Archive by link."""

from datetime import timedelta

from pipelines.domain.snapshots import ArtistSnapshot, MatchedBy, SnapshotSource, TrackSnapshot
from producer.enriching.known import Known, cut_short
from producer.sources.coverart import CoverArtArchive
from producer.sources.listenbrainz import ARTISTS_AT_ONCE, ListenBrainz
from producer.sources.polite import SourceError
from producer.state.kept import Kept

# It has no history: figures over time are those that were asked for.
EVERY = timedelta(days=7)


def ask_listenbrainz(client: ListenBrainz, known: Known) -> str:
    """Ask about the artists that MusicBrainz knows and whose figures are a week old. Raises no SourceError."""
    now = known.clock()
    due: dict[str, list[str]] = {}
    for artist in known.artists_of(SnapshotSource.MUSICBRAINZ):
        last = known.artist(artist.artist_id, SnapshotSource.LISTENBRAINZ)
        # An hour less, so that a job of every week is not late by a week.
        if artist.source_id and not (last and timedelta() <= now - last.taken_at < EVERY - timedelta(hours=1)):
            due.setdefault(artist.source_id, []).append(artist.artist_id)
    asked = found = 0
    mbids = list(due)
    try:
        for begin in range(0, len(mbids), ARTISTS_AT_ONCE):
            some = mbids[begin : begin + ARTISTS_AT_ONCE]
            figures = client.popularity(some)
            known.put([_figures(id_, mbid, figures.get(mbid), known) for mbid in some for id_ in due[mbid]])
            asked, found = asked + len(some), found + len(figures)
    except SourceError as error:
        return cut_short(f"artists: {asked:,} asked, {found:,} found", error)
    return f"artists: {asked:,} asked, {found:,} found"


def _figures(artist_id: str, mbid: str, figures: tuple[int, int] | None, known: Known) -> ArtistSnapshot:
    listeners, listens = figures or (None, None)
    return ArtistSnapshot(
        artist_id=artist_id,
        source=SnapshotSource.LISTENBRAINZ,
        taken_at=known.clock(),
        found=figures is not None,
        source_id=mbid if figures else None,
        matched_by=MatchedBy.ID if figures else None,
        listeners=listeners,
        listens=listens,
    )


def ask_covers(client: CoverArtArchive, known: Known, progress: Kept) -> str:
    """Ask for the fronts of releases that MusicBrainz named. Raises no SourceError."""
    asked = found = 0
    covers: dict[str, str] = progress.read().get("covers", {})
    try:
        for track_id, release_id in covers.items():
            if not known.track(track_id, SnapshotSource.COVER_ART_ARCHIVE):
                url = client.front_of(release_id)
                asked, found = asked + 1, found + (url is not None)
                known.put([_cover(track_id, release_id, url, known)])
            progress.change(
                lambda kept, done=track_id: (
                    kept  # type: ignore[misc]
                    | {"covers": {id_: of for id_, of in kept.get("covers", {}).items() if id_ != done}}
                )
            )
    except SourceError as error:
        return cut_short(f"covers: {asked:,} asked, {found:,} found", error)
    return f"covers: {asked:,} asked, {found:,} found"


def _cover(track_id: str, release_id: str, url: str | None, known: Known) -> TrackSnapshot:
    return TrackSnapshot(
        track_id=track_id,
        source=SnapshotSource.COVER_ART_ARCHIVE,
        taken_at=known.clock(),
        found=url is not None,
        source_id=release_id if url else None,
        matched_by=MatchedBy.ID if url else None,
        album_image_url=url,
    )
