"""A Spotify look-alike on this machine: the accounts service and the Web API calls that are needed.

`GET /authorize`, `POST /api/token`, `GET /v1/me`, `GET /v1/me/player/recently-played`, and the playlists, artists and
tracks of `demo.spotify_library`, over HTTP/1.1 on 127.0.0.1,
with the real service's limits, cursors, errors and, on request, its bad days (`demo.faults`).

`python -m demo.spotify --port 8720` is one by itself, with an app and an invented listener, until it is stopped.
"""

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from demo import faults
from demo.catalogue import stable_id
from demo.faults import (
    Answer,
    Fault,
    Faults,
    NotJson,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unauthorized,
    error_answer,
    json_answer,
)
from demo.listener import Listener
from demo.processes import serve
from demo.spotify_feed import BadRequestError, History, recently_played
from demo.spotify_http import Call, HttpServer, Request
from demo.spotify_library import Library, NotGivenError
from demo.spotify_tokens import SCOPE, Accounts

_LIBRARY = ("/v1/playlists/", "/v1/artists/", "/v1/tracks/", "/v1/audio-features/")


def utc_now() -> datetime:
    """The instant, aware, UTC."""
    return datetime.now(UTC)


class SpotifyServer:
    """The look-alike; use it as a context manager, or call `start` and `stop`.

    `history` says what was played (`Listener(seed).listens`). `clock` is the feed's now, aware: a play is
    listed once it has ended by it, and it may run faster than the wall clock. Tokens live by
    `token_clock`, which should be the client's own. `port` 0 takes any free port.

    `accounts` has the credentials that work, and can revoke them; `faults` takes what is to go wrong;
    `requests` lists what was asked, oldest first. `library` has the playlists, artists and tracks.
    """

    def __init__(
        self,
        history: History,
        *,
        clock: Callable[[], datetime] = utc_now,
        token_clock: Callable[[], datetime] = utc_now,
        token_seconds: int = 3600,
        rotate_refresh_tokens: bool = False,
        display_name: str = "Imaginary Listener",
        library: Library | None = None,
        port: int = 0,
    ) -> None:
        self.history = history
        self.clock = clock
        self.accounts = Accounts(token_clock, expires_in=token_seconds, rotate=rotate_refresh_tokens)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.display_name = display_name
        self.library = library or Library()
        self.user_id = "imaginary-listener"
        self.account_id = stable_id("account", self.user_id)[:10]
        self._port = port
        self._http: HttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, with no slash at its end: of the accounts service and of the Web API."""
        if self._http is None:
            raise RuntimeError("the Spotify look-alike isn't running")
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen. OSError (EADDRINUSE) when the port is taken."""
        try:
            self._http = HttpServer(self._port, self.answer, self.faults, self.requests)
        except OSError as error:
            message = f"cannot listen on 127.0.0.1:{self._port}: {error.strerror}"
            raise OSError(error.errno, message) from error
        self._port = int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="spotify", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, and hang up on every client."""
        if self._http is not None and self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._http.hang_up()
            self._http.server_close()
            self._http = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        """The answer to one request, faults of sending aside."""
        if isinstance(fault, RateLimited | QuotaExceeded | Unauthorized | ServerError | NotJson):
            return fault.answer()
        match call.method, call.path:
            case "GET", "/authorize":
                return self.accounts.authorize(call.query)
            case "POST", "/api/token":
                return self.accounts.token(call.form, call.authorization)
            case "GET", "/v1/me":
                return self._check_token(call.authorization, None) or json_answer(self._profile())
            case "GET", faults.RECENTLY_PLAYED:
                return self._check_token(call.authorization, SCOPE) or self._recently_played(call.query, fault)
            case "GET", path if path.startswith(
                ("/v1/playlists/", "/v1/artists/", "/v1/tracks/", "/v1/audio-features/")
            ):
                return self._check_token(call.authorization, None) or self._of_library(call)
            case _:
                return error_answer(404, "Service not found")

    def _check_token(self, auth: str | None, scope: str | None) -> Answer | None:
        """Why this token won't do; None when it will."""
        if auth is None:
            return error_answer(401, "No token provided")
        kind, _, token = auth.partition(" ")
        if kind != "Bearer":
            return error_answer(400, "Only valid bearer authentication supported")
        granted = self.accounts.scope_of(token)
        if granted is None:
            return error_answer(401, "The access token expired")
        if scope is not None and scope not in granted.split():
            return error_answer(403, "Insufficient client scope")
        return None

    def _recently_played(self, query: dict[str, str], fault: Fault | None) -> Answer:
        try:
            return json_answer(recently_played(self.history, self.clock(), query, self.url, fault))
        except BadRequestError as error:
            return error_answer(400, str(error))

    def _of_library(self, call: Call) -> Answer:
        _, _, token = (call.authorization or "").partition(" ")
        try:
            return json_answer(
                self.library.answer(call.path, call.query, self.accounts.scope_of(token) or "", self.url)
            )
        except BadRequestError as error:
            return error_answer(400, str(error))
        except NotGivenError as error:
            return error_answer(error.status, str(error))

    def _profile(self) -> dict[str, object]:
        """A PrivateUserObject as of autumn 2026: no e-mail, country, product or followers."""
        return {
            "account_id": self.account_id,
            "display_name": self.display_name,
            "external_urls": {"spotify": f"https://open.example.com/user/{self.user_id}"},
            "href": f"https://api.example.com/v1/users/{self.user_id}",
            "id": self.user_id,
            "images": [],
            "type": "user",
            "uri": f"spotify:user:{self.user_id}",
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Be a Spotify until stopped. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.spotify",
        description="A look-alike of Spotify on this machine, with one listener, who plays on, and an app. It keeps "
        "nothing: started again, it knows no login of before.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=8720, help="where to listen, 0 for any free port (default: 8720)")
    parser.add_argument("--seed", type=int, default=1, help="which listener, a whole number (default: 1)")
    options = parser.parse_args(argv)

    def told(spotify: SpotifyServer) -> list[str]:
        return [
            "A look-alike of Spotify, until Ctrl-C. In the shell of whoever uses it:",
            f"export SPOTIFY_API_URL={spotify.url} SPOTIFY_ACCOUNTS_URL={spotify.url}",
            f"export SPOTIFY_CLIENT_ID={spotify.accounts.client_id}",
            f"export SPOTIFY_CLIENT_SECRET={spotify.accounts.client_secret}",
        ]

    return serve(lambda: SpotifyServer(Listener(options.seed).listens, port=options.port), told)


if __name__ == "__main__":
    sys.exit(main())
