"""The client against the look-alike: tokens, waiting, and errors that say what to do and hold no token."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
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
from pipelines.clock import utc_now
from producer.accounts.grant import Grant
from producer.accounts.login import Login, logins_of
from producer.accounts.stores import store_of
from producer.spotify.client import Endpoints, LoginEndedError, Spotify
from producer.spotify.oauth import LoginError
from producer.spotify.transport import (
    QuotaExceededError,
    RateLimitedError,
    SpotifyError,
    StoppedError,
    Transport,
    UnreachableError,
)
from tests.commands import Run
from tests.standins.endless import ENDLESS, Endless, endless

ROTATES = pytest.mark.parametrize("rotates", [True], indirect=True)
Environment = dict[str, str]


@pytest.fixture
def rotates(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request, "param", False))


@pytest.fixture
def server(rotates: bool) -> Iterator[SpotifyServer]:
    with SpotifyServer(Listener(1).listens, rotate_refresh_tokens=rotates) as server:
        yield server


@pytest.fixture
def environment(server: SpotifyServer) -> Environment:
    accounts = server.accounts
    return {
        "SPOTIFY_CLIENT_ID": accounts.client_id,
        "SPOTIFY_CLIENT_SECRET": accounts.client_secret,
        "SPOTIFY_REFRESH_TOKEN": accounts.refresh_token,
    }


class Slept(list[float]):
    """How long the client would have slept."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def slept() -> Slept:
    return Slept()


def login_of(environment: Environment, state: Path) -> Login:
    """The login in the environment."""
    [login] = logins_of(environment, state, store_of(str(state / "none")))
    return login


@pytest.fixture
def client(server: SpotifyServer, environment: Environment, tmp_path: Path, slept: Slept) -> Iterator[Spotify]:
    client = Spotify(login_of(environment, tmp_path), Endpoints(server.url, server.url), slept)
    yield client
    client.close()


def test_account_and_plays(server: SpotifyServer, client: Spotify) -> None:
    assert client.account_id() == server.account_id
    assert len(client.recently_played()) == 50
    assert server.requests[-1].query == {"limit": "50"}
    assert [request.path for request in server.requests].count("/api/token") == 1


def test_the_proxy_of_the_environment(
    server: SpotifyServer, client: Spotify, monkeypatch: pytest.MonkeyPatch, slept: Slept
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnreachableError, match="the proxy does not let it through"):
        client.recently_played()
    assert not server.requests


def test_hosts_that_the_environment_takes_from_its_proxy(client: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert len(client.recently_played()) == 50


def test_an_expired_access_token_is_refreshed_once(server: SpotifyServer, client: Spotify) -> None:
    client.recently_played()
    server.accounts.expire_access_tokens()
    assert len(client.recently_played()) == 50
    paths = [(request.path.rsplit("/", 1)[-1], request.status) for request in server.requests[2:]]
    assert paths == [("recently-played", 401), ("token", 200), ("recently-played", 200)]


@ROTATES
def test_a_rotated_refresh_token_is_kept(
    server: SpotifyServer, client: Spotify, environment: Environment, tmp_path: Path
) -> None:
    client.recently_played()
    other = Spotify(login_of(environment, tmp_path / "elsewhere"), Endpoints(server.url, server.url))
    with pytest.raises(LoginError):  # the first one works no more
        other.recently_played()
    other.close()
    login = login_of(environment, tmp_path)
    assert login.refresh_token not in (None, server.accounts.refresh_token)
    again = Spotify(login, Endpoints(server.url, server.url))
    assert len(again.recently_played()) == 50
    again.close()
    [path] = (tmp_path / "from_environment").glob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600


@ROTATES
def test_a_token_that_another_process_rotated_is_taken(
    server: SpotifyServer, client: Spotify, environment: Environment, tmp_path: Path
) -> None:
    other = Spotify(login_of(environment, tmp_path), Endpoints(server.url, server.url))
    assert len(client.recently_played()) == 50
    assert len(other.recently_played()) == 50
    other.close()


def test_the_end_of_a_login_is_final(
    server: SpotifyServer, client: Spotify, environment: Environment, tmp_path: Path
) -> None:
    client.recently_played()
    server.accounts.revoke()
    with pytest.raises(LoginEndedError, match=r"the login has ended.*log in again: heavy-rotation login"):
        client.recently_played()
    assert login_of(environment, tmp_path).refresh_token is None, "the token is discarded"
    for _ in range(2):
        with pytest.raises(LoginEndedError):
            client.recently_played()
    assert [request.path for request in server.requests].count("/api/token") == 2, "asked once, not again"


def test_a_new_login_in_the_store_is_taken_up(server: SpotifyServer, environment: Environment, tmp_path: Path) -> None:
    store = store_of(str(tmp_path / "logins"))
    store.save(Grant("me", "ended", utc_now() - timedelta(days=200)))
    [login] = logins_of(environment | {"SPOTIFY_REFRESH_TOKEN": ""}, tmp_path, store)
    client = Spotify(login, Endpoints(server.url, server.url))
    with pytest.raises(LoginEndedError):
        client.recently_played()
    assert (store.accounts(), store.load("me")) == (["me"], None)
    store.save(Grant("me", server.accounts.refresh_token, utc_now()))
    assert len(client.recently_played()) == 50, "without a restart"
    client.close()


@ROTATES
def test_without_a_client_secret(server: SpotifyServer, environment: Environment, tmp_path: Path) -> None:
    login = login_of(environment | {"SPOTIFY_CLIENT_SECRET": ""}, tmp_path)
    client = Spotify(login, Endpoints(server.url, server.url))
    assert len(client.recently_played()) == 50
    client.close()


def test_wrong_client_secret(server: SpotifyServer, environment: Environment, tmp_path: Path) -> None:
    login = login_of(environment | {"SPOTIFY_CLIENT_SECRET": "wrong"}, tmp_path)
    client = Spotify(login, Endpoints(server.url, server.url))
    with pytest.raises(LoginError, match="the app's client id with this client secret"):
        client.recently_played()
    client.close()
    assert login.refresh_token, "the login may be good"


def test_a_fresh_token_that_is_refused(server: SpotifyServer, client: Spotify) -> None:
    server.accounts.expires_in = 0
    with pytest.raises(LoginError, match=r"refuses even a fresh access token; log in again"):
        client.recently_played()
    assert [request.path for request in server.requests].count("/api/token") == 2


# Waiting


def test_a_short_wait_is_waited(server: SpotifyServer, client: Spotify, slept: Slept) -> None:
    server.faults.add(RateLimited(7))
    server.faults.add(RateLimited(5))
    assert len(client.recently_played()) == 50
    assert slept == [7, 5]


@pytest.mark.parametrize("retry_after", [None, "soon", "", "-1", "1.5"])
def test_a_wait_of_unknown_length_grows(
    server: SpotifyServer, client: Spotify, slept: Slept, retry_after: str | None
) -> None:
    server.faults.add(RateLimited(retry_after), times=2)
    assert len(client.recently_played()) == 50
    assert_growing(slept, 2)
    server.faults.always(RateLimited(retry_after))
    with pytest.raises(RateLimitedError, match=r"does not say for how long.*try again in 5 min") as raised:
        client.recently_played()
    assert_in(raised.value.retry_at, 300)


def test_a_wait_until_a_date(server: SpotifyServer, client: Spotify) -> None:
    server.faults.add(RateLimited(format_datetime(utc_now() + timedelta(hours=2), usegmt=True)))
    with pytest.raises(RateLimitedError, match=r"asks to wait for 2 h \(429") as raised:
        client.recently_played()
    assert_in(raised.value.retry_at, 7200)


@pytest.mark.parametrize(
    ("seconds", "says"), [(61, "1 min 1 s"), (600, "10 min"), (74_214, "20 h 37 min"), (10**9, "1 d")]
)
@pytest.mark.parametrize("path", ["/v1/me/player/recently-played", "/api/token"])
def test_a_long_wait_is_told(
    server: SpotifyServer, client: Spotify, slept: Slept, seconds: int, says: str, path: str
) -> None:
    server.faults.add(RateLimited(seconds), path=path)
    with pytest.raises(RateLimitedError, match=f"asks to wait for {says}") as raised:
        client.recently_played()
    assert not isinstance(raised.value, QuotaExceededError)
    assert_in(raised.value.retry_at, min(seconds, 86_400))
    assert slept == []


@pytest.mark.parametrize(("retry_after", "seconds"), [(48_925, 48_925), (None, 1200), (2, 1200)])
def test_a_quota_is_not_waited_for(
    server: SpotifyServer, client: Spotify, slept: Slept, retry_after: int | None, seconds: int
) -> None:
    server.faults.add(QuotaExceeded(retry_after))
    with pytest.raises(QuotaExceededError, match="QUOTA_EXCEEDED") as raised:
        client.recently_played()
    assert_in(raised.value.retry_at, seconds)
    assert slept == []


def assert_growing(slept: Slept, times: int) -> None:
    least = [0.5, 1, 2, 4][:times]
    assert len(slept) == times
    assert all(low <= seconds <= low + 0.5 for low, seconds in zip(least, slept, strict=True))


def assert_in(retry_at: datetime, seconds: float) -> None:
    assert abs(retry_at - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=10)


def test_many_short_waits_come_to_an_end(server: SpotifyServer, client: Spotify, slept: Slept) -> None:
    server.faults.always(RateLimited(0))
    with pytest.raises(RateLimitedError):
        client.recently_played()
    assert sum(slept) == 60


@pytest.mark.parametrize("fault", [RateLimited(50), RateLimited(None), ServerError(), TruncatedBody()])
def test_a_stop_ends_every_wait(server: SpotifyServer, environment: Environment, tmp_path: Path, fault: Fault) -> None:
    stop = threading.Event()
    server.faults.always(fault)
    client = Spotify(login_of(environment, tmp_path), Endpoints(server.url, server.url), stop.wait)
    began = time.monotonic()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    with pytest.raises(StoppedError):
        client.recently_played()
    assert time.monotonic() - began < 2
    timer.join()
    client.close()


def test_logins_can_share_connections(server: SpotifyServer, environment: Environment, tmp_path: Path) -> None:
    transport = Transport(threading.Event().wait, connections=2)
    for state in ("a", "b"):
        login = login_of(environment, tmp_path / state)
        client = Spotify(login, Endpoints(server.url, server.url), transport=transport)
        assert len(client.recently_played()) == 50
        client.close()
    transport.close()


# Trouble


@pytest.mark.parametrize("fault", [ServerError(503), ServerError(500), DroppedConnection(), TruncatedBody(), NotJson()])
@pytest.mark.parametrize("path", ["/v1/me/player/recently-played", "/api/token"])
def test_what_passes_is_tried_again(
    server: SpotifyServer, client: Spotify, slept: Slept, fault: Fault, path: str
) -> None:
    server.faults.add(fault, times=4, path=path)
    assert len(client.recently_played()) == 50
    assert_growing(slept, 4)


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
    server: SpotifyServer, client: Spotify, slept: Slept, fault: Fault, says: str, path: str
) -> None:
    server.faults.always(fault, path=path)
    with pytest.raises(UnreachableError, match=says):
        client.recently_played()
    assert_growing(slept, 4)


@pytest.mark.parametrize(("status", "says"), [(403, "Spotify forbids"), (404, "answered 404")])
def test_an_error_that_is_no_json(server: SpotifyServer, client: Spotify, status: int, says: str) -> None:
    server.faults.add(NotJson(status))
    with pytest.raises(SpotifyError, match=says):
        client.recently_played()


@pytest.mark.parametrize("answer", ENDLESS, ids=lambda each: each.name)
def test_an_answer_without_an_end_is_left(
    answer: Endless, environment: Environment, tmp_path: Path, slept: Slept, monkeypatch: pytest.MonkeyPatch
) -> None:
    with endless(answer, monkeypatch) as url:
        client = Spotify(login_of(environment, tmp_path), Endpoints(url, url), slept)
        with closing(client), pytest.raises(UnreachableError) as raised:
            client.recently_played()
    assert str(raised.value) == f"{url} did not come to the end of an answer; try again later"
    assert_growing(slept, 4)


def test_no_network(environment: Environment, tmp_path: Path, slept: Slept) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and doesn't listen
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        client = Spotify(login_of(environment, tmp_path), Endpoints(url, url), slept)
        with pytest.raises(UnreachableError) as raised:
            client.recently_played()
        client.close()
    assert str(raised.value) == f"cannot reach {url} (no connection); try again later"


def test_nobody_has_logged_in(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    poll = ["poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state"]
    ran = run(*poll)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no SPOTIFY_CLIENT_ID in the environment." in ran.err
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    assert "heavy-rotation login" in run(*poll).err
    assert not (tmp_path / "state").exists()


def test_a_profile_without_an_id_is_told(server: SpotifyServer, client: Spotify) -> None:
    server.account_id = server.user_id = ""
    with pytest.raises(SpotifyError, match="has no id"):
        client.account_id()


def test_endpoints() -> None:
    assert Endpoints.of({}) == Endpoints("https://api.spotify.com", "https://accounts.spotify.com")
    assert Endpoints.of({"SPOTIFY_API_URL": "http://127.0.0.1:1/"}).api == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "url", ["https://look-alike.example", "http://localhost:8080", "http://[::1]:1", "http://127.9.9.9/api"]
)
def test_tokens_go_to_https_and_to_this_machine(url: str) -> None:
    assert Endpoints.of({"SPOTIFY_API_URL": url, "SPOTIFY_ACCOUNTS_URL": url}) == Endpoints(url, url)


@pytest.mark.parametrize(
    "url",
    ["http://api.spotify.com", "http://127.0.0.1.example", "http://localhost.example", "http://10.0.0.1", "http://[::1",
     "http://127.0.0.1@example.com", "ftp://127.0.0.1", "api.spotify.com", "https://", "//127.0.0.1", "http://0.0.0.0"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["SPOTIFY_API_URL", "SPOTIFY_ACCOUNTS_URL"])
def test_tokens_go_nowhere_in_the_open(name: str, url: str) -> None:
    with pytest.raises(SpotifyError, match=f"{name} has to be an https:// address"):
        Endpoints.of({name: url})


def test_a_poll_says_so(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    monkeypatch.setenv("SPOTIFY_API_URL", "http://example.com")
    ran = run("poll", "--once", "--archive", tmp_path / "archive", "--state", tmp_path / "state")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "error: SPOTIFY_API_URL has to be an https:// address" in ran.err
