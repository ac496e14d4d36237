"""``--public-url``: the address under which a proxy shows the pages, and the only one that is answered then."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.failure import Failure

_HOW = "write it as https://host/path"


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """``host`` as browsers send it, in small letters; ``path`` without a slash at its end, empty for none."""

    host: str
    path: str

    @classmethod
    def of(cls, text: str) -> "PublicUrl":
        """Raises Failure, which says how it is written."""
        parts = urlsplit(text.strip())
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme != "https" or not parts.hostname or port == 0:
            raise Failure(f"{text!r} is no public address: {_HOW}")
        if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
            raise Failure(f"{text!r} is more than an address: {_HOW}")
        if "//" in parts.path or any(part in (".", "..") for part in parts.path.split("/")) or "%" in parts.path:
            raise Failure(f"{text!r} has a path that proxies read in several ways: {_HOW}")
        name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(name if port in (None, 443) else f"{name}:{port}", parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        """What a browser says of its own pages."""
        return f"https://{self.host}"

    def is_host(self, host: str) -> bool:
        """Whether a header Host means this address."""
        return host in (self.host, f"{self.host}:443")
