"""One account's login, refreshed by several processes at once, whose tokens work once; some of them killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.siege.apart import KILLED, Moment, begin
from tests.siege.oracle import WrongError
from tests.siege.paths.running import Siege


class Logins(Siege):
    """A login that must live through everything but a kill between Spotify's answer and the keeping of its token."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        with subprocess.Popen(
            [sys.executable, "-m", "tests.siege.spotify"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as self.spotify:
            try:
                started = self._answer()
                self.environment: dict[str, str] = started["environment"]
                self.see(keep_login, self.folder, started["token"])
                for _ in range(self.rng.randint(2, 4)):
                    self._refresh_at_once(kill=self.rng.random() < 0.3)
                self._log_out_beside()
            finally:
                self.spotify.kill()

    def _refresh_at_once(self, *, kill: bool) -> None:
        works = [
            begin(
                refresh, self.folder, self.environment, self.rng.randint(1, 4), log=self.log,
                moment=Moment(self.rng.randrange(40), self.folder) if kill and number == 0 else None,
            )
            for number in range(3)
        ]  # fmt: skip
        before = self._report()
        ended = [one.wait() for one in works]
        was_killed = KILLED in ended
        self.figures["processes that refreshed"] += len(ended)
        self.figures["processes killed"] += ended.count(KILLED)
        now = self._report()
        kept = self.see(kept_token, self.folder)
        self.figures["refreshes"] += now["granted"] - before["granted"]
        if was_killed and kept != now["token"]:
            # A kill at the one moment that nothing helps against: the owner logs in again.
            self.figures["logins lost by a kill"] += 1
            self.see(keep_login, self.folder, now["token"])
        elif now["refused"] > before["refused"] or kept != now["token"]:
            raise WrongError(f"a login was lost, and nobody was killed: {before} then {now}, kept {kept}")

    def _log_out_beside(self) -> None:
        """The account leaves while a process stands still before a touch of a file, in the middle of refreshing."""
        moment = Moment(self.rng.randrange(25), self.folder, sends=signal.SIGSTOP)
        waiting = begin(refresh, self.folder, self.environment, 2, log=self.log, moment=moment)
        try:
            self.figures["stood still at a logout"] += waiting.stands_still()
            leaving = begin(log_out, self.folder, log=self.log)
            leaving.ends_within(5)  # it may have to wait for the other, which has the lease
            waiting.send(signal.SIGCONT)
            leaving.wait()
            waiting.wait()
        finally:
            waiting.kill()
        self.figures["logouts"] += 1
        if kept := self.see(kept_token, self.folder):
            raise WrongError(f"somebody has logged out, and {kept} is there")

    def _report(self) -> dict[str, Any]:
        assert self.spotify.stdin
        self.spotify.stdin.write("\n")
        self.spotify.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.spotify.stdout
        answer: dict[str, Any] = json.loads(self.spotify.stdout.readline())
        return answer


def keep_login(folder: Path, token: str) -> None:
    """A new login, of later than the one before."""
    from producer.accounts.grant import Grant
    from producer.accounts.stores import store_of

    store_of(str(folder / "logins")).save(Grant("me", token, datetime.now(UTC)))


def kept_token(folder: Path) -> str | None:
    """The token that is kept."""
    from producer.accounts.stores import store_of

    grant = store_of(str(folder / "logins")).load("me")
    return grant.refresh_token if grant else None


def log_out(folder: Path) -> None:
    """``heavy-rotation logout``."""
    from pipelines.home import Home
    from producer.accounts.logout import run

    state = folder / "state"
    run(
        "me",
        logins=str(folder / "logins"),
        state=str(state),
        home=Home(folder, is_named=True),
        environment_state=state,
        dry_run=False,
    )


def refresh(folder: Path, environment: Mapping[str, str], times: int) -> None:
    """Ask for recently played, with a new access token each time; a login that ended ends it."""
    from contextlib import closing

    from pipelines.failure import Failure
    from producer.accounts.login import logins_of
    from producer.accounts.stores import store_of
    from producer.spotify.client import Endpoints, Spotify

    os.environ.pop("SPOTIFY_CLIENT_SECRET", None)
    os.environ.pop("SPOTIFY_REFRESH_TOKEN", None)
    os.environ.update(environment)
    for _ in range(times):
        try:
            if not (there := logins_of(os.environ, folder / "state", store_of(str(folder / "logins")))):
                return  # logged out
            [login] = there
            with closing(Spotify(login, Endpoints.of(os.environ))) as spotify:
                spotify.recently_played()
        except Failure:  # its token was refused: the report says whether that could be
            return
