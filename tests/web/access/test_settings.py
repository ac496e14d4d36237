"""A server that others can reach starts only where it can tell who asks."""

import argparse
from pathlib import Path

import pytest

from pipelines.clock import utc_now
from pipelines.failure import Failure
from pipelines.home import home_of
from tests.web.access.doors import tokens_in
from web.access.deciding import Access
from web.access.public import PublicUrl
from web.access.settings import access_of, add_options
from web.access.visitor import Scope


def _access(folder: Path, host: str, *line: str) -> Access:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return access_of(parser.parse_args(line), home_of(str(folder)), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_here_it_needs_nothing(tmp_path: Path, host: str) -> None:
    access = _access(tmp_path, host)
    assert (access.public, access.iap, access.root_path) == (None, None, "")
    assert access.tokens.path == tmp_path / "state" / "web" / "tokens.json"


@pytest.mark.parametrize(
    ("host", "line"),
    [("0.0.0.0", []), ("::", []), ("192.168.1.7", []), ("nas.local", []), ("127.0.0.1", ["--public-url=https://a.example"])],
)  # fmt: skip
def test_elsewhere_it_needs_a_token(tmp_path: Path, host: str, line: list[str]) -> None:
    with pytest.raises(Failure, match=r"there is no token yet: heavy-rotation web token add NAME makes one"):
        _access(tmp_path, host, *line)
    tokens_in(tmp_path / "state").add("phone", (Scope.READ,), utc_now())
    _access(tmp_path, host, *line)


def test_in_the_cloud_it_needs_google_and_nothing_else(tmp_path: Path) -> None:
    assert _access(tmp_path, "0.0.0.0", "--iap-audience=/projects/1/locations/r/services/s").iap
    with pytest.raises(Failure, match="it is Google that says who asks"):
        _access(tmp_path, "0.0.0.0", "--iap-audience=/projects/1/a", "--public-url=https://a.example")


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://Music.Example", "music.example", ""),
        ("https://music.example/", "music.example", ""),
        ("https://music.example:443/heavy/rotation/", "music.example", "/heavy/rotation"),
        ("https://music.example:8443/a", "music.example:8443", "/a"),
        ("https://[2001:DB8::1]/a", "[2001:db8::1]", "/a"),
    ],
)
def test_public_addresses(text: str, host: str, path: str) -> None:
    public = PublicUrl.of(text)
    assert (public.host, public.path, public.origin) == (host, path, f"https://{host}")


@pytest.mark.parametrize(
    "text",
    ["music.example", "http://music.example", "https://", "https://a.example?b", "https://a.example/#b",
     "https://u:p@a.example", "https://a.example/../b", "https://a.example//b", "https://a.example/%2e", "https://a:b",
     "ftp://a.example", ""],
)  # fmt: skip
def test_what_is_no_public_address(text: str) -> None:
    with pytest.raises(Failure, match="write it as https://host/path"):
        PublicUrl.of(text)
