"""As much of Cloud Storage over real HTTP as forgetting and restoring need, with older versions, which the emulator
has not: for Google's client, and for ``gcloud storage``.
"""

import re
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.cloud_storage import StorageHandler, StorageServer

_COPY = re.compile(r"/storage/v1/b/bucket/o/([^/]+)/rewriteTo/b/bucket/o/([^/]+)")
_SOME_TIME = "2026-11-21T09:00:00Z"


class VersionedBucket(StorageServer):
    """``gs://bucket`` at ``url``; ``versions`` are (name, generation) to (bytes, whether it is the live one)."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, int], tuple[bytes, bool]] = {}
        self._generation = 1_700_000_000_000_000
        self._lock = threading.Lock()
        super().__init__(_handler(self))

    def live(self) -> list[str]:
        """The names that a listing shows."""
        return sorted(name for (name, _), (_, is_live) in self.versions.items() if is_live)

    def put(self, name: str, data: bytes) -> dict[str, Any]:
        """A new live version; what was there becomes an older one."""
        with self._lock:
            self._retire(name)
            self._generation += 1
            self.versions[name, self._generation] = data, True
        return self.metadata(name, self._generation)

    def delete(self, name: str, generation: int | None) -> bool:
        """Without a generation the live version becomes an older one; with it, that version is gone for good."""
        with self._lock:
            if generation is None:
                return self._retire(name)
            return self.versions.pop((name, generation), None) is not None

    def find(self, name: str, generation: int | None) -> tuple[int, bytes] | None:
        """A version, by default the live one."""
        for (other, number), (data, is_live) in self.versions.items():
            if other == name and (number == generation if generation else is_live):
                return number, data
        return None

    def metadata(self, name: str, generation: int) -> dict[str, Any]:
        """The object's resource; only an older version has a timeDeleted."""
        data, is_live = self.versions[name, generation]
        deleted = {} if is_live else {"timeDeleted": _SOME_TIME}
        about = {
            "size": str(len(data)),
            "timeCreated": _SOME_TIME,
            "updated": _SOME_TIME,
            "metageneration": "1",
            "etag": str(generation),
        }
        return {"name": name, "bucket": "bucket", "generation": str(generation), **about, **deleted}

    def list(self, prefix: str, delimiter: str, *, with_older: bool) -> dict[str, Any]:
        """What begins so; what goes on after a delimiter is told as a prefix only."""
        found: dict[str, Any] = {"items": [], "prefixes": []}
        for (name, generation), (_, is_live) in sorted(self.versions.items()):
            if not name.startswith(prefix) or not (is_live or with_older):
                continue
            head, cut, _ = name.removeprefix(prefix).partition(delimiter or "\0")
            if not cut:
                found["items"].append(self.metadata(name, generation))
            elif (folder := prefix + head + cut) not in found["prefixes"]:
                found["prefixes"].append(folder)
        return found

    def _retire(self, name: str) -> bool:
        for key, (data, is_live) in self.versions.items():
            if key[0] == name and is_live:
                self.versions[key] = data, False
                return True
        return False


def _copied_bytes(data: bytes) -> dict[str, str]:
    return dict.fromkeys(("objectSize", "totalBytesRewritten"), str(len(data)))


def _handler(bucket: VersionedBucket) -> type[StorageHandler]:
    class Handler(StorageHandler, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, generation, query = self._asked()
            if name is None:
                prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
                with_older = query.get("versions", [""])[0].lower() == "true"
                return self._json(200, bucket.list(prefix, delimiter, with_older=with_older))
            found = bucket.find(name, generation)
            if found is None:
                return self._json(404, {"error": {"code": 404, "message": f"No such object: {name}"}})
            if query.get("alt") == ["media"]:
                return self._send(200, found[1])
            return self._json(200, bucket.metadata(name, found[0]))

        def do_DELETE(self) -> None:
            name, generation, _ = self._asked()
            assert name is not None
            self._send(204 if bucket.delete(name, generation) else 404, b"")

        def do_POST(self) -> None:
            body = self._body()
            if found := _COPY.fullmatch(urlsplit(self.path).path):
                source = parse_qs(urlsplit(self.path).query).get("sourceGeneration", ["0"])[0]
                version = bucket.find(unquote(found[1]), int(source))
                assert version
                copied = bucket.put(unquote(found[2]), version[1])
                return self._json(200, {"done": True, "resource": copied, **_copied_bytes(version[1])})
            name, data = self._uploaded(body)
            return self._json(200, bucket.put(name, data))

        def _asked(self) -> tuple[str | None, int | None, dict[str, list[str]]]:
            query = parse_qs(urlsplit(self.path).query)
            generation = int(query["generation"][0]) if "generation" in query else None
            return self._object(), generation, query

    return Handler
