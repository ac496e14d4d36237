"""One poll: what Spotify lists, less what was published before, to the destination; then the cursor.

The cursor moves last. Whatever happens before that, the next poll publishes again, and skips nothing. Under which
instants plays are published is kept in the cursor before: whoever publishes them again, or imports them, does it
under the same.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipelines.domain.instants import from_millis, parse, to_millis
from pipelines.domain.play import Play, UnreadableError
from pipelines.domain.spotify import from_recently_played
from producer.identity.listing import Listed, instants_of, polled_before
from producer.identity.remembered import POLLED_PLAYS, PolledPlay, TrackName
from producer.polling.publishing import Destination, Reject
from producer.spotify.client import LISTED_AT_MOST
from producer.state.cursor import Cursor, Cursors, StoredCursor
from producer.state.gaps import Gap

# Four times what Spotify lists at once: an instant that has left it stays known for a while, in case that one
# listing was incomplete.
_KNOWN_INSTANTS = 4 * LISTED_AT_MOST
# An end may be that much before the instant that the API gives: account data has whole minutes.
_MARGIN_MS = 120_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll did. ``repeated`` plays were known; ``cursor`` is the account's from now on."""

    listed: int
    published: int
    repeated: int
    rejected: int
    cursor: Cursor

    def __str__(self) -> str:
        """One line."""
        rejected = f", {self.rejected} of them unreadable" if self.rejected else ""
        new = self.published + self.rejected
        return f"{self.listed} listed, {new} new{rejected}, {self.published} published"


@dataclass(frozen=True, slots=True)
class _Listed:
    """What Spotify lists, read. ``instants`` (milliseconds) are all plays', ``new`` the plays that were not known yet.

    ``repeated`` counts those that were. ``rejects`` are the items that are no plays, by their digest.
    """

    count: int
    instants: set[int]
    repeated: int
    new: dict[Listed, Play]
    rejects: dict[str, Reject]
    at: datetime


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one account's list has that was not published before, and what moving its cursor needs."""

    plays: list[Play]
    rejects: list[Reject]
    account_id: str
    stored: StoredCursor
    listed: _Listed


def poll(
    items: list[Any],
    account_id: str,
    cursors: Cursors,
    destination: Destination,
    now: datetime,
    stored: StoredCursor | None = None,
) -> PollResult:
    """Publish what is new among the items that Spotify lists, then move the account's cursor.

    ``stored`` is the cursor as it was read before, if it was. Raises PublishError, StateError and StorageError;
    the cursor has not moved then.
    """
    fresh = find_fresh(items, account_id, cursors, now, stored or cursors.read(account_id))
    if fresh.plays or fresh.rejects:
        destination.publish(fresh.plays, fresh.rejects)
    return move_cursor(fresh, cursors)


def find_fresh(items: list[Any], account_id: str, cursors: Cursors, now: datetime, stored: StoredCursor) -> Fresh:
    """What is new among the items that Spotify lists, to be published; the cursor has its instants then.

    Raises StateError and StorageError.
    """
    listed = _read(items, account_id, now, stored.cursor)
    digests = set(stored.cursor.rejected)
    _, stored = cursors.change(stored, lambda cursor: _settled(cursor, listed))
    settled = stored.cursor.polled
    new = [replace(listed.new[it], played_at=_instant_of(it, settled)) for it in sorted(listed.new)]
    new_rejects = [reject for digest, reject in listed.rejects.items() if digest not in digests]
    return Fresh(new, new_rejects, account_id, stored, listed)


def move_cursor(fresh: Fresh, cursors: Cursors) -> PollResult:
    """Once all that is fresh is safe: the account's cursor says so. Raises StateError and StorageError."""
    account_id, listed, now = fresh.account_id, fresh.listed, fresh.listed.at
    before, stored = cursors.change(fresh.stored, lambda cursor: _moved(cursor, listed))
    after = stored.cursor
    for gap in after.gaps:
        if gap in before.gaps or gap.reported_at != now:
            continue  # known, or what is left of one
        _log.warning(
            "%s: %s; an export import will close it (Spotify lists no more than its last %d)",
            account_id,
            gap,
            LISTED_AT_MOST,
        )
    return PollResult(listed.count, len(fresh.plays), listed.repeated, len(fresh.rejects), after)


def _settled(cursor: Cursor, listed: _Listed) -> Cursor:
    """The cursor before a poll publishes: it has the instants of all plays that are new."""
    unsettled = [it for it in listed.new if not polled_before(it, cursor.polled)]
    if not unsettled:
        return cursor
    return replace(cursor, polled=(*cursor.polled, *instants_of(unsettled, cursor.polled, cursor.imported)))


def _instant_of(listed: Listed, settled: Sequence[PolledPlay]) -> datetime:
    play = polled_before(listed, settled)
    assert play, "every play that is new was settled"
    return from_millis(play.instant)


def _moved(cursor: Cursor, listed: _Listed) -> Cursor:
    """The cursor after a poll whose plays are all published."""
    instants = sorted({*cursor.published, *listed.instants})
    polled = tuple(sorted(cursor.polled)[-POLLED_PLAYS:])
    # Spotify no longer lists plays that are older than that many others.
    oldest = polled[0].stamp - _MARGIN_MS if len(polled) == POLLED_PLAYS else 0
    return replace(
        cursor,
        newest=instants[-1] if instants else None,
        published=tuple(instants[-_KNOWN_INSTANTS:]),
        rejected=tuple(listed.rejects),
        gaps=_gaps(cursor, listed),
        polled_at=listed.at,
        # A clock that was set back makes no negative time.
        interval=max(listed.at - cursor.polled_at, timedelta()) if cursor.polled_at else None,
        retry_at=None,
        polled=polled,
        imported=tuple(play for play in cursor.imported if play.end > oldest),
    )


def _gaps(cursor: Cursor, listed: _Listed) -> tuple[Gap, ...]:
    """Those that are left, and a new one where the list does not reach back to the newest play known.

    Spotify's list leaves nothing out between its oldest play and its newest. One that lags, or that follows one
    that was too short, may fill what was told as a gap. One that is not full should reach back to the account's
    first play, and where it does not, something is missing in it, or the newest play known has left it. An empty list
    says nothing.
    """
    if not listed.instants:
        return cursor.gaps
    first, last = from_millis(min(listed.instants)), from_millis(max(listed.instants))
    left = tuple(part for gap in cursor.gaps for part in gap.around(first, last))
    newest = None if cursor.newest is None else from_millis(cursor.newest)
    if newest is None or first <= newest:
        return left
    return (*left, Gap(newest, first, listed.at, is_doubtful=listed.count < LISTED_AT_MOST))


def _read(items: list[Any], account_id: str, now: datetime, cursor: Cursor) -> _Listed:
    """Of an item that was published only the instant and the track's id are read: mostly it is all of them, and the
    rest costs the most.
    """
    published = set(cursor.published)
    instants: set[int] = set()
    new: dict[Listed, Play] = {}
    rejects: dict[str, Reject] = {}
    repeated = 0
    for item in items:
        instant = _played_at(item)
        # Two tracks can have one instant, and be listed one after the other. What is remembered of older plays is
        # their instant only.
        there = [play for play in cursor.polled if play.stamp == instant] if instant in published else []
        if instant in published and (not there or _track_id(item) in {play.track.id for play in there}):
            instants.add(instant)
            repeated += 1
            continue
        try:
            play = from_recently_played(account_id, item, now)
        except UnreadableError as error:
            if there:
                repeated += 1  # of what was published, as far as it can be told
                continue
            reject = Reject(account_id, item, str(error), now)
            rejects[reject.digest] = reject
            continue
        listed = to_millis(play.played_at), TrackName.of(play)
        instants.add(listed[0])
        if polled_before(listed, there) or listed in new:
            repeated += 1
        else:
            new[listed] = play
    return _Listed(len(items), instants, repeated, new, rejects, now)


def _played_at(item: Any) -> int | None:
    """Milliseconds since 1970; None where the item says nothing that can be read."""
    match item:
        case {"played_at": str(text)}:
            with suppress(ValueError, OverflowError):
                return to_millis(parse(text))
    return None


def _track_id(item: Any) -> str | None:
    match item:
        case {"track": {"id": str(track_id)}}:
            return track_id
    return None
