"""What servers have in common that stand for Cloud Storage over real HTTP, with ``gs://bucket`` in them."""

import email
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/bucket/o/(.+)")


class StorageServer:
    """Answers at ``url`` within a ``with`` block."""

    def __init__(self, handler: type["StorageHandler"]) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()


class StorageHandler(BaseHTTPRequestHandler):
    """Reads requests and sends answers in the API's form."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""

    def _object(self) -> str | None:
        """The name of the object that is asked for, if it is one."""
        found = _OBJECT.fullmatch(urlsplit(self.path).path)
        return unquote(found[1]) if found else None

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _uploaded(self, body: bytes) -> tuple[str, bytes]:
        """The name and the bytes of an object, of an upload in several parts."""
        whole = email.message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + body)
        about, data = (part.get_payload(decode=True) for part in whole.walk() if not part.is_multipart())
        assert isinstance(about, bytes)
        assert isinstance(data, bytes)
        return json.loads(about)["name"], data

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
