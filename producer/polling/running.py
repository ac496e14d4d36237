"""What ``poll`` does once its options are read: everybody once, or a service until it is told to stop."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipelines.command import stopped_like_ctrl_c
from pipelines.domain.durations import duration_text
from pipelines.domain.month import Calendar
from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from producer.accounts.grant import LoginStore
from producer.accounts.login import logins_of
from producer.accounts.stores import logins_option, store_of
from producer.polling.account import Account, Outcome
from producer.polling.publishing import ArchiveDestination, Destination, TopicDestination, move_rejects
from producer.polling.service import FIFTY_PLAYS, LONGEST_SAFE_INTERVAL, THREADS, Service, poll_once, poll_together
from producer.polling.tables import Tables, TablesFollow
from producer.private_files import StateError
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import Transport
from producer.state.cursor import Cursors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PollSettings:
    """Whom to poll, and where plays and state go: ``topic`` or ``archive``, and folders or ``gs://`` addresses.

    With a topic, ``archive`` only says which one the topic's stream writes, so that imports into it close gaps.
    ``environment_state`` is the folder for what becomes of a login in the environment.
    """

    topic: str | None
    archive: str | None
    calendar: Calendar
    state: str
    logins: str
    environment_state: Path


def once(settings: PollSettings) -> bool:
    """Poll every account once and log one line each; whether all went well. Raises Failure."""
    with _accounts(settings, threading.Event()) as accounts:
        found = accounts.new()
        if not found:
            raise LoginError(accounts.nobody)
        if settings.topic is None:
            return poll_together(found, accounts.report, accounts.into)
        return poll_once(found, accounts.report)


def every(settings: PollSettings, interval: timedelta, warehouse: str | None = None) -> None:
    """Poll every account at this interval until SIGTERM or Ctrl-C; ends within ten seconds of it.

    Accounts that log in meanwhile are polled too. A ``warehouse`` follows the archive. Raises Failure.
    """
    if interval > LONGEST_SAFE_INTERVAL:
        _log.warning(
            "every %s is too rare to be safe: Spotify lists the last 50 plays only, and 50 plays take at least "
            "%d minutes; poll every %d minutes or more often",
            duration_text(interval),
            FIFTY_PLAYS.total_seconds() // 60,
            LONGEST_SAFE_INTERVAL.total_seconds() // 60,
        )
    stopping = threading.Event()
    following = _follow(settings, warehouse)
    with _accounts(settings, stopping) as accounts, stopped_like_ctrl_c(), following or nullcontext():

        def report(account: Account, outcome: Outcome) -> None:
            accounts.report(account, outcome)
            if following and (outcome.fields.get("plays_published") or outcome.fields.get("plays_rejected")):
                following.found()

        service = Service(interval, report)
        try:
            _go_on(accounts, service, interval)
        except KeyboardInterrupt:
            _log.info("stopping")
        finally:
            stopping.set()
            unfinished = service.stop()
    match unfinished:
        case 0:
            _log.info("stopped")
        case 1:
            _log.info("stopped; 1 poll was cut short, and is repeated next time")
        case _:
            _log.info("stopped; %d polls were cut short, and are repeated next time", unfinished)


def _follow(settings: PollSettings, warehouse: str | None) -> TablesFollow | None:
    return TablesFollow(Tables(settings.archive or "", warehouse, settings.calendar)) if warehouse else None


def _go_on(accounts: "_Accounts", service: Service, interval: timedelta) -> None:
    """Poll those who have logged in, and look for others from time to time. Ends with KeyboardInterrupt only."""
    found = accounts.new()
    _log.info(
        "polling %d %s every %s to %s",
        len(found),
        "account" if len(found) == 1 else "accounts",
        duration_text(interval),
        accounts.destination,
    )
    if not found:
        _log.warning("%s; it is polled as soon as it has", accounts.nobody)
    while True:
        service.add(found)
        time.sleep(interval.total_seconds())
        try:
            found = accounts.new()
        except Failure as error:
            found = []
            _log.error("cannot look for new logins, those known are polled: %s", error)


class _Accounts:
    """The accounts that have logged in."""

    def __init__(
        self, settings: PollSettings, store: LoginStore, destination: Destination, transport: Transport
    ) -> None:
        self.destination = settings.topic or settings.archive
        self.nobody = nobody(store)
        self._settings = settings
        self._store = store
        self.into = destination
        self._transport = transport
        self._cursors = Cursors(settings.state)
        self._endpoints = Endpoints.of(os.environ)
        self._seen: set[str | None] | None = None
        self._lock = threading.Lock()

    def new(self) -> list[Account]:
        """Those that were not given back before. Raises LoginError, StateError and StorageError."""
        with self._lock:
            if self._seen is not None and self._seen.issuperset(self._store.accounts()):
                return []
            logins = logins_of(os.environ, self._settings.environment_state, self._store)
            known = self._seen or set()
            found = [login for login in logins if self._seen is None or login.account_id not in known]
            self._seen = known | {login.account_id for login in logins}
        if found:
            _check_archive(self._settings, claims=True)
        spotify = [Spotify(login, self._endpoints, transport=self._transport) for login in found]
        return [Account(login, client, self._cursors, self.into) for login, client in zip(found, spotify, strict=True)]

    def report(self, _: Account, outcome: Outcome) -> None:
        """One line, with the metrics as fields."""
        extra = {"fields": outcome.fields, "labels": {"account": outcome.account or "unknown"}}
        if outcome.is_over:
            with self._lock:
                self._seen = (self._seen or set()) - {outcome.account}  # it may log in again
            _log.info("%s", outcome.text, extra=extra)
        elif outcome.trouble is None:
            _log.info("%s to %s", outcome.text, self.destination, extra=extra)
        else:
            _log.error("%s", outcome.text, extra=extra)


def _check_archive(settings: PollSettings, *, claims: bool) -> None:
    """Raises StateError where the state is of another archive, which has the plays that were published before."""
    cursors = Cursors(settings.state)
    if settings.archive and not cursors.are_of(settings.archive, claims=claims):
        raise StateError(
            f"{settings.state} is what polls into the archive {cursors.archive()} remember, and not into "
            f"{settings.archive}: give each archive a --state of its own. If it is the same archive in another place, "
            f"remove {cursors.archive_place}"
        )


def nobody(store: LoginStore) -> str:
    """What to say, and to do, where there is no login."""
    return f"no account has logged in; run: heavy-rotation login{logins_option(store)}"


@contextmanager
def _accounts(settings: PollSettings, stopping: threading.Event) -> Iterator[_Accounts]:
    _check_archive(settings, claims=False)
    destination: Destination
    if settings.topic:
        destination = TopicDestination(settings.topic)
    else:
        archive = Archive(settings.archive or "")
        move_rejects(settings.state, archive)
        destination = ArchiveDestination(archive, settings.calendar)
    transport = Transport(stopping.wait, connections=THREADS)
    try:
        yield _Accounts(settings, store_of(settings.logins), destination, transport)
    finally:
        transport.close()
