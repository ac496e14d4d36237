"""The client against the look-alike: tokens, waiting, and errors that say what to do and hold no token."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.faults import (
    DroppedConnection,
    Fault,
    NotJson,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TruncatedBody,
)
from demo.listener import Listener
from demo.spotify import SpotifyServer
from producer.errors import LoginError, RateLimitedError, SpotifyError, UnreachableError
from producer.logins import Credentials, Login, credentials_of
from producer.spotify import Endpoints, Spotify
from tests.producer.conftest import Run

ROTATES = pytest.mark.parametrize("rotates", [True], indirect=True)


@pytest.fixture
def rotates(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request, "param", False))


@pytest.fixture
def server(rotates: bool) -> Iterator[SpotifyServer]:
    with SpotifyServer(Listener(1).listens, rotate_refresh_tokens=rotates) as server:
        yield server


@pytest.fixture
def credentials(server: SpotifyServer) -> Credentials:
    accounts = server.accounts
    return Credentials(accounts.client_id, accounts.client_secret, accounts.refresh_token)


class Slept(list[float]):
    """How long the client would have slept."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
def client(server: SpotifyServer, credentials: Credentials, tmp_path: Path, slept: Slept) -> Iterator[Spotify]:
    client = Spotify(Login(tmp_path, credentials), Endpoints(server.url, server.url), slept)
    yield client
    client.close()


def test_account_and_plays(server: SpotifyServer, client: Spotify) -> None:
    assert client.account_id() == server.account_id
    assert len(client.recently_played()) == 50
    assert server.requests[-1].query == {"limit": "50"}
    assert [request.path for request in server.requests].count("/api/token") == 1


def test_an_expired_access_token_is_refreshed_once(server: SpotifyServer, client: Spotify) -> None:
    client.recently_played()
    server.accounts.expire_access_tokens()
    assert len(client.recently_played()) == 50
    paths = [(request.path.rsplit("/", 1)[-1], request.status) for request in server.requests[2:]]
    assert paths == [("recently-played", 401), ("token", 200), ("recently-played", 200)]


@ROTATES
def test_a_rotated_refresh_token_is_kept(
    server: SpotifyServer, client: Spotify, credentials: Credentials, tmp_path: Path
) -> None:
    client.recently_played()
    other = Spotify(Login(tmp_path / "elsewhere", credentials), Endpoints(server.url, server.url))
    with pytest.raises(LoginError):  # the first one works no more
        other.recently_played()
    other.close()
    login = Login(tmp_path, credentials)
    assert login.credentials.refresh_token != credentials.refresh_token
    again = Spotify(login, Endpoints(server.url, server.url))
    assert len(again.recently_played()) == 50
    again.close()
    [path] = (tmp_path / "logins").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


@ROTATES
def test_the_end_of_a_login_is_final(
    server: SpotifyServer, client: Spotify, credentials: Credentials, tmp_path: Path
) -> None:
    client.recently_played()
    server.accounts.revoke()
    with pytest.raises(LoginError, match=r"the login has ended.*docs/producer.md says how to get a new"):
        client.recently_played()
    assert [request.path for request in server.requests].count("/api/token") == 2, "asked once, not again"
    assert Login(tmp_path, credentials).credentials == credentials, "the token is discarded"


def test_a_new_login_is_another_login(credentials: Credentials, tmp_path: Path) -> None:
    login = Login(tmp_path, credentials)
    login.keep_account("me")
    other = Credentials(credentials.client_id, credentials.client_secret, "new")
    assert Login(tmp_path, credentials).account_id == "me"
    assert Login(tmp_path, other).account_id is None


def test_wrong_client_secret(server: SpotifyServer, credentials: Credentials, tmp_path: Path) -> None:
    wrong = Credentials(credentials.client_id, "wrong", credentials.refresh_token)
    client = Spotify(Login(tmp_path, wrong), Endpoints(server.url, server.url))
    with pytest.raises(LoginError, match="SPOTIFY_CLIENT_ID with this SPOTIFY_CLIENT_SECRET"):
        client.recently_played()
    client.close()


def test_a_short_wait_is_waited(server: SpotifyServer, client: Spotify, slept: Slept) -> None:
    server.faults.add(RateLimited(7))
    server.faults.add(RateLimited(None))
    assert len(client.recently_played()) == 50
    assert slept == [7, 5]


@pytest.mark.parametrize(
    ("fault", "says"),
    [(QuotaExceeded(48_925), "13 h 36 min"), (RateLimited(61), "61 s"), (RateLimited(600), "10 min")],
)
def test_a_long_wait_is_told(
    server: SpotifyServer, client: Spotify, slept: Slept, fault: QuotaExceeded | RateLimited, says: str
) -> None:
    server.faults.add(fault)
    with pytest.raises(RateLimitedError, match=f"asks to wait for {says}") as raised:
        client.recently_played()
    assert raised.value.retry_after_seconds == fault.retry_after
    assert slept == []


def test_many_short_waits_come_to_an_end(server: SpotifyServer, client: Spotify, slept: Slept) -> None:
    server.faults.always(RateLimited(0))
    with pytest.raises(RateLimitedError):
        client.recently_played()
    assert sum(slept) == 60


@pytest.mark.parametrize("fault", [ServerError(503), ServerError(500), DroppedConnection()])
def test_what_passes_is_tried_again(server: SpotifyServer, client: Spotify, fault: Fault) -> None:
    server.faults.add(fault)
    assert len(client.recently_played()) == 50


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (ServerError(502), "answered 502"),
        (NotJson(), "did not answer with a JSON object"),
        (TruncatedBody(), "the answer broke off"),
        (DroppedConnection(), "no connection"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/me/player/recently-played", "/api/token"])
def test_what_stays_is_told(
    server: SpotifyServer, client: Spotify, credentials: Credentials, fault: Fault, says: str, path: str
) -> None:
    server.faults.always(fault, path=path)
    with pytest.raises(UnreachableError, match=says) as raised:
        client.recently_played()
    assert_silent(raised.value, credentials)


def assert_silent(error: BaseException, credentials: Credentials) -> None:
    """No secret in the error, nor in what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        text = f"{seen!r} {seen}"
        for secret in (credentials.client_id, credentials.client_secret, credentials.refresh_token):
            assert secret not in text
        seen = seen.__cause__
    assert error.__suppress_context__ or error.__context__ is None
    assert credentials.client_secret not in repr(credentials)


def test_no_network(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and doesn't listen
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for name in ("API_URL", "ACCOUNTS_URL", "CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"):
            monkeypatch.setenv(f"SPOTIFY_{name}", url if name.endswith("URL") else f"hidden-{name}")
        ran = run("poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: cannot reach {url} (no connection); try again later\n"


def test_missing_credentials(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    for name in ("SPOTIFY_CLIENT_SECRET", "SPOTIFY_REFRESH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    ran = run("poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state")
    assert ran.code == 1
    assert "missing in the environment: SPOTIFY_CLIENT_SECRET, SPOTIFY_REFRESH_TOKEN." in ran.err
    assert not (tmp_path / "state").exists()


def test_a_profile_without_an_id_is_told(server: SpotifyServer, client: Spotify) -> None:
    server.account_id = server.user_id = ""
    with pytest.raises(SpotifyError, match="has no id"):
        client.account_id()


def test_credentials_of_the_environment() -> None:
    names = ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REFRESH_TOKEN")
    assert credentials_of(dict(zip(names, ("a ", "b", "c\n"), strict=True))) == Credentials("a", "b", "c")
    with pytest.raises(LoginError):
        credentials_of({})
    assert Endpoints.of({}) == Endpoints("https://api.spotify.com", "https://accounts.spotify.com")
