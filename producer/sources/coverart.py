"""The Cover Art Archive: where the front of a release is. https://musicbrainz.org/doc/Cover_Art_Archive/API

Terms: none on asking beyond politeness; the pictures are their owners', so a link is kept, and no picture.
"""

from producer.sources.polite import Polite, SourceError

URL = "https://coverartarchive.org"
SPACING_SECONDS = 0.5


class CoverArtArchive:
    """The archive. Methods raise SourceError, and EndedError where the run ends."""

    def __init__(self, polite: Polite) -> None:
        self._polite = polite

    def front_of(self, release_id: str) -> str | None:
        """The link of a release's front, 500 pixels wide; None where it has none. ``release_id`` is MusicBrainz's."""
        path = f"/release/{release_id}/front-500"
        reply = self._polite.ask("HEAD", path)
        if reply.status in (200, 302, 307):  # it leads to where the picture is today
            return URL + path
        if reply.status in (400, 404):
            return None
        raise SourceError(f"the Cover Art Archive answered {reply.status}; the next run goes on")
