"""As much of Cloud Storage over real HTTP as the state needs, with generations, which the emulator ignores."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.cloud_storage import StorageHandler, StorageServer


def nothing(_: str) -> None:
    """Nothing happens."""


class Bucket(StorageServer):
    """Objects with generations. ``before_upload`` is called with a name before an upload of it is decided."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.before_upload: Callable[[str], None] = nothing
        self.refused = 0
        self.permissions = [f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")]
        self._lock = threading.Lock()
        super().__init__(_handler(self))

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


def _handler(bucket: Bucket) -> type[StorageHandler]:
    class Handler(StorageHandler, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if parts.path == "/storage/v1/b/bucket":
                return self._json(200, {"name": "bucket"})
            if parts.path == "/storage/v1/b/bucket/iam/testPermissions":
                return self._json(200, {"permissions": bucket.permissions})
            name = self._object()
            if name is None:
                prefix = query["prefix"][0]
                items = [bucket.metadata(name) for name in sorted(bucket.objects) if name.startswith(prefix)]
                return self._json(200, {"items": items})
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
            name, data = self._uploaded(self._body())
            made = bucket.upload(name, data, query.get("ifGenerationMatch", [None])[0])
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

    return Handler
