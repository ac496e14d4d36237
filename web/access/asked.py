"""What a request says of where it comes from, and of where it believes to go."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from web.access.visitor import RefusedError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A proxy adds one of them, or speaks the first version of the protocol.
_OF_PROXIES = re.compile(r"forwarded|via|x-real-ip|x-forwarded-.*")
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?")
_ONCE = ("host", "origin", "authorization", "x-goog-iap-jwt-assertion", "sec-fetch-site", "sec-fetch-mode")
_AT_HOME = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that decide who asks. ``host`` is in small letters, with the port if it was said."""

    method: str
    path: str
    scheme: str
    client: str
    http_version: str
    host: str
    headers: dict[str, str]
    cookies: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, scope: dict[str, Any]) -> "Asked":
        """Read an ASGI scope. Raises RefusedError where it is said twice what may be said once."""
        named = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        for name in _ONCE:
            if sum(1 for other, _ in named if other == name) > 1:
                raise RefusedError(400, f"The header {name} is there twice.")
        headers = dict(named)
        host = headers.get("host", "").lower()
        if not _HOST.fullmatch(host):
            raise RefusedError(400, "The header Host is missing, or is no host.")
        return cls(
            method=scope["method"],
            path=scope["path"],
            scheme=scope.get("scheme", "http"),
            client=(scope.get("client") or ("", 0))[0],
            http_version=scope.get("http_version", "1.1"),
            host=host,
            headers=headers,
            cookies=tuple(_cookies(value for name, value in named if name == "cookie")),
        )

    @property
    def is_safe(self) -> bool:
        """Whether it asks for nothing to be changed."""
        return self.method in SAFE_METHODS

    @property
    def is_proxied(self) -> bool:
        """Whether somebody handed it on: then whoever sent it may be anywhere."""
        return self.http_version == "1.0" or any(_OF_PROXIES.fullmatch(name) for name in self.headers)

    @property
    def is_from_here(self) -> bool:
        """Whether it came over loopback, from who believes to speak to this machine, and by nobody's hand."""
        match = _HOST.fullmatch(self.host)
        assert match
        return is_loopback(self.client) and match["name"] in _AT_HOME and not self.is_proxied

    @property
    def is_of_another_page(self) -> bool:
        """Whether a browser says that another site's page made it, and not by a link that was followed.

        What runs on another port of this machine is another site too.
        """
        site, mode = self.headers.get("sec-fetch-site"), self.headers.get("sec-fetch-mode")
        is_followed = mode == "navigate" and self.method == "GET"
        return site not in (None, "same-origin", "none") and not is_followed


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own."""
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _cookies(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    for header in headers:
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            yield name, value
