"""A server whose answers have no end: they grow, or come by single bytes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


class Endless(NamedTuple):
    """``part`` comes again and again, ``every`` so many seconds; it may take so long to see that it has no end."""

    name: str
    part: bytes
    every: float
    longest_seconds: float


ENDLESS = (Endless("too long", b" " * (1 << 20), 0, 30), Endless("too slow", b" ", 0.05, 0.3))


@contextmanager
def endless(answer: Endless, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address."""
    monkeypatch.setattr("producer.bodies._LONGEST_SECONDS", answer.longest_seconds)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # until it is hung up
                while not time.sleep(answer.every):
                    self.wfile.write(answer.part)
                    self.wfile.flush()

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
