"""Google's Identity-Aware Proxy: only its own signature, for this server, of now."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.web.access.doors import browser, tokens_in
from web.access.deciding import Access
from web.access.iap import Iap
from web.access.visitor import RefusedError, Scope

Private = ec.EllipticCurvePrivateKey
AUDIENCE = "/projects/1234/locations/europe-west1/services/web"


class Keys:
    """Google's page of keys, and who signs by them."""

    def __init__(self) -> None:
        self.private = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.asked, self.is_up = 0, True
        keys = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys.asked += 1
                body = json.dumps(keys.public()).encode() if keys.is_up else b"out of order"
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/public_key"

    def public(self) -> dict[str, str]:
        return {
            name: key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ).decode()
            for name, key in self.private.items()
        }  # fmt: skip

    def sign(
        self, *, key: str = "k1", by: ec.EllipticCurvePrivateKey | None = None, alg: str = "ES256", **claims: Any
    ) -> str:
        now = int(time.time())
        header = {"alg": alg, "typ": "JWT", "kid": key}
        payload = {
            "iss": "https://cloud.google.com/iap", "aud": AUDIENCE, "email": "ana@example.com", "sub": "1",
            "iat": now - 10, "exp": now + 600, **claims,
        }  # fmt: skip
        text = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(payload).encode())}"
        r, s = decode_dss_signature((by or self.private[key]).sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@pytest.fixture
def keys() -> Iterator[Keys]:
    keys = Keys()
    thread = threading.Thread(target=keys.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield keys
    keys.server.shutdown()
    thread.join()
    keys.server.server_close()


def test_whom_it_lets_in_gets_in(keys: Keys, tmp_path: Path) -> None:
    access = Access(tokens_in(tmp_path), iap=Iap(AUDIENCE, keys.address))
    web = browser(access, client="169.254.1.1", base="https://web-1234.europe-west1.run.app", x_forwarded_for="1.2.3.4")
    assert web.get("/", headers={"X-Goog-IAP-JWT-Assertion": keys.sign()}).json() == {
        "name": "ana@example.com", "way": "iap", "scopes": ["read", "sql"], "root": "",
    }  # fmt: skip


@pytest.mark.parametrize("client", ["127.0.0.1", "169.254.1.1"])
def test_nobody_else_does(keys: Keys, tmp_path: Path, client: str) -> None:
    """No token, no loopback: who reaches the container past IAP is refused."""
    tokens = tokens_in(tmp_path)
    access = Access(tokens, iap=Iap(AUDIENCE, keys.address))
    web = browser(access, client=client, base="http://localhost:8080")
    assert web.get("/").status_code == 401
    assert web.get("/", headers={"Accept": "text/html"}).status_code == 401
    assert web.get("/", headers={"X-Goog-Authenticated-User-Email": "ana@example.com"}).status_code == 401


def test_forms_are_its_own_pages(keys: Keys, tmp_path: Path) -> None:
    access = Access(tokens_in(tmp_path), iap=Iap(AUDIENCE, keys.address))
    web = browser(access, base="http://web.run.app", x_goog_iap_jwt_assertion=keys.sign())
    for origin, status in (("https://web.run.app", 200), ("https://other.run.app", 403), ("null", 403)):
        assert web.post("/sql", data={}, headers={"Origin": origin}).status_code == status
    assert web.post("/sql", data={"a": "b"}).status_code == 403


def _refused(iap: Iap, assertion: str | None) -> int:
    with pytest.raises(RefusedError) as refused:
        iap.visitor(assertion)
    return refused.value.status


def test_what_it_did_not_sign_is_refused(keys: Keys) -> None:
    iap, now, good = Iap(AUDIENCE, keys.address), int(time.time()), keys.sign()
    assert iap.visitor(good).scopes == {Scope.READ, Scope.SQL}
    header, payload, signature = good.split(".")
    other = _base64(base64.urlsafe_b64decode(payload + "==").replace(b"ana@", b"eva@"))
    wrong = {
        "nothing": None,
        "empty": "",
        "no token": "a.b",
        "too long": good + "a" * 20_000,
        "another server's": keys.sign(aud="/projects/1234/locations/europe-west1/services/other"),
        "no audience": keys.sign(aud=None),
        "another issuer": keys.sign(iss="https://accounts.google.com"),
        "over": keys.sign(iat=now - 900, exp=now - 300),
        "not yet": keys.sign(iat=now + 300, exp=now + 900),
        "another key": keys.sign(by=ec.generate_private_key(ec.SECP256R1())),
        "changed": f"{header}.{other}.{signature}",
        "no signature": f"{header}.{payload}.",
        "none": _header(alg="none", kid="k1") + f".{payload}.",
        "HS256": _header(alg="HS256", kid="k1") + f".{payload}.{signature}",
        "RS256": keys.sign(alg="RS256"),
        "a list": f"{_base64(b'[]')}.{payload}.{signature}",
        "a key that is a list": _header(alg="ES256", kid=["k1"]) + f".{payload}.{signature}",
        "without a key": _header(alg="ES256") + f".{payload}.{signature}",
    }  # fmt: skip
    assert {name: _refused(iap, assertion) for name, assertion in wrong.items()} == dict.fromkeys(wrong, 401)


def test_keys_are_asked_for_once_and_again_where_a_new_one_signs(keys: Keys) -> None:
    clock = [0.0]
    iap = Iap(AUDIENCE, keys.address, clock=lambda: clock[0])
    for _ in range(3):
        iap.visitor(keys.sign())
    assert keys.asked == 1
    keys.private["k2"] = ec.generate_private_key(ec.SECP256R1())
    newer = keys.sign(key="k2")
    assert _refused(iap, newer) == 401  # asked a moment ago
    assert keys.asked == 1
    clock[0] = 61.0
    assert iap.visitor(newer).name == "ana@example.com"
    assert keys.asked == 2
    clock[0] = 4000.0
    iap.visitor(newer)
    assert keys.asked == 3


def test_without_the_page_of_keys_the_old_ones_serve_and_without_any_nobody_gets_in(keys: Keys) -> None:
    clock = [0.0]
    iap = Iap(AUDIENCE, keys.address, clock=lambda: clock[0])
    iap.visitor(keys.sign())
    keys.is_up, clock[0] = False, 4000.0
    assert iap.visitor(keys.sign()).way == "iap"
    assert _refused(Iap(AUDIENCE, keys.address), keys.sign()) == 503


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _header(**said: object) -> str:
    return _base64(json.dumps(said).encode())
