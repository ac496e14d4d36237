"""What Spotify does not give this app, as the producer's state remembers it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.domain.instants import parse
from pipelines.storage.files import StorageError, storage_of

FEATURES = "audio features of tracks"
_ASKED_AGAIN_AFTER = timedelta(days=30)


@dataclass(frozen=True)
class Withdrawn:
    """Since when that is known, and when it is asked for again (UTC); in Spotify's words why."""

    since: datetime
    asked_again_at: datetime
    why: str


def withdrawn_of(state: str | None, what: str) -> Withdrawn | None:
    """Of one thing; None where it is given, or where that is not known."""
    if state is None:
        return None
    path = f"{state.rstrip('/')}/asking.json"
    try:
        kept: dict[str, Any] = json.loads(storage_of(path).read(path).data)["withdrawn"][what]
        since = parse(kept["since"])
        return Withdrawn(since, since + _ASKED_AGAIN_AFTER, str(kept["why"]))
    except (StorageError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
