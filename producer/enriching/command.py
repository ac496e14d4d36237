"""What ``enrich`` does once its options are read."""

import logging
import os
import threading
from contextlib import ExitStack

from pipelines.failure import Failure
from producer.enriching.enrich import CONTACT, Enriching, OpenSources
from producer.snapshots.opening import SnapshotSettings, asker
from producer.spotify.oauth import LoginError

_log = logging.getLogger(__name__)


def enrich(settings: SnapshotSettings, seconds: float) -> bool:
    """Ask every source that is on; whether all went well. Raises Failure where none is."""
    stopping = threading.Event()
    sources = OpenSources.of(os.environ, seconds, stopping.wait)
    with ExitStack() as stack:
        asking = None
        try:
            asking = stack.enter_context(asker(settings))
        except LoginError as error:
            if sources is None:
                raise Failure(f"no source is on: {error}; or set {CONTACT}, which turns the open ones on") from None
            _log.warning("Spotify is left out: %s", error)
        if sources:
            stack.callback(sources.close)
        else:
            _log.warning(
                "MusicBrainz, ListenBrainz and the Cover Art Archive are off: set %s to an e-mail address or a page, "
                "which they want of who asks",
                CONTACT,
            )
        outbox = settings.outbox()
        heard = settings.heard()
        return Enriching(heard, settings.archive or "", settings.state, outbox, asking, sources, stopping).run()
