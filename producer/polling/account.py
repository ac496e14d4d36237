"""One account that is polled: a poll from asking Spotify to the cursor, and what to log of it."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pipelines.clock import Clock, utc_now
from pipelines.domain.instants import to_the_second
from pipelines.domain.play import Play
from pipelines.failure import Failure
from producer.accounts.login import LoggedOutError, Login, days_left, ending_soon
from producer.polling.poll import Fresh, PollResult, find_fresh, move_cursor
from producer.polling.publishing import Destination, Reject
from producer.spotify.client import Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import RateLimitedError
from producer.state.cursor import Cursor, Cursors, StoredCursor

# Spotify's limits end within a day.
_LONGEST_WAIT = timedelta(days=1, hours=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one poll. ``account`` is None where it is not known whose login it is.

    ``trouble`` is None if the poll went well. ``retry_at`` is when Spotify may be asked again; ``needs_person``
    says that waiting alone changes nothing, ``is_over`` that the account has been logged out and is polled no more.
    ``fields`` are the metrics, as docs/producer.md lists them.
    """

    account: str | None
    text: str
    trouble: str | None = None
    retry_at: datetime | None = None
    needs_person: bool = False
    is_over: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What Spotify answered in a turn: the cursor as it was read before, and what is to be published."""

    now: datetime
    stored: StoredCursor
    fresh: Fresh

    @property
    def plays(self) -> list[Play]:
        """Those that are new."""
        return self.fresh.plays

    @property
    def rejects(self) -> list[Reject]:
        """Those that are new."""
        return self.fresh.rejects


class Account:
    """A login that is polled, by one thread at a time."""

    def __init__(
        self, login: Login, spotify: Spotify, cursors: Cursors, destination: Destination, clock: Clock = utc_now
    ) -> None:
        self._login = login
        self._spotify = spotify
        self._cursors = cursors
        self._destination = destination
        self._clock = clock

    @property
    def id(self) -> str | None:
        """The account's id, None until Spotify said it."""
        return self._login.account_id

    def poll(self) -> Outcome:
        """Poll the account, and say what came of it. Never raises an Exception."""
        asked = self.ask()
        if isinstance(asked, Outcome):
            return asked
        try:
            if asked.plays or asked.rejects:
                self._destination.publish(asked.plays, asked.rejects)
        except Exception as error:
            return self.finish(asked, error)
        return self.finish(asked)

    def ask(self) -> "Asked | Outcome":
        """The first half of a poll, after which something may be left to publish. Never raises an Exception."""
        now = self._clock()
        stored: StoredCursor | None = None
        try:
            account_id = self._account_id()
            stored = self._cursors.read(account_id)
            if not stored.is_there:
                self._login.check_there()  # or what has just been forgotten is polled as if it were new
            retry_at = stored.cursor.retry_at
            # One that is further away was kept under a clock that was wrong.
            if retry_at and now < retry_at < now + _LONGEST_WAIT:
                return self._failed(stored, now, f"Spotify asked to wait until {to_the_second(retry_at)}", retry_at)
            fresh = find_fresh(self._spotify.recently_played(), account_id, self._cursors, now, stored)
        except Exception as error:
            return self._trouble(stored, now, error)
        return Asked(now, stored, fresh)

    def finish(self, asked: "Asked", trouble: Exception | None = None) -> Outcome:
        """The second half: what was asked for is published, or ``trouble`` came of it. Never raises an Exception."""
        if trouble:
            return self._trouble(asked.stored, asked.now, trouble)
        try:
            result = move_cursor(asked.fresh, self._cursors)
        except Exception as error:
            return self._trouble(asked.stored, asked.now, error)
        self._warn_of_the_end(asked.stored.cursor, asked.now)
        fields = self._fields(result.cursor, asked.now, result)
        return Outcome(self.id, f"{asked.fresh.account_id}: {result}", fields=fields)

    def _trouble(self, stored: StoredCursor | None, now: datetime, error: Exception) -> Outcome:
        match error:
            case RateLimitedError():
                self._remember(stored, error.retry_at)
                return self._failed(stored, now, str(error), error.retry_at)
            case LoggedOutError():
                return Outcome(self.id, f"{self.id}: {error}", is_over=True)
            case Failure():
                return self._failed(stored, now, str(error), needs_person=isinstance(error, LoginError))
            case _:
                # Whatever it is, the other accounts go on, and so does this one.
                _log.error("%s: a bug in the producer; the next poll tries again", self.id, exc_info=error)
                return self._failed(stored, now, "a bug in the producer")

    def _account_id(self) -> str:
        account_id = self._login.account_id
        if account_id is None:
            account_id = self._spotify.account_id()
            self._login.keep_account(account_id)
        return account_id

    def _remember(self, stored: StoredCursor | None, retry_at: datetime) -> None:
        """For the next process: a scheduler starts a new one every few minutes."""
        if stored is None:
            return
        try:
            self._cursors.change(stored, lambda cursor: replace(cursor, retry_at=retry_at))
        except Failure as error:
            _log.warning("%s: %s", self.id, error)

    def _warn_of_the_end(self, before: Cursor, now: datetime) -> None:
        """Once a day, with the first poll of the day (UTC) that goes well."""
        is_first_today = before.polled_at is None or before.polled_at.date() < now.date()
        if is_first_today and (warning := ending_soon(self._login, now)):
            _log.warning("%s: %s", self.id, warning)

    def _failed(
        self,
        stored: StoredCursor | None,
        now: datetime,
        why: str,
        retry_at: datetime | None = None,
        *,
        needs_person: bool = False,
    ) -> Outcome:
        text = why if self.id is None else f"{self.id}: {why}"
        fields = self._fields(stored.cursor if stored else None, now, None)
        return Outcome(self.id, text, why, retry_at, needs_person, fields=fields)

    def _fields(self, cursor: Cursor | None, now: datetime, result: PollResult | None) -> dict[str, Any]:
        """Null is what is not known. Durations are in seconds."""
        success = cursor.polled_at if cursor else None
        return {
            "event": "poll",
            "ok": result is not None,
            "plays_fetched": result.listed if result else 0,
            "plays_published": result.published if result else 0,
            "plays_repeated": result.repeated if result else 0,
            "plays_rejected": result.rejected if result else 0,
            "gaps_open": len(cursor.gaps) if cursor else None,
            "seconds_since_success": success and (now - success).total_seconds(),
            "token_days_left": days_left(self._login, now),
            "interval": cursor.interval.total_seconds() if cursor and cursor.interval is not None else None,
        }
