"""Asking Spotify for more than plays: within a budget a day, behind polling, once a month for what is not given.

``STATE/asking.json`` has the requests of the day (UTC), until when Spotify asked to wait, and what it has withdrawn
from this app, with the day: told once, and asked again after a month.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.clock import Clock, utc_now
from pipelines.domain.instants import parse, rfc3339, to_the_second
from pipelines.domain.withdrawn import NAME, Withdrawn, withdrawn_of
from pipelines.failure import Failure
from producer.spotify.client import Spotify
from producer.spotify.transport import Answer, RateLimitedError
from producer.state.cursor import Cursors
from producer.state.documents import Documents
from producer.state.kept import Kept, Value

# Of all that an app in development mode gets in a day, which Spotify does not publish: 600 were seen to be too many,
# and polling every ten minutes takes 144.
REQUESTS_A_DAY = 200
_log = logging.getLogger(__name__)


class PausedError(Failure):
    """Nothing more is asked before ``until`` (UTC). Nothing is lost: what is left is asked then."""

    def __init__(self, why: str, until: datetime) -> None:
        super().__init__(f"{why}; what is left is asked from {to_the_second(until)} on")
        self.until = until


class Asker:
    """Asks with the logins there are, the first that is given an answer. Methods raise SpotifyError too."""

    def __init__(
        self,
        logins: Sequence[Spotify],
        state: str,
        client_id: str,
        *,
        per_day: int = REQUESTS_A_DAY,
        clock: Clock = utc_now,
    ) -> None:
        self._logins = logins
        self._kept = Kept(Documents(state), NAME)
        self._cursors = Cursors(state)
        self._client_id = client_id
        self._per_day = per_day
        self._clock = clock

    def check_polling(self) -> None:
        """Raises PausedError where Spotify asked polling to wait: that goes first."""
        for account in self._cursors.accounts():
            retry_at = self._cursors.load(account).retry_at
            if retry_at and retry_at > self._clock():
                raise PausedError("Spotify asked polling to wait, which goes first", retry_at)

    def get(self, what: str, path: str, *, withdrawn_by: Sequence[int] = (403, 404), **query: str) -> Answer | None:
        """The answer to ``GET path``; None where it is withdrawn, which is remembered as ``what``.

        Statuses that do not mean that are given back: 403 and 404 are. Raises PausedError.
        """
        if self.is_withdrawn(what):
            return None
        answer: Answer | None = None
        for login in self._logins:
            self._count()
            try:
                answer = login.get(path, **query)
            except RateLimitedError as error:
                self._kept.change(lambda kept, error=error: kept | {"retry_at": rfc3339(error.retry_at)})  # type: ignore[misc]
                raise PausedError(str(error).partition("; ")[0], error.retry_at) from None
            if answer.status == 200:
                break
        if answer is None or answer.status not in withdrawn_by:
            return answer
        self.withdraw(what, _why(answer))
        return None

    def is_withdrawn(self, what: str) -> bool:
        """Whether this was not given to this app within the last month."""
        return any(each.what == what and self._clock() < each.asked_again_at for each in self.withdrawn())

    def withdraw(self, what: str, why: str) -> None:
        """Remember that this app is not given something, and say so, unless that is known."""
        if self.is_withdrawn(what):
            return
        now = self._clock()
        self._kept.change(
            lambda kept: (
                self._of_this_app(kept)
                | {"withdrawn": self._of_this_app(kept)["withdrawn"] | {what: {"since": rfc3339(now), "why": why}}}
            )
        )
        _log.warning("%s", Withdrawn(what, now, why))

    def withdrawn(self) -> list[Withdrawn]:
        """All that is remembered of this app."""
        return withdrawn_of(self._of_this_app(self._kept.read()))

    def _of_this_app(self, kept: Value) -> Value:
        """Another app may be given more, or less."""
        return kept if kept.get("app") == self._client_id else kept | {"app": self._client_id, "withdrawn": {}}

    def _count(self) -> None:
        """One request more. Before it is made: who is killed then has asked."""
        now = self._clock()
        paused: list[PausedError] = []

        def counted(kept: Value) -> Value:
            paused.clear()
            retry_at = parse(kept["retry_at"]) if kept.get("retry_at") else None
            # One that is further away was kept under a clock that was wrong.
            if retry_at and now < retry_at < now + timedelta(days=1, hours=1):
                paused.append(PausedError("Spotify asked to wait", retry_at))
                return kept
            day = f"{now:%Y-%m-%d}"
            asked = kept.get("asked", 0) if kept.get("day") == day else 0
            if asked >= self._per_day:
                midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
                paused.append(PausedError(f"the {self._per_day} requests of today are used up", midnight))
                return kept
            return self._of_this_app(kept) | {"day": day, "asked": asked + 1, "retry_at": None}

        self._kept.change(counted)
        if paused:
            raise paused[0]


def remembered(state: str) -> list[Withdrawn]:
    """What the state remembers as withdrawn, of the app that asked last. Raises StateError and StorageError."""
    return withdrawn_of(Kept(Documents(state), NAME).read())


def _why(answer: Answer) -> str:
    match answer.body:
        case {"error": {"message": str(message)}} if message:
            return f"{answer.status}: {message}"
    return str(answer.status)
