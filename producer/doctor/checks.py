"""What is wrong, and what to do about it: every check one line, and all of them within a quarter of a minute."""

import os
import shlex
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import chain
from pathlib import Path

import requests

from pipelines.clock import utc_now
from pipelines.domain.durations import duration_text
from pipelines.domain.holes import holes_text, how_to_fill
from pipelines.domain.instants import to_the_second
from pipelines.domain.month import month_text
from pipelines.home import Home
from pipelines.storage.archive import Archive
from producer.accounts.app import app_of
from producer.accounts.login import REFRESH_TOKEN, Login, days_left, ending_soon, logins_of
from producer.accounts.stores import default_store, store_of
from producer.doctor.findings import THREADS, Check, Finding, Level, run_all
from producer.doctor.places import check_folder_or_bucket, check_topic
from producer.polling.running import nobody
from producer.polling.service import FIFTY_PLAYS, LONGEST_SAFE_INTERVAL
from producer.snapshots.asker import remembered
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import NoAuth, SpotifyError, Transport
from producer.state.cursor import Cursor, Cursors
from producer.watching.items import Items

_SECONDS = 13.0
_CLOCK_SECONDS = (3, 4)  # to connect, and for the answer
_CLOCK_MAY_BE_OFF = timedelta(seconds=60)
_LONG_AGO = timedelta(days=1)
# Of many accounts, only some are tried, and only what is wrong is listed.
_TRIED_LOGINS, _LISTED_ACCOUNTS = 100, 20


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """What is looked at, as ``poll`` is told; ``environment_state`` as in ``running.PollSettings``."""

    topic: str | None
    archive: str | None
    state: str
    logins: str
    home: Home
    environment_state: Path

    @property
    def poll(self) -> str:
        """The command that polls."""
        into = ["--topic", self.topic] if self.topic else self._archive
        logins = ["--logins", self.logins] if self.logins != default_store() else []
        return shlex.join(["heavy-rotation", "poll", "--every", "10m", *into, *self._state, *logins])

    def options_of_import(self, *user: str) -> str:
        """What follows an export's path in the command that imports it."""
        return "".join(f" {shlex.quote(word)}" for word in (*user, *self._archive, *self._state))

    @property
    def _archive(self) -> list[str]:
        """Nothing but the home, where it is the one at home."""
        if self.archive in (None, self.home.archive):
            return self.home.words
        return ["--archive", self.archive or ""]

    @property
    def _state(self) -> list[str]:
        return ["--state", self.state] if self.state != self.home.state else []


def examine(settings: DoctorSettings) -> list[Finding]:
    """Check everything there is. Changes nothing, but keeps a refresh token that Spotify puts into another's place."""
    ends = time.monotonic() + _SECONDS
    endpoints = Endpoints.of(os.environ)
    logins: list[Login] = []
    basics = run_all([("app", _app), ("logins", partial(_logins, settings, logins))], ends)
    checks: list[tuple[str, Check]] = [
        ("Spotify", partial(_clock, endpoints.api)),
        ("state", partial(_state, settings)),
        *_destinations(settings),
        ("watching", partial(_watching, settings)),
        ("withdrawn", partial(_withdrawn, settings)),
    ]
    found = run_all(checks + _account_checks(logins, endpoints, settings), ends)
    accounts = list(chain(*found[len(checks) :]))
    if len(logins) > _LISTED_ACCOUNTS:
        accounts = [finding for finding in accounts if finding.level is not Level.OK]
        counted = f"{len(logins)}, of which {min(len(logins), _TRIED_LOGINS)} were tried; what is fine is not listed"
        accounts.insert(0, Finding(Level.OK, "accounts", counted))
    return [*chain(*basics, *found[: len(checks)]), *accounts]


def _account_checks(logins: list[Login], endpoints: Endpoints, settings: DoctorSettings) -> list[tuple[str, Check]]:
    transport = Transport(lambda _: True, connections=THREADS, is_patient=False)
    checks: list[tuple[str, Check]] = []
    for number, login in enumerate(logins):
        name = login.account_id or REFRESH_TOKEN
        if number < _TRIED_LOGINS:
            checks.append((name, partial(_token, name, login, Spotify(login, endpoints, transport=transport))))
        if login.account_id:
            checks.append((name, partial(_polling, login.account_id, settings)))
    return checks


def _destinations(settings: DoctorSettings) -> list[tuple[str, Check]]:
    topic: list[tuple[str, Check]] = [("topic", partial(_topic, settings.topic))] if settings.topic else []
    if settings.archive:
        archive = settings.archive
        return [*topic, ("archive", partial(_place, "archive", archive)), ("history", partial(_history, settings))]
    text = "not checked; name it as poll does, with --topic or --archive"
    return topic or [("destination", lambda: [Finding(Level.WARNING, "destination", text)])]


def _app() -> list[Finding]:
    app = app_of(os.environ)
    secret = (
        "client id and secret are there" if app.client_secret else "the client id is there, without a secret (PKCE)"
    )
    return [Finding(Level.OK, "app", secret)]


def _logins(settings: DoctorSettings, logins: list[Login]) -> list[Finding]:
    """Somebody has logged in; fills the list."""
    store = store_of(settings.logins)
    try:
        logins += logins_of(os.environ, settings.environment_state, store)
    except LoginError:
        return []  # there is no app, which is told already
    return [] if logins else [Finding(Level.PROBLEM, "logins", nobody(store))]


def _clock(api: str) -> list[Finding]:
    """Spotify answers, and its clock says the same as this machine's."""
    before = utc_now()
    try:
        answer = requests.get(f"{api}/v1/me", timeout=_CLOCK_SECONDS, auth=NoAuth(), allow_redirects=False)
    except requests.RequestException:
        raise SpotifyError(f"{api} cannot be reached; check the network and, if there is one, the proxy") from None
    reached = Finding(Level.OK, "Spotify", f"{api} answers")
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return [reached, Finding(Level.WARNING, "clock", "Spotify did not say what time it is")]
    ahead = before + (utc_now() - before) / 2 - theirs
    if abs(ahead) > _CLOCK_MAY_BE_OFF:
        off = f"{duration_text(abs(ahead))} {'ahead' if ahead > timedelta() else 'behind'}"
        return [reached, Finding(Level.PROBLEM, "clock", f"this machine's is {off}; run: timedatectl set-ntp true")]
    return [reached, Finding(Level.OK, "clock", "it agrees with Spotify's")]


def _token(name: str, login: Login, spotify: Spotify) -> list[Finding]:
    """Spotify accepts the login, and it lasts for a while."""
    before = login.refresh_token
    listed = len(spotify.recently_played())
    kept = "; Spotify gave a new refresh token, which is kept" if login.refresh_token != before else ""
    accepted = Finding(Level.OK, name, f"Spotify accepts the login, and lists {listed} plays{kept}")
    days, warning = days_left(login, utc_now()), ending_soon(login, utc_now())
    if warning:
        return [accepted, Finding(Level.WARNING, name, warning)]
    lasts = "it is not known when the login ends" if days is None else f"the login lasts for {days} more days"
    return [accepted, Finding(Level.OK, name, lasts)]


def _polling(account_id: str, settings: DoctorSettings) -> list[Finding]:
    """It is polled, often enough, and nothing was lost."""
    cursor = Cursors(settings.state).load(account_id)
    return [_last_poll(cursor, utc_now(), settings), *_interval(cursor), *_gaps(cursor, settings)]


def _last_poll(cursor: Cursor, now: datetime, settings: DoctorSettings) -> Finding:
    name = cursor.account_id
    if cursor.retry_at and cursor.retry_at > now:
        until = to_the_second(cursor.retry_at)
        return Finding(Level.WARNING, name, f"Spotify asked to wait until {until}; polling goes on then, by itself")
    if cursor.polled_at is None:
        return Finding(Level.PROBLEM, name, f"it was never polled with this --state; run: {settings.poll}")
    ago = max(now - cursor.polled_at, timedelta())
    text = f"last polled {duration_text(ago)} ago"
    if ago <= LONGEST_SAFE_INTERVAL:
        return Finding(Level.OK, name, text)
    level = Level.PROBLEM if ago > _LONG_AGO else Level.WARNING
    return Finding(level, name, f"{text}; see why it stopped, or start it: {settings.poll}")


def _interval(cursor: Cursor) -> list[Finding]:
    if cursor.interval is None:
        return []
    text = f"the last two polls were {duration_text(cursor.interval)} apart"
    if cursor.interval <= LONGEST_SAFE_INTERVAL:
        return [Finding(Level.OK, cursor.account_id, text)]
    why = f"{text}, and 50 plays, all that Spotify lists, take {duration_text(FIFTY_PLAYS)}; poll every 10m"
    return [Finding(Level.WARNING, cursor.account_id, why)]


def _gaps(cursor: Cursor, settings: DoctorSettings) -> list[Finding]:
    remedy = how_to_fill(settings.options_of_import("--user", cursor.account_id))
    found = [
        Finding(Level.WARNING if gap.is_doubtful else Level.PROBLEM, cursor.account_id, f"{gap}; {remedy}")
        for gap in cursor.gaps
    ]
    return found or [Finding(Level.OK, cursor.account_id, "no gaps")]


def _history(settings: DoctorSettings) -> list[Finding]:
    """The archive's months follow on each other; nothing is said of an archive without any."""
    months = Archive(settings.archive or "").months()
    if not months:
        return []
    if missing := holes_text(months):
        remedy = f"{missing}; if you listened then, {how_to_fill(settings.options_of_import())}"
        return [Finding(Level.WARNING, "history", remedy)]
    text = f"plays in every month from {month_text(months[0])} to {month_text(months[-1])}"
    return [Finding(Level.OK, "history", text)]


def _topic(topic: str) -> list[Finding]:
    return [Finding(Level.OK, "topic", check_topic(topic))]


def _state(settings: DoctorSettings) -> list[Finding]:
    """It can be written, and is of the archive that was named."""
    found, cursors = _place("state", settings.state), Cursors(settings.state)
    if settings.archive and not cursors.are_of(settings.archive, claims=False):
        text = f"it is of the archive {cursors.archive()}, not of {settings.archive}; give each a --state of its own"
        found.append(Finding(Level.PROBLEM, "state", text))
    return found


def _watching(settings: DoctorSettings) -> list[Finding]:
    """What is watched is asked about; nothing is said where nothing is watched."""
    items, now = Items(settings.state).all(), utc_now()
    late = [item for item in items if now - (item.done_at or item.added_at) > item.every + _LONG_AGO]
    if not items:
        return []
    if not late:
        return [Finding(Level.OK, "watching", f"{len(items)} watched, and asked about in time")]
    text = f"{len(late)} of {len(items)} not asked about for too long; run, each day: heavy-rotation snapshot --once"
    return [Finding(Level.WARNING, "watching", text)]


def _withdrawn(settings: DoctorSettings) -> list[Finding]:
    """What Spotify does not give this app needs nobody: there is nothing to do about it."""
    return [Finding(Level.OK, "withdrawn", str(each)) for each in remembered(settings.state)]


def _place(subject: str, root: str) -> list[Finding]:
    return [Finding(Level.OK, subject, check_folder_or_bucket(root))]
