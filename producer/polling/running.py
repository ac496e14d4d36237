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
from producer.polling.health import Health, endpoint
from producer.polling.publishing import ArchiveDestination, Destination, TopicDestination, move_rejects
from producer.polling.service import FIFTY_PLAYS, LONGEST_SAFE_INTERVAL, THREADS, Service, poll_once, poll_together
from producer.polling.tables import Tables, TablesFollow
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import Transport
from producer.state.cursor import Cursors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Polling:
    """Whom to poll, and where plays and state go: ``topic`` or ``archive``, and folders or ``gs://`` addresses.

    ``environment_state`` is the folder for what becomes of a login in the environment.
    """

    topic: str | None
    archive: str | None
    calendar: Calendar
    state: str
    logins: str
    environment_state: Path


def once(polling: Polling) -> bool:
    """Poll every account once and tell one line each; whether all went well. Raises Failure."""
    with _polled(polling, threading.Event()) as accounts:
        found = accounts.new()
        if not found:
            raise LoginError(accounts.nobody)
        if polling.archive:
            return poll_together(found, accounts.tell, accounts.into)
        return poll_once(found, accounts.tell)


def every(polling: Polling, interval: timedelta, health_port: int | None, warehouse: str | None = None) -> None:
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
    health = Health(interval)
    following = _follow(polling, warehouse)
    with _polled(polling, stopping) as accounts, stopped_like_ctrl_c(), following or nullcontext():

        def tell(account: Account, outcome: Outcome) -> None:
            accounts.tell(account, outcome)
            health.tell(account, outcome)
            if following and (outcome.fields.get("plays_published") or outcome.fields.get("plays_rejected")):
                following.found()

        service = Service(interval, tell)
        with nullcontext() if health_port is None else endpoint(health, health_port) as address:
            try:
                _go_on(accounts, service, health, interval, address)
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


def _follow(polling: Polling, warehouse: str | None) -> TablesFollow | None:
    return TablesFollow(Tables(polling.archive or "", warehouse, polling.calendar)) if warehouse else None


def _go_on(accounts: "_Accounts", service: Service, health: Health, interval: timedelta, address: str | None) -> None:
    """Poll those who have logged in, and look for others from time to time. Ends with KeyboardInterrupt only."""
    found = accounts.new()
    _log.info(
        "polling %d %s every %s to %s%s",
        len(found),
        "account" if len(found) == 1 else "accounts",
        duration_text(interval),
        accounts.destination,
        f"; health at {address}" if address else "",
    )
    if not found:
        _log.warning("%s; it is polled as soon as it has", accounts.nobody)
    while True:
        health.add(found)
        service.add(found)
        time.sleep(interval.total_seconds())
        try:
            found = accounts.new()
        except Failure as error:
            found = []
            _log.error("cannot look for new logins, those known are polled: %s", error)


class _Accounts:
    """The accounts that have logged in."""

    def __init__(self, polling: Polling, store: LoginStore, destination: Destination, transport: Transport) -> None:
        self.destination = polling.topic or polling.archive
        self.nobody = nobody(store)
        self._polling = polling
        self._store = store
        self.into = destination
        self._transport = transport
        self._cursors = Cursors(polling.state)
        self._endpoints = Endpoints.of(os.environ)
        self._known: set[str | None] | None = None
        self._lock = threading.Lock()

    def new(self) -> list[Account]:
        """Those that were not given back before. Raises LoginError, StateError and StorageError."""
        with self._lock:
            if self._known is not None and self._known.issuperset(self._store.accounts()):
                return []
            logins = logins_of(os.environ, self._polling.environment_state, self._store)
            known = self._known or set()
            found = [login for login in logins if self._known is None or login.account_id not in known]
            self._known = known | {login.account_id for login in logins}
        spotify = [Spotify(login, self._endpoints, transport=self._transport) for login in found]
        return [Account(login, client, self._cursors, self.into) for login, client in zip(found, spotify, strict=True)]

    def tell(self, _: Account, outcome: Outcome) -> None:
        """One line, with the metrics as fields."""
        extra = {"fields": outcome.fields, "labels": {"account": outcome.account or "unknown"}}
        if outcome.is_over:
            with self._lock:
                self._known = (self._known or set()) - {outcome.account}  # it may log in again
            _log.info("%s", outcome.text, extra=extra)
        elif outcome.trouble is None:
            _log.info("%s to %s", outcome.text, self.destination, extra=extra)
        else:
            _log.error("%s", outcome.text, extra=extra)


def nobody(store: LoginStore) -> str:
    """What to say, and to do, where there is no login."""
    return f"no account has logged in; run: heavy-rotation login{logins_option(store)}"


@contextmanager
def _polled(polling: Polling, stopping: threading.Event) -> Iterator[_Accounts]:
    destination: Destination
    if polling.topic:
        destination = TopicDestination(polling.topic)
    else:
        archive = Archive(polling.archive or "")
        move_rejects(polling.state, archive)
        destination = ArchiveDestination(archive, polling.calendar)
    transport = Transport(stopping.wait, connections=THREADS)
    try:
        yield _Accounts(polling, store_of(polling.logins), destination, transport)
    finally:
        transport.close()
