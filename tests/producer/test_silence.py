"""Whatever goes wrong, no secret is in an error, its trace, a log of any library, a page, or what a command prints."""

import json
import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from demo.faults import (
    Answer,
    DroppedConnection,
    Fault,
    NotJson,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TruncatedBody,
)
from demo.spotify_http import Call
from pipelines.clock import utc_now
from pipelines.failure import Failure
from producer.accounts.authorization import log_in
from producer.accounts.login import Login, logins_of
from producer.accounts.stores import store_of
from producer.spotify.client import Endpoints, Spotify
from producer.spotify.oauth import App
from tests.ports import free_port
from tests.standins import spotify as look_alike
from tests.standins.browser import browse

TOKEN_PATH, ME, FEED = "/api/token", "/v1/me", "/v1/me/player/recently-played"
_SECRET = ("access_token", "refresh_token", "code", "code_verifier", "client_secret")
FAULTS = [
    *(ServerError(500), DroppedConnection(), TruncatedBody(), NotJson(), NotJson(400), NotJson(401), NotJson(403)),
    *(RateLimited(None), RateLimited(90_000), RateLimited("soon"), QuotaExceeded(None)),
]


class Server(look_alike.Spotify):
    """The look-alike, which rotates tokens and remembers every secret that it saw or gave."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts.rotate = True
        self.secrets = {self.accounts.refresh_token, self.accounts.client_secret}

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        answer = super().answer(call, fault)
        given = dict(call.form)
        for name, value in answer.headers:
            if name == "Location":
                given |= {key: values[0] for key, values in parse_qs(urlsplit(value).query).items()}
        with suppress(ValueError):
            given |= json.loads(answer.body)
        self.secrets |= {str(given[name]) for name in _SECRET if name in given}
        if call.authorization:
            self.secrets.add(call.authorization.partition(" ")[2])
        return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def traced(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def assert_silent(server: Server, *texts: str) -> None:
    assert len(server.secrets) >= 2
    assert all(texts)
    for text in texts:
        assert [secret for secret in server.secrets if secret in text] == []


def login_of(server: Server, state: Path) -> Login:
    accounts = server.accounts
    environment = {
        "SPOTIFY_CLIENT_ID": accounts.client_id,
        "SPOTIFY_CLIENT_SECRET": accounts.client_secret,
        "SPOTIFY_REFRESH_TOKEN": accounts.refresh_token,
    }
    [login] = logins_of(environment, state, store_of(str(state / "none")))
    return login


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("path", [TOKEN_PATH, FEED])
def test_a_failing_poll(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    login = login_of(server, tmp_path)
    client = Spotify(login, Endpoints(server.url, server.url), lambda _: None)
    server.faults.always(fault, path=path)
    with pytest.raises(Failure) as raised:
        client.recently_played()
    assert_silent(server, traced(raised.value), caplog.text, repr(login), repr(client))
    client.close()


@pytest.mark.parametrize("trouble", ["revoked", "expired", "secret"])
def test_a_poll_that_is_refused(server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: str) -> None:
    caplog.set_level(logging.DEBUG)
    client = Spotify(login_of(server, tmp_path), Endpoints(server.url, server.url), lambda _: None)
    client.recently_played()
    server.accounts.expire_access_tokens()
    match trouble:
        case "revoked":
            server.accounts.revoke()
        case "expired":
            server.accounts.expires_in = 0
        case "secret":
            server.accounts.client_secret = "another"
    with pytest.raises(Failure) as raised:
        client.recently_played()
    assert_silent(server, traced(raised.value), caplog.text)
    client.close()


@pytest.mark.parametrize("fault", [None, *FAULTS], ids=repr)
@pytest.mark.parametrize("path", [TOKEN_PATH, ME])
def test_a_login(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Fault | None, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    if fault:
        server.faults.always(fault, path=path)
    told: list[str] = []
    with ThreadPoolExecutor() as threads:
        pages = []
        app = App(server.accounts.client_id, server.accounts.client_secret)
        try:
            grant = log_in(
                app,
                store_of(str(tmp_path)),
                Endpoints(server.url, server.url),
                utc_now,
                port=free_port(),
                browse=lambda address: pages.append(threads.submit(browse, address)),
                tell=told.append,
                wait=lambda _: None,
            )
            told += [repr(grant), repr(app)]
        except Failure as error:
            assert fault
            told.append(traced(error))
        told += [page.result(10).text for page in pages]
    # The browser of these tests is requests, in this process: what it logs is its own.
    logged = [record.getMessage() for record in caplog.records if "/callback?" not in record.getMessage()]
    assert_silent(server, *told, "\n".join(logged))
