"""The Spotify look-alike over real HTTP: limits, cursors, tokens, faults, what Spotify's API file says."""

import base64
import errno
import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from demo.catalogue import Track
from demo.faults import (
    DroppedConnection,
    DuplicateItems,
    HeldBack,
    LateListing,
    NotJson,
    QuotaExceeded,
    RateLimited,
    ResetConnection,
    ServerError,
    ShuffledItems,
    SlowAnswer,
    TruncatedBody,
    Unauthorized,
)
from demo.listener import Listen, Listener
from demo.spotify import Request, SpotifyServer

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
LISTENER = Listener(1)
FEED = "/v1/me/player/recently-played"
REDIRECT = "http://127.0.0.1:8888/callback"
OPENAPI = Path(__file__).parents[2] / ".." / "shared" / "spotify-web-api" / "openapi.yml"


@dataclass
class Clock:
    """A clock that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Client:
    """A client with a token, on one connection."""

    server: SpotifyServer
    clock: Clock
    token_clock: Clock
    http: requests.Session

    def log_in(self) -> None:
        token = self.refresh().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def post_token(self, auth: tuple[str, str] | None = None, **form: str) -> requests.Response:
        # Not on the session, whose bearer token isn't for the accounts service.
        return requests.post(f"{self.server.url}/api/token", data=form, auth=auth, timeout=5)

    def refresh(self, token: str | None = None) -> requests.Response:
        accounts = self.server.accounts
        return self.post_token(
            (accounts.client_id, accounts.client_secret),
            grant_type="refresh_token",
            refresh_token=token or accounts.refresh_token,
        )

    def get(self, path: str = FEED, **params: object) -> requests.Response:
        return self.http.get(self.server.url + path, params={k: str(v) for k, v in params.items()}, timeout=5)

    def items(self, **params: object) -> list[dict[str, Any]]:
        response = self.get(**params)
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json()["items"]
        return items


@pytest.fixture
def client() -> Iterator[Client]:
    clock, token_clock = Clock(), Clock(datetime(2026, 11, 20, tzinfo=UTC))
    with (
        SpotifyServer(LISTENER.listens, clock=clock, token_clock=token_clock) as server,
        requests.Session() as http,
    ):
        client = Client(server, clock, token_clock, http)
        client.log_in()
        yield client


def expected(count: int = 50, now: datetime = NOW) -> list[Listen]:
    """The last plays, worked out from the listener's habits without the server's code."""
    listens = list(LISTENER.listens(now - timedelta(days=20), now + timedelta(milliseconds=1)))
    listed = [each for each in listens if isinstance(each.what, Track) and each.ms_played > 30_000]
    return listed[: -count - 1 : -1]


def played_at(listens: list[Listen]) -> list[str]:
    return [each.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for each in listens]


def unix_ms(listen: Listen) -> int:
    return round(listen.ended_at.timestamp() * 1000)


def error_of(response: requests.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert error["status"] == response.status_code
    return error["status"], error["message"]


# Recently played


def test_it_lists_twenty_plays_newest_first(client: Client) -> None:
    body = client.get().json()
    assert [item["played_at"] for item in body["items"]] == played_at(expected(20))
    assert body["limit"] == 20
    assert body["cursors"] == {
        "after": str(unix_ms(expected(20)[0])),
        "before": str(unix_ms(expected(20)[-1])),
    }


@pytest.mark.parametrize("limit", [1, 2, 49, 50])
def test_the_limit_is_kept(client: Client, limit: int) -> None:
    assert [item["played_at"] for item in client.items(limit=limit)] == played_at(expected(limit))


@pytest.mark.parametrize("limit", [0, -1, 51, "many", ""])
def test_a_limit_outside_1_to_50_is_refused(client: Client, limit: object) -> None:
    assert error_of(client.get(limit=limit)) == (400, "Invalid limit")


def test_after_and_before_exclude_each_other(client: Client) -> None:
    assert error_of(client.get(after=1, before=2))[0] == 400


@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_that_is_no_number_is_refused(client: Client, name: str) -> None:
    assert error_of(client.get(**{name: "2026-11-01"})) == (400, f"Invalid {name}")


def test_cursors_are_exclusive(client: Client) -> None:
    plays = expected()
    after = client.items(limit=50, after=unix_ms(plays[10]))
    before = client.items(limit=50, before=unix_ms(plays[10]))
    assert [item["played_at"] for item in after] == played_at(plays[:10])
    assert [item["played_at"] for item in before] == played_at(plays[11:])
    assert len(client.items(limit=50, after=unix_ms(plays[10]) - 1)) == 11


def test_paging_ends_after_fifty_plays(client: Client) -> None:
    url, seen = f"{client.server.url}{FEED}?limit=20", []
    pages = 0
    while url:
        body = client.http.get(url, timeout=5).json()
        seen += [item["played_at"] for item in body["items"]]
        url = body["next"]
        pages += 1
    assert seen == played_at(expected())
    assert pages == 4  # 20, 20, 10, none
    assert (body["items"], body["next"], body["cursors"]) == ([], None, None)


def test_nothing_is_new_after_the_newest(client: Client) -> None:
    newest = client.get(limit=1).json()["cursors"]["after"]
    assert client.items(after=newest) == []


def test_a_play_is_listed_from_the_instant_it_ended(client: Client) -> None:
    last = expected(1)[0]
    client.clock.now = last.ended_at
    assert client.items(limit=1)[0]["played_at"] == played_at([last])[0]
    client.clock.now -= timedelta(milliseconds=1)
    assert client.items(limit=1)[0]["played_at"] < played_at([last])[0]


def test_a_poll_each_twenty_minutes_misses_nothing(client: Client) -> None:
    seen: set[str] = set()
    cursor = unix_ms(expected(1)[0])
    for _ in range(24 * 3):
        client.clock.now += timedelta(minutes=20)
        body = client.get(limit=50, after=cursor).json()
        seen.update(item["played_at"] for item in body["items"])
        cursor = int((body["cursors"] or {"after": cursor})["after"])
    everything = LISTENER.listens(NOW, NOW + timedelta(days=1))
    listed = [each for each in everything if isinstance(each.what, Track) and each.ms_played > 30_000]
    assert seen == set(played_at(listed))


def test_podcasts_and_short_plays_are_not_listed_and_local_files_are() -> None:
    catalogue = LISTENER.catalogue
    song = catalogue.albums[0][1][0]

    def play(minutes: int, ms_played: int, what: Any) -> Listen:
        ended_at = NOW - timedelta(minutes=minutes)
        return Listen(ended_at, ms_played, what, None, "trackdone", "trackdone", False, False, "ios")

    history = [
        play(50, 30_000, song), play(40, 30_001, song), play(30, 90_000, catalogue.local_tracks[0]),
        play(20, 900_000, catalogue.episodes[0]), play(10, 200, song),
    ]  # fmt: skip
    with SpotifyServer(lambda *_: history, clock=Clock()) as server, requests.Session() as http:
        client = Client(server, Clock(), Clock(), http)
        client.log_in()
        local, whole = client.items()
    assert (local["track"]["id"], local["track"]["is_local"]) == (None, True)
    assert local["track"]["name"] == "Rehearsal Take 1"
    assert (whole["track"]["id"], whole["context"]) == (song.id, None)


# The API file


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="Spotify's API file is not checked: PyYAML is not installed")
    path = Path(os.environ.get("SPOTIFY_OPENAPI", OPENAPI))
    if not path.is_file():
        pytest.skip("Spotify's API file is not checked: no ../shared/spotify-web-api/openapi.yml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    components = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["components"]
    loaded: dict[str, Any] = components["schemas"]
    return loaded


def test_answers_are_as_the_api_file_says(client: Client, schemas: dict[str, Any]) -> None:
    body = client.get(limit=50).json()
    for item in body["items"]:
        if not item["track"]["is_local"]:  # null where the file knows only strings, in the real API too
            assert problems(schemas, "PlayHistoryObject", item) == []
            assert item.keys() == {"track", "played_at", "context"}
    assert {item["track"]["type"] for item in body["items"]} == {"track"}
    assert problems(schemas, "CursorPagingPlayHistoryObject", body) == []
    assert problems(schemas, "PrivateUserObject", client.get("/v1/me").json()) == []
    assert problems(schemas, "ErrorObject", client.get(limit=0).json()["error"]) == []


def test_tracks_have_all_that_is_not_withdrawn(client: Client, schemas: dict[str, Any]) -> None:
    # Optional in the file, and only there when a market was asked for or a restriction applies.
    conditional = {"is_playable", "restrictions"}
    for name, value in (
        ("TrackObject", client.items(limit=1)[0]["track"]),
        ("SimplifiedAlbumObject", client.items(limit=1)[0]["track"]["album"]),
    ):
        current = {key for key, schema in properties(schemas, name).items() if not schema.get("deprecated")}
        assert current - conditional <= value.keys()
        assert value.keys() - current <= {"preview_url"}  # withdrawn as null, not as absent


def test_the_check_itself_finds_what_is_wrong(client: Client, schemas: dict[str, Any]) -> None:
    item = client.items(limit=1)[0]
    item["track"]["album"].pop("images")
    item["track"]["duration_ms"] = "long"
    item["track"]["album"]["album_type"] = "mixtape"
    item["track"]["surprise"] = 1
    found = problems(schemas, "PlayHistoryObject", item)
    assert len(found) == 4, found


def properties(schemas: dict[str, Any], name: str) -> dict[str, Any]:
    """The properties of a schema, those of its parts included."""
    schema = schemas[name]
    found: dict[str, Any] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        reference = part.get("$ref", "").rpartition("/")[2]
        found |= properties(schemas, reference) if reference else part.get("properties", {})
    return found


def problems(schemas: dict[str, Any], name: str, value: Any) -> list[str]:
    """Where a value isn't what the named schema says: required, known, typed and enumerated fields."""
    known = properties(schemas, name)
    parts = [schemas[name], *schemas[name].get("allOf", [])]
    parts += [schemas[part["$ref"].rpartition("/")[2]] for part in parts if "$ref" in part]
    required = {key for part in parts for key in part.get("required", []) if not known[key].get("deprecated")}
    found = [f"{name}: no {key}" for key in required - value.keys()]
    found += [f"{name}: unknown {key}" for key in value.keys() - known.keys()]
    for key in value.keys() & known.keys():
        found += mismatches(schemas, f"{name}.{key}", known[key], value[key])
    return found


# Null in the real API although the file doesn't say so, or says it in words only.
NULLABLE = {"CursorPagingPlayHistoryObject.next", "PlayHistoryObject.context"}


def mismatches(schemas: dict[str, Any], where: str, schema: dict[str, Any], value: Any) -> list[str]:
    if value is None:
        return [] if schema.get("nullable") or where in NULLABLE else [f"{where}: null"]
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", [])), None)
    if reference is not None:
        name = reference.rpartition("/")[2]
        is_plain = schemas[name].get("type", "object") != "object"
        return mismatches(schemas, where, schemas[name], value) if is_plain else problems(schemas, name, value)
    if "oneOf" in schema:  # the first is a track, and no other is invented here
        return mismatches(schemas, where, schema["oneOf"][0], value)
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict}
    if type(value) is not kinds[schema["type"]]:
        return [f"{where}: {value!r} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if schema["type"] == "array":
        return [found for each in value for found in mismatches(schemas, where, schema["items"], each)]
    return []


# Tokens


def test_a_profile_has_the_stable_id_and_nothing_withdrawn(client: Client) -> None:
    profile = client.get("/v1/me").json()
    assert profile["account_id"] == client.server.account_id
    assert profile["id"] == "imaginary-listener"
    assert not profile.keys() & {"email", "country", "product", "followers", "explicit_content"}


@pytest.mark.parametrize("path", ["/v1/me", FEED])
def test_without_a_token_nothing_is_told(client: Client, path: str) -> None:
    del client.http.headers["Authorization"]
    assert error_of(client.get(path)) == (401, "No token provided")
    client.http.headers["Authorization"] = "Bearer made-up"
    assert error_of(client.get(path))[0] == 401
    client.http.headers["Authorization"] = "Token made-up"
    assert error_of(client.get(path))[0] == 400


def test_an_access_token_ends_after_an_hour(client: Client) -> None:
    client.token_clock.now += timedelta(minutes=59, seconds=59)
    assert client.get().status_code == 200
    client.token_clock.now += timedelta(seconds=1)
    assert error_of(client.get()) == (401, "The access token expired")
    client.log_in()
    assert client.get().status_code == 200


def test_access_tokens_can_be_expired_on_request(client: Client) -> None:
    client.server.accounts.expire_access_tokens()
    assert client.get().status_code == 401
    client.log_in()
    assert client.get().status_code == 200


def test_a_refresh_takes_basic_authentication_or_the_client_id(client: Client) -> None:
    accounts = client.server.accounts
    form = {"grant_type": "refresh_token", "refresh_token": accounts.refresh_token}
    answer = client.refresh()
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    assert client.post_token(None, client_id=accounts.client_id, **form).status_code == 200
    for refused in (
        client.post_token((accounts.client_id, "wrong"), **form),
        client.post_token(None, client_id="wrong", **form),
    ):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")


def test_a_refresh_token_ends_six_months_after_the_consent(client: Client) -> None:
    client.token_clock.now += timedelta(days=181)
    assert client.refresh().status_code == 200  # which doesn't extend it
    client.token_clock.now += timedelta(days=1)
    answer = client.refresh()
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_revoked_consent_ends_both_tokens(client: Client) -> None:
    client.server.accounts.revoke()
    assert client.get().status_code == 401
    assert client.refresh().json()["error"] == "invalid_grant"


def test_rotated_refresh_tokens_work_once() -> None:
    with (
        SpotifyServer(LISTENER.listens, clock=Clock(), rotate_refresh_tokens=True) as server,
        requests.Session() as http,
    ):
        client = Client(server, Clock(), Clock(), http)
        second = client.refresh().json()["refresh_token"]
        assert client.refresh().json()["error"] == "invalid_grant"
        assert client.refresh(second).status_code == 200


def test_a_login_with_pkce(client: Client) -> None:
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    accounts = client.server.accounts

    def code() -> str:
        answer = client.http.get(
            f"{client.server.url}/authorize",
            params={
                "client_id": accounts.client_id, "response_type": "code", "redirect_uri": REDIRECT,
                "state": "s1", "scope": "user-read-recently-played",
                "code_challenge": challenge, "code_challenge_method": "S256",
            },
            allow_redirects=False,
            timeout=5,
        )  # fmt: skip
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(f"{REDIRECT}?")
        given = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert given["state"] == ["s1"]
        return given["code"][0]

    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "client_id": accounts.client_id}
    first = code()
    granted = client.post_token(None, code=first, code_verifier=verifier, **form)
    assert granted.status_code == 200
    client.http.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
    assert client.get().status_code == 200
    assert client.refresh(granted.json()["refresh_token"]).status_code == 200
    for refused in (
        client.post_token(None, code=first, code_verifier=verifier, **form),  # a code works once
        client.post_token(None, code=code(), code_verifier="wrong", **form),
        client.post_token(
            None, code=code(), code_verifier=verifier, **(form | {"redirect_uri": "http://127.0.0.1:1/"})
        ),
    ):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_login_without_the_scope_cannot_read_plays(client: Client) -> None:
    accounts = client.server.accounts
    params = {"client_id": accounts.client_id, "response_type": "code", "redirect_uri": REDIRECT}
    url = f"{client.server.url}/authorize"
    answer = client.http.get(url, params=params, allow_redirects=False, timeout=5)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    granted = client.post_token(
        (accounts.client_id, accounts.client_secret),
        grant_type="authorization_code", code=code, redirect_uri=REDIRECT,
    )  # fmt: skip
    client.http.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
    assert client.get("/v1/me").status_code == 200
    assert error_of(client.get()) == (403, "Insufficient client scope")


def test_localhost_is_no_redirect_uri(client: Client) -> None:
    params = {"client_id": client.server.accounts.client_id, "response_type": "code"}
    url = f"{client.server.url}/authorize"
    answer = client.http.get(url, params=params | {"redirect_uri": "http://localhost:8888/"}, timeout=5)
    assert answer.status_code == 400


def test_an_unknown_grant_or_path_is_refused(client: Client) -> None:
    answer = client.post_token(None, client_id=client.server.accounts.client_id, grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert error_of(client.get("/v1/tracks"))[0] == 404


# Faults


def test_too_many_requests(client: Client) -> None:
    client.server.faults.add(RateLimited())
    client.server.faults.add(RateLimited(retry_after=74_214))
    client.server.faults.add(RateLimited(retry_after=None))
    answers = [client.get() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 429, 200]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["2", "74214", None, None]


def test_an_exceeded_quota_is_told_from_a_rate_limit(client: Client) -> None:
    client.server.faults.add(QuotaExceeded())
    answer = client.get()
    assert answer.json()["error"]["reason"] == "QUOTA_EXCEEDED"
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "48925")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors(client: Client, status: int) -> None:
    client.server.faults.add(ServerError(status), times=2)
    assert [client.get().status_code for _ in range(3)] == [status, status, 200]


def test_a_dropped_connection(client: Client) -> None:
    client.server.faults.add(DroppedConnection())
    with pytest.raises(requests.ConnectionError):
        client.get()
    assert client.get().status_code == 200
    assert [request.status for request in client.server.requests[-2:]] == [0, 200]


def test_a_truncated_body(client: Client) -> None:
    client.server.faults.add(TruncatedBody())
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.get()
    assert client.get().status_code == 200


def test_a_connection_that_is_reset(client: Client) -> None:
    client.server.faults.add(ResetConnection())
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match="reset"):
        client.get()
    assert client.get().status_code == 200


def test_a_fresh_token_that_is_refused(client: Client) -> None:
    client.server.faults.add(Unauthorized())
    assert error_of(client.get()) == (401, "The access token expired")
    assert client.get().status_code == 200


def test_a_body_that_is_no_json(client: Client) -> None:
    client.server.faults.add(NotJson())
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.get().json()


def test_a_slow_answer_is_right_in_the_end(client: Client) -> None:
    client.server.faults.add(SlowAnswer(0.3))
    started = time.monotonic()
    assert len(client.items()) == 20
    assert time.monotonic() - started >= 0.3


def test_a_late_listing_holds_new_plays_back(client: Client) -> None:
    client.server.faults.add(LateListing(seconds=7200))
    late = [item["played_at"] for item in client.items(limit=50)]
    assert late == played_at(expected(now=NOW - timedelta(hours=2)))
    assert [item["played_at"] for item in client.items(limit=50)] == played_at(expected())


def test_duplicate_items(client: Client) -> None:
    client.server.faults.add(DuplicateItems())
    listed = [item["played_at"] for item in client.items(limit=3)]
    assert listed == [at for at in played_at(expected(3)) for _ in range(2)]


def test_duplicates_that_fill_the_page(client: Client) -> None:
    client.server.faults.add(DuplicateItems(fills_page=True))
    listed = [item["played_at"] for item in client.items(limit=50)]
    assert listed == [at for at in played_at(expected(25)) for _ in range(2)]


def test_plays_that_are_held_back_come_later(client: Client) -> None:
    for seed in range(3):
        client.server.faults.add(HeldBack(seconds=86_400, seed=seed))
    shorter = [{item["played_at"] for item in client.items(limit=50)} for _ in range(3)]
    recent = [play for play in expected() if play.ended_at > NOW - timedelta(days=1)]
    for listed in shorter:
        assert len(listed) == 50, "older ones take their places"
        assert 0 < len(listed & set(played_at(recent))) < len(recent)
    assert shorter[0] != shorter[1]
    assert [item["played_at"] for item in client.items(limit=50)] == played_at(expected())


def test_shuffled_items(client: Client) -> None:
    client.server.faults.add(ShuffledItems())
    listed = [item["played_at"] for item in client.items()]
    assert listed != played_at(expected(20))
    assert sorted(listed, reverse=True) == played_at(expected(20))


def test_faults_meet_their_path_in_turn_and_stand_until_cleared(client: Client) -> None:
    faults = client.server.faults
    faults.always(ServerError(500))
    faults.add(None)
    faults.add(RateLimited(), path="/v1/me")
    assert [client.get().status_code for _ in range(3)] == [200, 500, 500]
    assert [client.get("/v1/me").status_code for _ in range(2)] == [429, 200]
    faults.clear()
    assert client.get().status_code == 200
    faults.add(ServerError(), path="/api/token")
    assert client.refresh().status_code == 503


# The server


def test_the_log_keeps_no_secret(client: Client) -> None:
    client.get("/v1/me")
    client.get(limit=3, after=5, access_token="secret")
    assert client.server.requests == [
        Request("POST", "/api/token", 200),
        Request("GET", "/v1/me", 200),
        Request("GET", FEED, 200, {"limit": "3", "after": "5"}),
    ]


def test_many_clients_at_once_get_the_same(client: Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        headers = {"Authorization": str(client.http.headers["Authorization"])}
        url = client.server.url + FEED
        calls = [threads.submit(requests.get, url, headers=headers, timeout=10) for _ in range(40)]
        bodies = {call.result().text for call in calls}
    assert len(bodies) == 1


def test_connections_are_kept_alive(client: Client) -> None:
    started = time.monotonic()
    for _ in range(400):
        assert client.get("/v1/me").headers.get("Connection") != "close"
    assert time.monotonic() - started < 8  # 40 ms each, were head and body sent apart


def test_stopping_does_not_wait_for_idle_clients(client: Client) -> None:
    started = time.monotonic()
    client.server.stop()
    client.server.stop()
    assert time.monotonic() - started < 5


def test_a_port_in_use_is_said_clearly(client: Client) -> None:
    port = int(client.server.url.rpartition(":")[2])
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
        SpotifyServer(LISTENER.listens, port=port).start()
    assert caught.value.errno == errno.EADDRINUSE
