"""HTTP/1.1 for the Spotify look-alike: reading requests, sending answers, spoiling them on request."""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from demo.faults import Answer, DroppedConnection, Fault, Faults, ResetConnection, SlowAnswer, TruncatedBody

_MAX_FORM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came in. It keeps no header, no body, and of the query only limit, after and before.

    `status` is 0 where the connection was dropped without an answer.
    """

    method: str
    path: str
    status: int
    query: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for; `form` is the body of a POST, `authorization` the header."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    authorization: str | None


class HttpServer(ThreadingHTTPServer):
    """A thread a connection; it knows its connections, so that stopping doesn't wait for idle ones."""

    daemon_threads = True
    block_on_close = True

    def __init__(
        self,
        port: int,
        answer: Callable[[Call, Fault | None], Answer],
        faults: Faults,
        requests: list[Request],
    ) -> None:
        self.answer = answer
        self.faults = faults
        self.requests = requests
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away in the middle of an answer, as one that is killed does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        with self._open_lock:
            for connection in self._open:
                hang_up(connection)


class _Handler(BaseHTTPRequestHandler):
    """HTTP around `answer`: reading, faults of sending, the log."""

    protocol_version = "HTTP/1.1"
    server: HttpServer
    # Head and body leave together: apart, they wait for each other's acknowledgement, 40 ms a request.
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, _MAX_FORM_BYTES))
        self._serve(dict(parse_qsl(body.decode(errors="replace"))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: `requests` has it."""

    def _serve(self, form: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(self.command, parts.path, query, form, self.headers.get("Authorization"))
        fault = self.server.faults.take(call.path)
        answer = self.server.answer(call, fault)
        kept = {name: value for name, value in query.items() if name in ("limit", "after", "before")}
        status = 0 if isinstance(fault, DroppedConnection) else answer.status
        self.server.requests.append(Request(call.method, call.path, status, kept))
        if isinstance(fault, SlowAnswer):
            time.sleep(fault.seconds)
        if isinstance(fault, DroppedConnection):
            self.close_connection = True
            hang_up(self.connection)
            return
        self._send(answer, is_cut=isinstance(fault, TruncatedBody | ResetConnection))
        if isinstance(fault, ResetConnection):
            self._reset()

    def _send(self, answer: Answer, *, is_cut: bool) -> None:
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.content_type), *answer.headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if is_cut else answer.body)
        if is_cut:
            self.close_connection = True

    def _reset(self) -> None:
        """Close so that RST is sent, and nothing else: at once, without the farewell of a shutdown."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.closed(self.connection)
        os.close(self.connection.detach())


def hang_up(connection: socket.socket) -> None:
    """Close both directions; a connection that is gone already is fine."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
