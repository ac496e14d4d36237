"""Logins: the look-alike's consent page, a real redirect to this machine, and a browser that follows it."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from demo.faults import NotJson, RateLimited, ServerError
from pipelines.clock import utc_now
from pipelines.failure import Failure
from pipelines.storage.files import StorageError
from producer.accounts.authorization import browser_of, log_in
from producer.accounts.grant import TOKEN_LIFE, Grant, LoginStore
from producer.accounts.redirect import Redirect, redirect_uri
from producer.accounts.stores import store_of
from producer.identity.remembered import ImportedPlay, TrackName
from producer.spotify.client import Endpoints
from producer.spotify.oauth import App, LoginError
from producer.state.cursor import Cursors
from tests.commands import Run
from tests.ports import free_port
from tests.standins import browser
from tests.standins.browser import browse
from tests.standins.spotify import Spotify

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server() -> Iterator[Spotify]:
    with Spotify() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> LoginStore:
    return store_of(str(tmp_path / "logins"))


class Person:
    """Logs in, and sees what a person sees: the terminal's lines, and the pages in the browser."""

    def __init__(self, server: Spotify, store: LoginStore, port: int) -> None:
        self.server, self.store, self.port = server, store, port
        self.has_secret = True
        self.within_seconds = 20.0
        self.told: list[str] = []
        self.pages: list[requests.Response] = []

    def log_in(self, does: Callable[[str], requests.Response] = browse) -> Grant:
        accounts = self.server.accounts
        with ThreadPoolExecutor() as threads:
            pages: list[Future[requests.Response]] = []
            try:
                return log_in(
                    App(accounts.client_id, accounts.client_secret if self.has_secret else None),
                    self.store,
                    Endpoints(self.server.url, self.server.url),
                    utc_now,
                    port=self.port,
                    browse=lambda address: pages.append(threads.submit(does, address)),
                    tell=self.told.append,
                    within_seconds=self.within_seconds,
                    wait=lambda _: None,
                )
            finally:
                self.pages += [page.result(10) for page in pages]

    def here(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)


@pytest.fixture
def person(server: Spotify, store: LoginStore, port: int) -> Person:
    return Person(server, store, port)


@pytest.mark.parametrize("has_secret", [True, False])
def test_a_login(person: Person, store: LoginStore, has_secret: bool) -> None:
    person.has_secret = has_secret
    began = utc_now()
    grant = person.log_in()
    assert grant.account_id == person.server.account_id
    assert grant.authorized_at
    assert began <= grant.authorized_at <= utc_now()
    assert store.load(grant.account_id) == grant
    [page] = person.pages
    assert (page.status_code, "Thank you" in page.text) == (200, True)
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert grant.refresh_token not in page.text + repr(grant) + "".join(person.told)


def test_what_spotify_is_asked_for(person: Person, port: int) -> None:
    asked: dict[str, list[str]] = {}

    def look(address: str) -> requests.Response:
        asked.update(parse_qs(urlsplit(address).query))
        return browse(address)

    person.log_in(look)
    state, challenge = asked.pop("state")[0], asked.pop("code_challenge")[0]
    assert len(state) >= 43
    assert len(challenge) == 43
    assert asked == {
        "response_type": ["code"],
        "client_id": [person.server.accounts.client_id],
        "scope": ["user-read-recently-played"],
        "redirect_uri": [f"http://127.0.0.1:{port}/callback"],
        "code_challenge_method": ["S256"],
    }
    person.log_in(look)
    assert asked["state"] != [state]
    assert asked["code_challenge"] != [challenge]


def test_a_second_login_replaces_the_token_and_another_account_is_kept_beside(
    person: Person, store: LoginStore
) -> None:
    first = person.log_in()
    second = person.log_in()
    assert first.refresh_token != second.refresh_token
    assert store.load(first.account_id) == second
    person.server.account_id = "another"
    third = person.log_in()
    assert store.accounts() == sorted([first.account_id, "another"])
    assert (store.load(first.account_id), store.load("another")) == (second, third)


def test_whoever_declines_is_not_logged_in(person: Person, store: LoginStore) -> None:
    person.server.accounts.agrees = False
    with pytest.raises(LoginError, match="not allowed to give access; log in again"):
        person.log_in()
    assert "Not logged in" in person.pages[0].text
    assert store.accounts() == []


def test_a_wrong_state_is_refused_and_the_right_one_still_counts(person: Person) -> None:
    def attacked(address: str) -> requests.Response:
        for query in ("code=theirs&state=guessed", "code=theirs", "error=access_denied&state=%C3%A9", ""):
            refused = person.here(f"/callback?{query}")
            assert (refused.status_code, "Nothing was done" in refused.text) == (400, True)
        return browse(address)

    assert person.log_in(attacked).account_id == person.server.account_id
    assert person.pages[0].status_code == 200


def test_icons_and_other_pages_are_not_there(person: Person) -> None:
    def curious(address: str) -> requests.Response:
        for path in ("/favicon.ico", "/", "/callback/x"):
            assert person.here(path).status_code == 404
        assert requests.post(f"http://127.0.0.1:{person.port}/callback", timeout=5).status_code == 501
        return browse(address)

    assert person.log_in(curious)
    assert person.pages


def test_a_second_answer_changes_nothing(port: int) -> None:
    with Redirect(port, "state") as redirect, closing(socket.create_connection(("127.0.0.1", port))):
        # The connection that stays idle is one that a browser opens in advance.
        urls = [f"{redirect_uri(port)}?state=state&code={code}" for code in range(8)]
        with ThreadPoolExecutor(8) as threads:
            pages = list(threads.map(lambda url: requests.get(url, timeout=10), urls))
        [first] = [code for code, page in enumerate(pages) if "Thank you" in page.text]
        assert sum("Done already" in page.text for page in pages) == 7
        assert redirect.code(5) == str(first)


@pytest.mark.parametrize(
    ("said", "told"),
    [("server_error", "server_error"), ("<script>alert(1)</script>", "an error"), ("\x1b[2J", "an error")],
)
def test_what_the_browser_brings_is_not_believed(person: Person, said: str, told: str) -> None:
    def bring(address: str) -> requests.Response:
        state = parse_qs(urlsplit(address).query)["state"][0]
        url = f"http://127.0.0.1:{person.port}/callback"
        return requests.get(url, params={"error": said, "state": state}, timeout=10)

    with pytest.raises(LoginError, match=f"Spotify refuses the login: {told}$"):
        person.log_in(bring)
    assert said not in person.pages[0].text or said == told


def test_a_code_that_spotify_does_not_know(person: Person, store: LoginStore) -> None:
    def forge(address: str) -> requests.Response:
        state = parse_qs(urlsplit(address).query)["state"][0]
        return person.here(f"/callback?code=hidden-code&state={state}")

    with pytest.raises(LoginError, match=f"have exactly http://127.0.0.1:{person.port}/callback") as raised:
        person.log_in(forge)
    assert "hidden" not in str(raised.value)
    assert store.accounts() == []


def test_a_redirect_uri_that_is_not_registered(person: Person) -> None:
    person.server.accounts.redirect_uris = {"http://127.0.0.1:8888/callback"}
    person.within_seconds = 0.5
    uri = f"http://127.0.0.1:{person.port}/callback"
    with pytest.raises(LoginError, match=f"not matching, add exactly {uri} to your app's redirect URIs"):
        person.log_in()
    assert person.pages[0].text == "redirect_uri: Not matching configuration"
    assert uri in person.told[0], "and it was said before"


def test_a_port_in_use(person: Person) -> None:
    with closing(socket.create_server(("127.0.0.1", person.port))), pytest.raises(LoginError) as raised:
        person.log_in()
    assert f"cannot listen on 127.0.0.1:{person.port} (Address already in use)" in str(raised.value)
    assert "--port" in str(raised.value)
    assert person.told == []


def test_the_port_is_free_again_and_was_never_open_to_others(person: Person) -> None:
    def look(address: str) -> requests.Response:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for host in addresses - {"127.0.0.1"}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((host, person.port), timeout=2)
        return browse(address)

    person.log_in(look)
    assert person.pages
    with pytest.raises(requests.ConnectionError):
        person.here("/callback")


@pytest.mark.parametrize("path", ["/api/token", "/v1/me"])
def test_spotifys_trouble_is_told_and_nothing_is_stored(person: Person, store: LoginStore, path: str) -> None:
    person.server.faults.add(NotJson(404), path=path)
    with pytest.raises(Failure, match="answered 404; try again later"):
        person.log_in()
    person.server.faults.add(ServerError(), path=path)
    person.server.faults.add(RateLimited(1), path=path)
    assert store.accounts() == []
    assert person.log_in()


def test_a_store_that_cannot_be_used_is_told_before_the_browser_opens(person: Person, tmp_path: Path) -> None:
    (tmp_path / "logins").touch()
    with pytest.raises(StorageError, match="a folder is needed there"):
        person.log_in()
    assert (person.told, person.pages) == ([], [])


# The command


@pytest.fixture
def environment(server: Spotify, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "SPOTIFY_API_URL": server.url,
        "SPOTIFY_ACCOUNTS_URL": server.url,
        "SPOTIFY_CLIENT_ID": server.accounts.client_id,
        "SPOTIFY_CLIENT_SECRET": server.accounts.client_secret,
        "BROWSER": f"{shlex.quote(sys.executable)} {shlex.quote(browser.__file__)} %s",
    }


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "producer", *map(str, arguments)]


def test_the_command_with_a_browser_and_a_poll_after_it(
    server: Spotify, environment: dict[str, str], port: int, tmp_path: Path
) -> None:
    logins = tmp_path / "logins"
    ran = subprocess.run(
        command("login", "--port", str(port), "--logins", logins),
        env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    until = utc_now() + TOKEN_LIFE
    assert ran.stdout.splitlines() == [
        f"logged in   {server.account_id}",
        f"stored in   {logins}",
        f"lasts until {until:%Y-%m-%d}, six months as Spotify has it; log in again by then",
        "",
        f"next: {sys.executable} -m heavy_rotation poll --every 10m --logins {logins}",
    ]
    assert f"must have http://127.0.0.1:{port}/callback\n" in ran.stderr
    poll = command("poll", "--once", "--archive", tmp_path / "a", "--state", tmp_path / "s", "--logins", logins)
    ran = subprocess.run(poll, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"{server.account_id}: 50 listed" in ran.stdout
    assert (logins / f"{server.account_id}.json").stat().st_mode & 0o777 == 0o600


def test_the_command_without_a_browser(environment: dict[str, str], port: int, tmp_path: Path) -> None:
    with start(environment, port, "--no-browser") as process:
        told = until_waiting(process)
        [address] = [line.strip() for line in told if "/authorize?" in line]
        assert any(f"ssh -L {port}:127.0.0.1:{port}" in line for line in told)
        browse(address)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (0, "")
    assert f"stored in   {tmp_path / 'config' / 'heavy-rotation' / 'logins'}\n" in out
    assert out.endswith("-m heavy_rotation poll --every 10m\n")


def test_what_was_imported_before_can_become_the_account_s(
    server: Spotify, environment: dict[str, str], port: int, tmp_path: Path
) -> None:
    track = TrackName("a", "Artist", "Track a")
    cursors = Cursors(tmp_path / "state")
    cursors.change(cursors.read("me"), lambda me: replace(me, imported=(ImportedPlay(1, 1, 1, 0, False, track, 1),)))
    with start(environment, port, "--no-browser", "--state", str(tmp_path / "state")) as process:
        [address] = [line.strip() for line in until_waiting(process) if "/authorize?" in line]
        browse(address)
        out, _ = process.communicate(timeout=20)
    rename = f"rename --to {server.account_id} --state {tmp_path / 'state'}"
    assert out.splitlines()[-2:] == [
        f"next: {sys.executable} -m heavy_rotation {rename}",
        f"      {sys.executable} -m heavy_rotation poll --every 10m",
    ]


def test_ctrl_c(environment: dict[str, str], port: int, tmp_path: Path) -> None:
    with start(environment, port, "--no-browser") as process:
        until_waiting(process)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=10)
    assert (process.returncode, out, error.count("\n")) == (130, "", 1)
    assert error.startswith("stopped; ")
    assert not (tmp_path / "config").exists()


def start(environment: dict[str, str], port: int, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command("login", "--port", str(port), *arguments),
        env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until_waiting(process: "subprocess.Popen[str]") -> list[str]:
    """What it says on stderr until it waits."""
    assert process.stderr
    told: list[str] = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("Waiting"):
            return told
    raise AssertionError("".join(told))


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_a_port_that_is_none(run: Run, port: str) -> None:
    ran = run("login", f"--port={port}")
    assert (ran.code, "is no port" in ran.err) == (2, True)


def test_without_an_app(run: Run) -> None:
    ran = run("login", "--no-browser")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: there is no SPOTIFY_CLIENT_ID in the environment.")


def test_the_help_says_which_redirect_uri_to_register(run: Run) -> None:
    assert "\n  http://127.0.0.1:8721/callback\n" in run("login", "--help").out


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there is always a screen")
def test_without_a_screen_no_browser_is_looked_for() -> None:
    assert browser_of({}) is None
    assert browser_of({"DISPLAY": ":0"})
