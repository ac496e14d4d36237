"""One run of ``enrich`` as a new process has it, of open sources alone, in a time that does not pass by itself."""

from collections.abc import Callable
from datetime import datetime

from producer.enriching.enrich import Enriching, OpenSources
from producer.snapshots.heard import Heard
from producer.snapshots.outbox import Outbox
from producer.sources.polite import Polite

NAMES = ("MusicBrainz", "ListenBrainz", "the Cover Art Archive")


class WaitingClock:
    """Waiting takes no time; whoever looks at the clock sees that it has passed."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """As an event that is never set."""
        self.now += seconds
        return False


def enrich(heard: Heard, archive: str, state: str, polite: Callable[[str], Polite], now: datetime) -> bool:
    """Whether all went well; ``polite`` makes what asks each of the sources."""
    asked = OpenSources(*map(polite, NAMES), None)
    outbox = Outbox(state, topic=None, archive=archive)
    try:
        return Enriching(heard, archive, state, outbox, None, asked, clock=lambda: now).run()
    finally:
        asked.close()
