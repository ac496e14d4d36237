"""Where the browser comes back to from Spotify: a page of this machine's own, for as long as a login takes."""

import hmac
import html
import queue
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from producer.spotify.oauth import LoginError

DEFAULT_PORT = 8721
_PATH = "/callback"
_IDLE_SECONDS = 10  # browsers open connections in advance, and send nothing on them
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Heavy Rotation</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style>
<h1>{title}</h1><p>{text}</p></html>
"""


def redirect_uri(port: int) -> str:
    """What has to be registered with the app. Spotify accepts the address, and not ``localhost``."""
    return f"http://127.0.0.1:{port}{_PATH}"


class Redirect:
    """Listens on 127.0.0.1 while it is used as a context manager; waits for one answer with the right ``state``."""

    def __init__(self, port: int, state: str) -> None:
        """Raises LoginError where the port cannot be had."""
        self._answers: queue.Queue[str | LoginError] = queue.Queue()
        try:
            self._server = _Server(port, state, self._answers)
        except OSError as error:
            raise LoginError(
                f"cannot listen on 127.0.0.1:{port} ({error.strerror}): another login or another program may use the "
                f"port. End it, or take another with --port, and add {redirect_uri(port + 1)}, say, to your app's "
                "redirect URIs"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def code(self, within_seconds: float) -> str:
        """The code that Spotify gave the browser. Raises LoginError: refused, or nothing came; it holds no code."""
        try:
            answer = self._answers.get(timeout=within_seconds)
        except queue.Empty:
            raise LoginError(
                f"nobody came back from Spotify within {within_seconds / 60:.0f} minutes. If its page said that the "
                "redirect URI is invalid or not matching, add exactly "
                f"{redirect_uri(self._server.server_port)} to your app's redirect URIs, and log in again"
            ) from None
        if isinstance(answer, LoginError):
            raise answer
        return answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, state: str, answers: "queue.Queue[str | LoginError]") -> None:
        self._state = state.encode()
        self._answers = answers
        self._lock = threading.Lock()
        self._is_done = False
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that hung up: the trace of the error could hold the address."""

    def judge(self, query: dict[str, str]) -> tuple[HTTPStatus, str, str, str | LoginError | None]:
        """What to say of a request: a status, a title and a text for the page; and the answer, if it is one."""
        if not hmac.compare_digest(query.get("state", "").encode(), self._state):
            # Somebody else's, or that of an earlier attempt. The right one may still come.
            text = "This page belongs to another login. Nothing was done."
            return HTTPStatus.BAD_REQUEST, "Not this login", text, None
        answer = _answer(query)
        with self._lock:
            if self._is_done:
                return HTTPStatus.OK, "Done already", "The terminal says how it went. You can close this page.", None
            self._is_done = True
        if isinstance(answer, LoginError):
            return HTTPStatus.OK, "Not logged in", f"{answer}.", answer
        text = "Spotify has agreed. The terminal says the rest; you can close this page."
        return HTTPStatus.OK, "Thank you", text, answer

    def take(self, answer: str | LoginError) -> None:
        """End the waiting."""
        self._answers.put(answer)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS
    server_version, sys_version = "heavy-rotation", ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != _PATH:  # a browser asks for an icon, too
            self._send(HTTPStatus.NOT_FOUND, "Not here", "There is nothing else on this server.")
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, title, text, answer = self.server.judge(query)
        try:
            self._send(status, title, text)
        finally:  # after the page, since the program may end at once; and also for a browser that hung up
            if answer is not None:
                self.server.take(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the address holds a code."""

    def _send(self, status: HTTPStatus, title: str, text: str) -> None:
        page = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(page)


def _answer(query: dict[str, str]) -> str | LoginError:
    match query:
        case {"error": "access_denied"}:
            return LoginError("Spotify was not allowed to give access; log in again to allow it")
        case {"error": error}:
            # It comes through the browser, and may be anything.
            said = error if re.fullmatch(r"[\w .-]{1,60}", error, re.ASCII) else "an error"
            return LoginError(f"Spotify refuses the login: {said}")
        case {"code": code}:
            return code
        case _:
            return LoginError("Spotify's answer has neither a code nor an error; log in again")
