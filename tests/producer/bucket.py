"""As much of Cloud Storage over real HTTP as the state needs, with generations, which the emulator ignores."""

import email
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


def nothing(_: str) -> None:
    """Nothing happens."""


class Bucket:
    """Objects with generations. ``before_upload`` is called with a name before an upload of it is decided."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.before_upload: Callable[[str], None] = nothing
        self.refused = 0
        self.permissions = [f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")]
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def upload(self, name: str, data: bytes, generation_match: str | None) -> dict[str, Any] | None:
        """The new object, None where it has another generation than the one asked for."""
        self.before_upload(name)
        with self._lock:
            generation = self.objects[name][0] if name in self.objects else 0
            if generation_match is not None and int(generation_match) != generation:
                self.refused += 1
                return None
            self.objects[name] = generation + 1001, data
            return self.metadata(name)

    def metadata(self, name: str) -> dict[str, Any] | None:
        if name not in self.objects:
            return None
        generation, data = self.objects[name]
        return {"name": name, "bucket": "bucket", "generation": str(generation), "size": str(len(data))}

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            found = re.fullmatch(r"/(?:download/)?storage/v1/b/bucket/o/(.+)", parts.path)
            if parts.path == "/storage/v1/b/bucket":
                return self._json(200, {"name": "bucket"})
            if parts.path == "/storage/v1/b/bucket/iam/testPermissions":
                return self._json(200, {"permissions": bucket.permissions})
            if not found:
                prefix = query["prefix"][0]
                items = [bucket.metadata(name) for name in sorted(bucket.objects) if name.startswith(prefix)]
                return self._json(200, {"items": items})
            name = unquote(found[1])
            metadata = bucket.metadata(name)
            if metadata is None:
                return self._json(404, {"error": {"code": 404, "message": "No such object"}})
            if query.get("alt") != ["media"]:
                return self._json(200, metadata)
            if query.get("ifGenerationMatch", [metadata["generation"]]) != [metadata["generation"]]:
                return self._json(412, {"error": {"code": 412, "message": "conditionNotMet"}})
            return self._send(200, bucket.objects[name][1])

        def do_POST(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            whole = email.message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + body)
            about, data = (part.get_payload(decode=True) for part in whole.walk() if not part.is_multipart())
            assert isinstance(about, bytes)
            assert isinstance(data, bytes)
            made = bucket.upload(json.loads(about)["name"], data, query.get("ifGenerationMatch", [None])[0])
            if made is None:
                return self._json(412, {"error": {"code": 412, "message": "conditionNotMet"}})
            return self._json(200, made)

        def do_DELETE(self) -> None:
            parts = urlsplit(self.path)
            name, generation = unquote(parts.path.rpartition("/o/")[2]), int(parse_qs(parts.query)["generation"][0])
            is_there = bucket.objects.get(name, (0, b""))[0] == generation
            if is_there:
                del bucket.objects[name]
            self._send(204 if is_there else 404, b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

        def _json(self, status: int, value: object) -> None:
            self._send(status, json.dumps(value).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
