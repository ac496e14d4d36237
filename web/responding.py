"""What every answer carries: headers that shut the page off, an ETag, and 304 for who has it already."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COVERS = "https://i.scdn.co"


def content_policy(*, covers: bool) -> str:
    """The Content-Security-Policy: only what this server gives, nothing inline, and Spotify's covers if so."""
    images = f"'self' {COVERS}" if covers else "'self'"
    return (
        f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src {images}; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


class Sealed:
    """ASGI middleware. An answer to GET that comes in one piece gets an ETag; HEAD is GET without the body."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}
        started: Message | None = None

        async def sealed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "private, no-cache")
                started = message
                return
            body = b"" if is_head else message.get("body", b"")
            if started is not None:
                is_whole = not message.get("more_body", False)
                if scope["method"] == "GET" and started["status"] == 200 and is_whole:
                    body = _tagged(started, message.get("body", b""), body, Headers(scope=scope))
                await send(started)
                started = None
            await send({**message, "body": body})

        await self.app(scope, receive, sealed)


def _tagged(started: Message, whole: bytes, body: bytes, asked: Headers) -> bytes:
    """Give the answer its ETag. Returns the body, empty where who asks has it."""
    headers = MutableHeaders(scope=started)
    tag = f'"{urlsafe_b64encode(blake2b(whole, digest_size=12).digest()).decode()}"'
    headers.setdefault("ETag", tag)
    held = [part.strip().removeprefix("W/") for part in asked.get("if-none-match", "").split(",")]
    if headers["ETag"] not in held:
        return body
    started["status"] = 304
    for name in ("content-length", "content-type"):
        if name in headers:
            del headers[name]
    return b""
