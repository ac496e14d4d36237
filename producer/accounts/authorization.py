"""The login, from the browser to the store."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import closing

from pipelines.clock import Clock, utc_now
from producer.accounts.app import app_of
from producer.accounts.grant import TOKEN_LIFE, Grant, LoginStore
from producer.accounts.redirect import Redirect, redirect_uri
from producer.accounts.stores import logins_option
from producer.spotify.client import Api, Endpoints
from producer.spotify.oauth import DASHBOARD, PLAYLISTS_SCOPE, SCOPE, Accounts, App, Attempt, LoginError, Tokens
from producer.spotify.transport import Transport, Wait

_WITHIN_SECONDS = 5 * 60
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def log_in(
    app: App,
    store: LoginStore,
    endpoints: Endpoints,
    clock: Clock,
    *,
    port: int,
    browse: Callable[[str], None] | None,
    tell: Callable[[str], None],
    with_playlists: bool = False,
    within_seconds: float = _WITHIN_SECONDS,
    wait: Wait = time.sleep,
) -> Grant:
    """Have an account's owner agree in the browser, and keep what that gives.

    ``browse`` opens an address, and is None where a person has to. ``tell`` shows a line to that person.
    ``with_playlists`` asks for the right to read private playlists, too.
    Raises LoginError and the other SpotifyErrors, StateError and StorageError; then nothing was stored.
    """
    store.accounts()  # before anybody is sent to a browser: can it be reached?
    attempt = Attempt.new()
    uri = redirect_uri(port)
    with closing(Transport(wait, clock)) as transport:
        accounts = Accounts(app, endpoints.accounts, transport)
        with Redirect(port, attempt.state) as redirect:
            scope = f"{SCOPE} {PLAYLISTS_SCOPE}" if with_playlists else SCOPE
            _invite(accounts.consent_url(attempt, uri, scope), uri, port, browse, tell)
            code = redirect.code(within_seconds)
        # The six months run from the consent, which was a moment ago.
        authorized_at = clock()
        access_token, refresh_token = _checked(accounts.redeem(code, attempt, uri), uri)
        account_id = Api(endpoints.api, transport).account_id(access_token)
    grant = Grant(account_id, refresh_token, authorized_at)
    store.save(grant)
    return grant


def run(store: LoginStore, *, port: int, with_browser: bool, with_playlists: bool = False) -> Grant:
    """Log in with the app and the browser of the environment. Raises Failure."""
    return log_in(
        app_of(os.environ),
        store,
        Endpoints.of(os.environ),
        utc_now,
        port=port,
        browse=browser_of(os.environ) if with_browser else None,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
        with_playlists=with_playlists,
    )


def browser_of(environment: Mapping[str, str]) -> Callable[[str], None] | None:
    """What opens an address in the browser; None where there is no screen for one."""
    # Without a screen, webbrowser may find one for the terminal, which Spotify's page does not work in.
    has_screen = sys.platform == "darwin" or any(environment.get(name) for name in _DISPLAYS)
    return _browse if has_screen else None


def text_of(grant: Grant, store: LoginStore, *first: str) -> str:
    """What was done, until when it lasts, and what to type next, ``first`` and then to poll; several lines."""
    assert grant.authorized_at
    commands = [*first, f"heavy-rotation poll --every 10m{logins_option(store)}"]
    return (
        f"logged in   {grant.account_id}\n"
        f"stored in   {store}\n"
        f"lasts until {grant.authorized_at + TOKEN_LIFE:%Y-%m-%d}, six months as Spotify has it; log in again by then"
        "\n\nnext: " + "\n      ".join(commands)
    )


def _invite(
    address: str, uri: str, port: int, browse: Callable[[str], None] | None, tell: Callable[[str], None]
) -> None:
    tell(f"Your app's redirect URIs, at {DASHBOARD}, must have {uri}")
    if browse:
        tell(f"The browser opens; if it does not, open this address:\n\n  {address}\n")
        browse(address)
    else:
        tell(f"Open this address in a browser on this machine:\n\n  {address}\n")
        tell(
            f"If the browser is on another machine, connect the two first: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE"
        )
    tell("Waiting for Spotify; Ctrl-C ends it.")


def _browse(address: str) -> None:
    # Some browsers come back only when they are closed.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _checked(tokens: Tokens | None, uri: str) -> tuple[str, str]:
    """The access token and the refresh token. Raises LoginError."""
    if tokens is None:
        raise LoginError(
            "Spotify does not accept the code that it gave to the browser. Log in again; if that does not help, "
            f"see whether your app's redirect URIs have exactly {uri}"
        )
    if tokens.refresh_token is None:
        raise LoginError("Spotify gave no refresh token; log in again")
    # Where an answer does not say the scope, it is what was asked for: so the standard has it.
    if SCOPE not in (tokens.scope or SCOPE).split():
        raise LoginError(f"Spotify did not give the right to read what was played ({SCOPE}); log in again")
    return tokens.access_token, tokens.refresh_token
