"""One poll: what Spotify lists, less what was published before, to the destination; then the cursor.

The cursor moves last. Whatever happens before that, the next poll publishes again, and skips nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.play import Play, UnreadableError
from pipelines.domain.spotify import from_recently_played
from producer.cursor import Cursor, Cursors
from producer.publishing import Destination, Reject
from producer.spotify import LISTED_AT_MOST

# Four times what Spotify lists at once: an instant that has left it stays known for a while, in case that one
# listing was incomplete.
_KNOWN_INSTANTS = 4 * LISTED_AT_MOST
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll did. ``gap``: between these instants at least one play may be missing."""

    listed: int
    published: int
    rejected: int
    gap: tuple[datetime, datetime] | None

    def __str__(self) -> str:
        """One line."""
        rejected = f", {self.rejected} of them unreadable" if self.rejected else ""
        new = self.published + self.rejected
        return f"{self.listed} listed, {new} new{rejected}, {self.published} published"


def poll(items: list[Any], account_id: str, cursors: Cursors, destination: Destination, now: datetime) -> Polled:
    """Publish what is new among the items that Spotify lists, then move the account's cursor.

    Raises PublishError, StateError and StorageError; the cursor has not moved then.
    """
    cursor = cursors.load(account_id)
    plays, rejects = _read(items, account_id, now)
    known = set(cursor.published)
    new = [play for instant, play in sorted(plays.items()) if instant not in known]
    new_rejects = [reject for digest, reject in rejects.items() if digest not in cursor.rejected]
    gap = _gap(items, plays, cursor)
    if gap:
        _log.warning(
            "at least one play may be missing between %s and %s: Spotify lists no more than its last %d; "
            "importing an export will close the gap",
            *map(_to_the_second, gap),
            LISTED_AT_MOST,
        )
    if new or new_rejects:
        destination.publish(new, new_rejects)
    known |= plays.keys()
    moved = Cursor(account_id, max(known, default=None), tuple(sorted(known)[-_KNOWN_INSTANTS:]), tuple(rejects))
    if moved != cursor:
        cursors.save(moved)
    return Polled(len(items), len(new), len(new_rejects), gap)


def _read(items: list[Any], account_id: str, now: datetime) -> tuple[dict[int, Play], dict[str, Reject]]:
    """Plays by their instant in milliseconds, and by their digest the items that are none."""
    plays: dict[int, Play] = {}
    rejects: dict[str, Reject] = {}
    for item in items:
        try:
            play = from_recently_played(account_id, item, now)
        except UnreadableError as error:
            reject = Reject(account_id, item, str(error), now)
            rejects[reject.digest] = reject
        else:
            plays.setdefault(to_millis(play.played_at), play)
    return plays, rejects


def _gap(items: list[Any], plays: dict[int, Play], cursor: Cursor) -> tuple[datetime, datetime] | None:
    """Between the newest play known and the oldest listed, if the list is full and does not reach back so far."""
    if cursor.newest is None or len(items) < LISTED_AT_MOST or not plays or min(plays) <= cursor.newest:
        return None
    return from_millis(cursor.newest), from_millis(min(plays))


def _to_the_second(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
