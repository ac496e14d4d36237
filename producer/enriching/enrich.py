"""``enrich``: asks each source for what is not known of the artists and songs that were heard.

Sources are asked side by side, each by one thread at its own pace, so that one that is slow or down delays no other.
Then those are asked that need what MusicBrainz has just said. Whatever is stopped goes on in the next run.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pipelines.clock import Clock, utc_now
from pipelines.failure import Failure
from pipelines.storage.snapshots import SnapshotArchive
from producer.enriching.figures import ask_covers, ask_listenbrainz
from producer.enriching.from_musicbrainz import FromMusicBrainz
from producer.enriching.from_spotify import ask_spotify
from producer.enriching.known import Known
from producer.snapshots.asker import Asker
from producer.snapshots.heard import Heard
from producer.snapshots.outbox import Outbox
from producer.sources import coverart, listenbrainz, musicbrainz
from producer.sources.polite import Polite
from producer.state.documents import Documents
from producer.state.kept import Kept

CONTACT, TOKEN = "HEAVY_ROTATION_CONTACT", "LISTENBRAINZ_TOKEN"
_URLS = {
    "MusicBrainz": ("MUSICBRAINZ_URL", musicbrainz.URL, musicbrainz.SPACING_SECONDS),
    "ListenBrainz": ("LISTENBRAINZ_URL", listenbrainz.URL, listenbrainz.SPACING_SECONDS),
    "the Cover Art Archive": ("COVER_ART_ARCHIVE_URL", coverart.URL, coverart.SPACING_SECONDS),
}
_log = logging.getLogger(__name__)


class _Stopping(Protocol):
    def wait(self, seconds: float) -> bool: ...
    def set(self) -> None: ...
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class OpenSources:
    """The open sources, for one run of so many ``seconds``."""

    musicbrainz: Polite
    listenbrainz: Polite
    coverart: Polite
    token: str | None

    @classmethod
    def of(
        cls, environment: Mapping[str, str], seconds: float, wait: Callable[[float], object]
    ) -> "OpenSources | None":
        """Those of the environment, which may name look-alikes; None where it has no contact: then they are off.

        Raises Failure for a contact that is none.
        """
        contact = environment.get(CONTACT, "").strip()
        if not contact:
            return None
        if "@" not in contact and not contact.startswith(("https://", "http://")):
            raise Failure(f"{CONTACT} is what those who run the sources see: an e-mail address, or a page of yours")
        if any(not " " <= character <= "~" for character in contact):
            raise Failure(f"{CONTACT} has a character that HTTP does not carry; write it in ASCII")

        def polite(name: str) -> Polite:
            variable, url, spacing = _URLS[name]
            return Polite(name, environment.get(variable, "").strip() or url, contact, spacing, wait, seconds=seconds)

        token = environment.get(TOKEN, "").strip() or None
        return cls(polite("MusicBrainz"), polite("ListenBrainz"), polite("the Cover Art Archive"), token)

    def close(self) -> None:
        """Close the connections."""
        for polite in (self.musicbrainz, self.listenbrainz, self.coverart):
            polite.close()


class Enriching:
    """One run, for artists and tracks as they were heard. ``asker`` and ``sources`` are None where they are off."""

    def __init__(
        self,
        heard: Heard,
        archive: str,
        state: str,
        outbox: Outbox,
        asker: Asker | None,
        sources: OpenSources | None,
        stopping: _Stopping | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._heard = heard
        self._outbox = outbox
        self._asker = asker
        self._sources = sources
        self._stopping = stopping or threading.Event()
        self._progress = Kept(Documents(state), "enriching.json")
        # What a run that was killed had asked for is known before it is on its way through a topic, to the archive.
        self._known = Known(SnapshotArchive(archive), outbox, clock)
        outbox.flush()

    def run(self) -> bool:
        """Ask, and log a line for each source; whether each of them went well. Raises Failure."""
        work: dict[str, Callable[[], str]] = {}
        if asker := self._asker:
            work["Spotify"] = lambda: ask_spotify(asker, self._heard.tracks, self._known, self._stopping.is_set)
        then: dict[str, Callable[[], str]] = {}
        if sources := self._sources:
            client = musicbrainz.MusicBrainz(sources.musicbrainz)
            brainz = FromMusicBrainz(client, self._known, self._progress, with_spotify=asker is not None)
            work["MusicBrainz"] = lambda: brainz.ask(self._heard.artists, self._heard.tracks)
            then["ListenBrainz"] = lambda: ask_listenbrainz(
                listenbrainz.ListenBrainz(sources.listenbrainz, sources.token), self._known
            )
            then["Cover Art Archive"] = lambda: ask_covers(
                coverart.CoverArtArchive(sources.coverart), self._known, self._progress
            )
        try:
            # What is known of earlier runs is enough for the others to begin, and what is new follows.
            went_well = self._side_by_side(work | then)
            return self._side_by_side(then, is_second=True) and went_well
        finally:
            self._outbox.flush()

    def _side_by_side(self, work: Mapping[str, Callable[[], str]], *, is_second: bool = False) -> bool:
        if not work:
            return True
        with ThreadPoolExecutor(len(work)) as threads:
            futures = {name: threads.submit(ask) for name, ask in work.items()}
            try:
                went_well = [_told(name, future.result, is_second=is_second) for name, future in futures.items()]
                return all(went_well)
            except BaseException:
                self._stopping.set()  # or leaving would wait for who is at work
                raise


def _told(name: str, result: Callable[[], str], *, is_second: bool) -> bool:
    """Log what came of it, of a second time only where there was something; whether it went well."""
    try:
        text = result()
        if not (is_second and ": 0 asked" in text and ";" not in text):
            _log.info("%s: %s", name, text)
    except Failure as error:
        _log.error("%s: %s", name, error)
        return False
    return True
