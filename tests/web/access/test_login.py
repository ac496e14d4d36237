"""A browser logs in with a token, and keeps it where no script and no other site gets it."""

from pathlib import Path

import pytest

from pipelines.clock import utc_now
from tests.web.access.doors import browser, tokens_in
from tests.web.client import Client
from web.access.deciding import Access
from web.access.public import PublicUrl
from web.access.visitor import Scope

HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def text(tmp_path: Path) -> str:
    return tokens_in(tmp_path).add("phone", (Scope.READ,), utc_now())


@pytest.fixture
def far(tmp_path: Path) -> Client:
    return browser(Access(tokens_in(tmp_path)), client="192.168.1.7", base="http://nas.local:8723")


@pytest.fixture
def behind(tmp_path: Path) -> Client:
    access = Access(tokens_in(tmp_path), PublicUrl.of("https://music.example/heavy"))
    return browser(access, base="https://music.example", x_forwarded_for="192.0.2.1")


def test_a_browser_is_sent_to_the_login_and_on_from_there(far: Client, text: str) -> None:
    sent = far.get("/month/2026-11?by=time&a=%26", headers=HTML)
    assert sent.status_code == 303
    assert sent.headers["location"] == "/login?next=/month/2026-11%3Fby%3Dtime%26a%3D%2526"
    page = far.get(sent.headers["location"], headers=HTML)
    assert page.status_code == 200
    assert 'name="next" value="/month/2026-11?by=time&amp;a=%26"' in page.text
    form = {"token": f" {text}\n", "next": "/month/2026-11?by=time&a=%26"}
    done = far.post("/login", data=form, headers={"Origin": "http://nas.local:8723"})
    assert (done.status_code, done.headers["location"]) == (303, "/month/2026-11?by=time&a=%26")
    assert far.get("/").json()["name"] == "phone"
    assert far.get("/login").headers["location"] == "/"


def test_what_is_no_page_is_told_in_its_own_words(far: Client, text: str) -> None:
    answer = far.get("/api/v1/who")
    assert answer.status_code == 401
    assert "Authorization: Bearer TOKEN" in answer.json()["error"]


def test_a_wrong_token_is_said_and_sets_nothing(far: Client, text: str) -> None:
    answer = far.post("/login", data={"token": "hr_no"}, headers={"Origin": "http://nas.local:8723"})
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
def test_another_page_cannot_log_anybody_in(far: Client, text: str, origin: str | None) -> None:
    answer = far.post("/login", data={"token": text}, headers={"Origin": origin} if origin else {})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "evil", "/a\r\nb", "", "/é"],
)
def test_it_goes_on_to_nobody_elses_page(far: Client, text: str, wanted: str) -> None:
    form = {"token": text, "next": wanted}
    answer = far.post("/login", data=form, headers={"Origin": "http://nas.local:8723"})
    assert answer.headers["location"] == "/"


def test_markup_in_the_address_stays_text(far: Client) -> None:
    page = far.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "alert(1)</script>" not in page.text


def test_the_cookie(far: Client, behind: Client, text: str) -> None:
    plain = far.post("/login", data={"token": text}, headers={"Origin": "http://nas.local:8723"})
    assert _cookie(plain.headers["set-cookie"]) == {
        "heavy-rotation": text, "HttpOnly": "", "Max-Age": "2592000", "Path": "/", "SameSite": "strict",
    }  # fmt: skip
    public = behind.post("/heavy/login", data={"token": text}, headers={"Origin": "https://music.example"})
    assert public.headers["location"] == "/heavy/"
    assert _cookie(public.headers["set-cookie"]) == {
        "__Secure-heavy-rotation": text, "HttpOnly": "", "Max-Age": "2592000", "Path": "/heavy/", "SameSite": "strict",
        "Secure": "",
    }  # fmt: skip


def test_a_cookie_sends_no_form_of_another_page(far: Client, text: str) -> None:
    far.cookies.set("heavy-rotation", text)
    assert far.post("/", data={"a": "b"}, headers={"Origin": "http://nas.local:8723"}).status_code == 200
    assert far.post("/", data={"a": "b"}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert far.post("/", data={"a": "b"}).status_code == 403


def test_logging_out(behind: Client, text: str) -> None:
    own = {"Origin": "https://music.example"}
    behind.post("/heavy/login", data={"token": text}, headers=own)
    assert behind.get("/heavy/").json() == {"name": "phone", "way": "token", "scopes": ["read"], "root": "/heavy"}
    out = behind.post("/heavy/logout", headers=own, data={})
    assert out.headers["location"] == "/heavy/login"
    assert behind.get("/heavy/").status_code == 401


@pytest.mark.parametrize("stripped", [True, False])
def test_behind_a_proxy_only_that_address_is_answered_and_only_with_a_token(
    behind: Client, text: str, stripped: bool
) -> None:
    """Whether or not the proxy takes the path off."""
    path, bearer = ("/" if stripped else "/heavy/"), {"Authorization": f"Bearer {text}"}
    assert behind.get(path, headers=bearer).json()["root"] == "/heavy"
    assert behind.get(path).status_code == 401
    for host in ("localhost", "127.0.0.1:8723", "other.example", "music.example:80"):
        assert behind.get(path, headers={**bearer, "Host": host}).status_code == 421
    for origin in ("https://other.example", "http://music.example", "https://music.example:8443"):
        assert behind.get(path, headers={**bearer, "Origin": origin}).status_code == 403
    assert behind.get(path, headers={**bearer, "Host": "MUSIC.example:443"}).status_code == 200
    sent = behind.get(path, headers=HTML)
    assert sent.headers["location"] == "/heavy/login?next=/"


def _cookie(header: str) -> dict[str, str]:
    parts = [part.strip().partition("=") for part in header.split(";")]
    return {name: value for name, _, value in parts}
