"""Without a token: only who is at the machine, by its own names, through nobody's hands, from its own pages."""

from pathlib import Path

import pytest

from tests.web.access.doors import browser, tokens_in
from web.access.asked import is_loopback
from web.access.deciding import Access


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tokens_in(tmp_path))


@pytest.mark.parametrize("host", ["localhost", "localhost:8723", "127.0.0.1:8723", "[::1]:8723", "LOCALHOST:8723"])
@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_who_is_here_gets_in_with_all_rights(access: Access, host: str, client: str) -> None:
    answer = browser(access, client=client, host=host).get("/")
    assert answer.status_code == 200
    assert answer.json() == {"name": "you", "way": "loopback", "scopes": ["own", "read", "sql"], "root": ""}


@pytest.mark.parametrize("client", ["192.168.1.7", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "", "unix"])
def test_who_is_elsewhere_does_not(access: Access, client: str) -> None:
    answer = browser(access, client=client).get("/")
    assert answer.status_code == 403
    assert "heavy-rotation web token add" in answer.text


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "127.0.0.1.nip.io:8723", "192.168.1.7:8723", "0.0.0.0", "[::]"]
)
def test_a_name_that_another_page_was_given_does_not(access: Access, host: str) -> None:
    """DNS rebinding: a name of theirs that leads here."""
    assert browser(access, host=host).get("/").status_code == 403


@pytest.mark.parametrize("host", ["", "localhost/", "a b", "user@localhost", "localhost:port", "[::1"])
def test_what_is_no_host_is_refused(access: Access, host: str) -> None:
    assert browser(access, host=host).get("/").status_code == 400


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded-anything", "Via", "X-Real-IP"]
)
def test_what_a_proxy_hands_on_does_not(access: Access, header: str) -> None:
    answer = browser(access, host="localhost").get("/", headers={header: "127.0.0.1"})
    assert answer.status_code == 403
    assert "--public-url" in answer.text


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "https://127.0.0.1:8723", "http://127.0.0.1", "http://127.0.0.1:3000",
     "http://localhost:8723"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_page_does_not(access: Access, method: str, origin: str) -> None:
    assert browser(access, origin=origin).request(method, "/").status_code == 403


def test_its_own_pages_may_send_forms(access: Access) -> None:
    own = browser(access, origin="http://127.0.0.1:8723")
    assert own.post("/import", data={"a": "b"}).status_code == 200


def test_a_form_without_an_origin_is_refused_and_json_is_not(access: Access) -> None:
    """A page elsewhere can send a form unasked, and no JSON."""
    own = browser(access)
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""):
        assert own.post("/", content=b"a", headers={"Content-Type": kind}).status_code == 403, kind
    assert own.post("/", json={}).status_code == 200


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 200), ("none", "navigate", 200), ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 403), ("same-site", "cors", 403), ("same-site", "no-cors", 403),
    ],
)  # fmt: skip
def test_other_pages_may_link_here_and_not_show_what_is_here(access: Access, site: str, mode: str, status: int) -> None:
    asked = browser(access, sec_fetch_site=site, sec_fetch_mode=mode)
    assert asked.get("/").status_code == status
    assert asked.post("/", json={}).status_code == (200 if site in ("same-origin", "none") else 403)


def test_a_header_that_is_there_twice_is_refused(access: Access) -> None:
    asked = browser(access)
    for name in ("Origin", "Authorization", "Sec-Fetch-Site"):
        assert asked.get("/", headers=[(name, "a"), (name, "b")]).status_code == 400


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("localhost", False),
        ("128.0.0.1", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
