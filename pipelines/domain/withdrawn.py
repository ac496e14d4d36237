"""What Spotify does not give an app, as the state remembers it: told once, and asked for again after a month."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.domain.instants import parse

# The document of the producer's state that has it.
NAME = "asking.json"
FEATURES = "audio features of tracks"
_ASKED_AGAIN_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What it is, since when that is known (UTC), and in Spotify's words why."""

    what: str
    since: datetime
    why: str

    @property
    def asked_again_at(self) -> datetime:
        """It may be given again, and is asked for from then on."""
        return self.since + _ASKED_AGAIN_AFTER

    def __str__(self) -> str:
        """One line."""
        return (
            f"Spotify does not give this app {self.what} ({self.why}, {self.since:%Y-%m-%d}); it is asked for again "
            f"from {self.asked_again_at:%Y-%m-%d} on"
        )


def withdrawn_of(kept: Mapping[str, Any]) -> list[Withdrawn]:
    """What the document says is withdrawn, in the order of its texts."""
    found: dict[str, Any] = kept.get("withdrawn", {})
    return [Withdrawn(what, parse(of["since"]), of["why"]) for what, of in sorted(found.items())]
