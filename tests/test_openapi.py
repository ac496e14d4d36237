"""The producer's requests and the look-alike's answers, held to Spotify's API file by a proxy that validates both.

The proxy is Stoplight's Prism, from npm: ``prism`` on PATH, or in the folder that PRISM_FOLDER names, after
``npm install --prefix FOLDER @stoplight/prism-cli``. With ``--errors`` it answers with what is wrong instead of
passing it on, so the producer's poll fails as well. The file is found as in ``tests/demo/test_spotify.py``.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests

from demo.faults import Answer, Fault, QuotaExceeded, RateLimited, Unauthorized, json_answer
from demo.listener import Listen, Listener
from demo.spotify import SpotifyServer
from demo.spotify_http import Call
from tests.ports import free_port

REPOSITORY = Path(__file__).parents[1]
OPENAPI = REPOSITORY / ".." / "shared" / "spotify-web-api" / "openapi.yml"
NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
FEED, PROFILE = "/v1/me/player/recently-played", "/v1/me"
UNTESTED = "requests and answers are not held to Spotify's API file"
_STARTS_WITHIN_SECONDS = 60

pytestmark = pytest.mark.xdist_group("prism")


def find_prism() -> str:
    folder = os.environ.get("PRISM_FOLDER")
    found = shutil.which("prism") or (folder and shutil.which("prism", path=f"{folder}/node_modules/.bin"))
    return found or skip("there is no prism; npm install --prefix FOLDER @stoplight/prism-cli, and PRISM_FOLDER=FOLDER")


def read_specification() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason=f"{UNTESTED}: PyYAML is not installed")
    path = Path(os.environ.get("SPOTIFY_OPENAPI", OPENAPI))
    if not path.is_file():
        skip("no ../shared/spotify-web-api/openapi.yml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return loaded


def skip(why: str) -> NoReturn:
    pytest.skip(f"{UNTESTED}: {why}", allow_module_level=True)


PRISM, SPECIFICATION = find_prism(), read_specification()


def as_answered_today(schemas: dict[str, Any]) -> None:
    """Change what the file demands and the API has not sent since; nothing else is let through.

    Each change fails where the file no longer demands it, and can go then.
    """
    # Withdrawn for apps in development mode since February 2026, deprecated in the file, and still required there.
    schemas["AlbumBase"]["required"].remove("available_markets")
    # Null for what was played from no context, as from the search. The file knows no null.
    history = schemas["PlayHistoryObject"]["properties"]
    assert history["context"]["allOf"] == [{"$ref": "#/components/schemas/ContextObject"}]
    history["context"] = schemas["ContextObject"] | {"nullable": True}


class LookAlike(SpotifyServer):
    """The look-alike, whose items a test can spoil, and which keeps the names of what it was asked with."""

    def __init__(self) -> None:
        self.spoil: Callable[[dict[str, Any]], object] | None = None
        self.asked_with: set[str] = set()
        super().__init__(without_local_files, clock=lambda: NOW)

    def answer(self, call: Call, fault: Fault | None) -> Answer:
        self.asked_with |= call.query.keys()
        answer = super().answer(call, fault)
        if self.spoil is None or call.path != FEED:
            return answer
        body = json.loads(answer.body)
        self.spoil(body["items"][7])
        return json_answer(body)


def without_local_files(start: datetime, end: datetime) -> Iterator[Listen]:
    """What Spotify gives for a file on a disk is null where the file knows only strings, in the real API too."""
    return (listen for listen in Listener(1).listens(start, end) if listen.what.id is not None)


@dataclass
class Proxy:
    """Prism in front of the look-alike."""

    url: str
    token: str
    log: Path
    parameters: set[str]

    def get(self, path: str = FEED, **query: object) -> requests.Response:
        """Ask as the producer does."""
        params = {name: str(value) for name, value in query.items()}
        return requests.get(self.url + path, params, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)


@pytest.fixture(scope="module")
def look_alike() -> Iterator[LookAlike]:
    with LookAlike() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(look_alike: LookAlike, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("prism")
    as_answered_today(SPECIFICATION["components"]["schemas"])
    # Prism does not read the path of the file's server, and takes JSON.
    [server] = SPECIFICATION["servers"]
    assert server["url"].endswith("/v1")
    paths = {f"/v1{path}": item for path, item in SPECIFICATION["paths"].items()}
    asked = {path: paths[path] for path in (FEED, PROFILE)}
    parameters = paths[FEED]["get"]["parameters"]
    (folder / "openapi.json").write_text(json.dumps(SPECIFICATION | {"paths": asked}, default=str))
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PRISM, "proxy", "--errors", "--host=127.0.0.1", f"--port={port}", "openapi.json", look_alike.url],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
    try:
        ends = time.monotonic() + _STARTS_WITHIN_SECONDS
        while "Prism is listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.1)
        accounts = look_alike.accounts
        granted = requests.post(
            f"{look_alike.url}/api/token",
            {"grant_type": "refresh_token", "refresh_token": accounts.refresh_token},
            auth=(accounts.client_id, accounts.client_secret),
            timeout=10,
        )
        known = SPECIFICATION["components"]["parameters"]
        parameters = [known[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in parameters]
        names = {parameter["name"] for parameter in parameters}
        yield Proxy(f"http://127.0.0.1:{port}", granted.json()["access_token"], log, names)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def unspoiled(look_alike: LookAlike) -> None:
    look_alike.spoil = None
    look_alike.faults.clear()


def test_a_poll_is_as_the_api_file_says(proxy: Proxy, look_alike: LookAlike, tmp_path: Path) -> None:
    accounts = look_alike.accounts
    look_alike.asked_with.clear()
    before = len(look_alike.requests)
    ran = subprocess.run(
        [sys.executable, "-m", "producer", "poll", "--once", "--archive", tmp_path / "a", "--state", tmp_path / "s"],
        env={name: value for name, value in os.environ.items() if not name.startswith("SPOTIFY_")} | {
            "XDG_CONFIG_HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path),
            "SPOTIFY_API_URL": proxy.url,
            "SPOTIFY_ACCOUNTS_URL": look_alike.url,
            "SPOTIFY_CLIENT_ID": accounts.client_id,
            "SPOTIFY_CLIENT_SECRET": accounts.client_secret,
            "SPOTIFY_REFRESH_TOKEN": accounts.refresh_token,
        },
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + proxy.log.read_text()
    assert "50 listed, 50 new, 50 published" in ran.stdout
    assert [request.path for request in look_alike.requests[before:]] == ["/api/token", PROFILE, FEED]
    assert look_alike.asked_with <= proxy.parameters, "Prism lets pass what the file does not know"


@pytest.mark.parametrize("fault", [RateLimited(2), RateLimited(None), QuotaExceeded(), Unauthorized()])
def test_errors_are_as_the_api_file_says(proxy: Proxy, look_alike: LookAlike, fault: Fault) -> None:
    look_alike.faults.add(fault)
    answer = proxy.get(limit=50)
    assert answer.status_code == answer.json()["error"]["status"] == (401 if fault == Unauthorized() else 429)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda item: item["track"].update(duration_ms="long"), "items.7.track.duration_ms must be integer"),
        (lambda item: item.update(played_at=1), "items.7.played_at must be string"),
        (lambda item: item.update(context="album"), "items.7.context must be object"),
        (lambda item: item["track"]["album"].pop("images"), "must have required property 'images'"),
        (lambda item: item["track"]["album"].update(album_type="tape"), "must be equal to one of the allowed values"),
    ],
)
def test_a_spoiled_answer_is_found(
    proxy: Proxy, look_alike: LookAlike, spoil: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    look_alike.spoil = spoil
    answer = proxy.get(limit=50)
    assert answer.status_code == 500
    assert complaint in answer.text


@pytest.mark.parametrize(("path", "limit"), [(FEED, 51), (FEED, 0), (FEED, "all"), ("/v1/me/player/recent", 50)])
def test_a_wrong_request_is_found(proxy: Proxy, path: str, limit: object) -> None:
    assert proxy.get(path, limit=limit).status_code in (404, 422)
