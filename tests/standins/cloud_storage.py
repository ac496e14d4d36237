"""As much of Cloud Storage over real HTTP as Google's client and ``gcloud storage`` need here, with ``gs://bucket``.

It keeps two promises that the emulator does not: a generation match decides, and older versions stay.
"""

import email
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipelines.storage.bucket import client

_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/bucket/o/([^/]+)")
_COPY = re.compile(r"/storage/v1/b/bucket/o/([^/]+)/rewriteTo/b/bucket/o/([^/]+)")
_SOME_TIME = "2026-11-21T09:00:00Z"


def nothing(_: str) -> None:
    """Nothing happens."""


class Bucket:
    """``gs://bucket`` at ``url`` within a ``with`` block; ``versioned`` as with object versioning.

    ``versions`` are (name, generation) to (bytes, whether it is the live one). ``before_upload`` is called with a name
    before an upload of it is decided; so many answers to uploads are lost as ``lost_answers`` says; ``refused`` counts
    the uploads of another generation than the one asked for. ``served`` is how a browser would get what was uploaded:
    Content-Type and Cache-Control by name.
    """

    def __init__(self, *, versioned: bool = False) -> None:
        self.versions: dict[tuple[str, int], tuple[bytes, bool]] = {}
        self.before_upload: Callable[[str], None] = nothing
        self.served: dict[str, tuple[str, str]] = {}
        self.lost_answers = 0
        self.refused = 0
        self.permissions = [f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")]
        self._versioned = versioned
        self._metadata: dict[tuple[str, int], dict[str, str]] = {}
        self._generation = 1_700_000_000_000_000
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def objects(self) -> dict[str, bytes]:
        """What is there, by name."""
        with self._lock:
            return {name: data for (name, _), (data, is_live) in sorted(self.versions.items()) if is_live}

    def put(self, name: str, data: bytes, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        """A new live version; what was there becomes an older one, or goes."""
        with self._lock:
            self.delete(name)
            self._generation += 1
            self.versions[name, self._generation] = data, True
            self._metadata[name, self._generation] = metadata or {}
            return self.resource(name, self._generation)

    def upload(self, about: dict[str, Any], data: bytes, generation_match: str | None) -> dict[str, Any] | None:
        """The new object; None where there is another generation than the one asked for."""
        name = about["name"]
        self.before_upload(name)
        with self._lock:
            there = self.find(name)
            if generation_match is not None and int(generation_match) != (there[0] if there else 0):
                self.refused += 1
                return None
            self.served[name] = about.get("contentType", ""), about.get("cacheControl", "")
            return self.put(name, data, about.get("metadata"))

    def delete(self, name: str, generation: int | None = None) -> bool:
        """Without a generation the live version becomes an older one; with it, that version is gone for good."""
        with self._lock:
            there = self.find(name, generation)
            if not there:
                return False
            key = name, there[0]
            if generation is None and self._versioned:
                self.versions[key] = self.versions[key][0], False
            else:
                del self.versions[key]
            return True

    def find(self, name: str, generation: int | None = None) -> tuple[int, bytes] | None:
        """A version, by default the live one."""
        with self._lock:
            for (other, number), (data, is_live) in self.versions.items():
                if other == name and (number == generation if generation else is_live):
                    return number, data
        return None

    def resource(self, name: str, generation: int) -> dict[str, Any]:
        """The object's resource; only an older version has a timeDeleted."""
        data, is_live = self.versions[name, generation]
        return {
            "name": name,
            "bucket": "bucket",
            "generation": str(generation),
            "metageneration": "1",
            "metadata": self._metadata[name, generation],
            "size": str(len(data)),
            "timeCreated": _SOME_TIME,
            "updated": _SOME_TIME,
            "etag": str(generation),
        } | ({} if is_live else {"timeDeleted": _SOME_TIME})

    def list(self, prefix: str, delimiter: str, *, with_older: bool) -> dict[str, Any]:
        """What begins so; what goes on after a delimiter is told as a prefix only."""
        found: dict[str, Any] = {"items": [], "prefixes": []}
        with self._lock:
            for (name, generation), (_, is_live) in sorted(self.versions.items()):
                if not name.startswith(prefix) or not (is_live or with_older):
                    continue
                head, cut, _ = name.removeprefix(prefix).partition(delimiter or "\0")
                if not cut:
                    found["items"].append(self.resource(name, generation))
                elif (folder := prefix + head + cut) not in found["prefixes"]:
                    found["prefixes"].append(folder)
        return found

    def loses_an_answer(self) -> bool:
        """Whether this one is lost."""
        with self._lock:
            self.lost_answers -= 1
            return self.lost_answers >= 0


@contextmanager
def connected(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The clients that are made within the block, of this process and of those it starts, are the bucket's."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "heavy-rotation-test")
    client.cache_clear()
    try:
        yield bucket
    finally:
        if client.cache_info().currsize:
            client().close()
        client.cache_clear()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """``gs://bucket``, with older versions, for every client of the test."""
    with Bucket(versioned=True) as made, connected(made, monkeypatch):
        yield made


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

        def do_GET(self) -> None:
            path, query = self._asked()
            if path == "/storage/v1/b/bucket":
                return self._json(200, {"name": "bucket"})
            if path == "/storage/v1/b/bucket/iam/testPermissions":
                return self._json(200, {"permissions": bucket.permissions})
            asked = _OBJECT.fullmatch(path)
            if asked is None:
                with_older = query.get("versions", "").lower() == "true"
                found = bucket.list(query.get("prefix", ""), query.get("delimiter", ""), with_older=with_older)
                return self._json(200, found)
            name = unquote(asked[1])
            version = bucket.find(name, _number(query.get("generation")))
            if version is None:
                return self._error(404, f"No such object: {name}")
            if query.get("ifGenerationMatch", str(version[0])) != str(version[0]):
                return self._error(412, "conditionNotMet")
            if query.get("alt") == "media":
                return self._send(200, version[1], {"X-Goog-Generation": str(version[0])})
            return self._json(200, bucket.resource(name, version[0]))

        def do_POST(self) -> None:
            path, query = self._asked()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found := _COPY.fullmatch(path):
                version = bucket.find(unquote(found[1]), _number(query.get("sourceGeneration")))
                assert version
                sizes = dict.fromkeys(("objectSize", "totalBytesRewritten"), str(len(version[1])))
                return self._json(200, {"done": True, "resource": bucket.put(unquote(found[2]), version[1]), **sizes})
            made = bucket.upload(*_uploaded(self.headers["Content-Type"], body), query.get("ifGenerationMatch"))
            if bucket.loses_an_answer():
                self.close_connection = True
                return None
            return self._json(200, made) if made else self._error(412, "conditionNotMet")

        def do_DELETE(self) -> None:
            path, query = self._asked()
            asked = _OBJECT.fullmatch(path)
            assert asked
            self._send(204 if bucket.delete(unquote(asked[1]), _number(query.get("generation"))) else 404, b"")

        def _asked(self) -> tuple[str, dict[str, str]]:
            parts = urlsplit(self.path)
            return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}

        def _error(self, status: int, message: str) -> None:
            self._json(status, {"error": {"code": status, "message": message}})

        def _json(self, status: int, value: object) -> None:
            self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _number(text: str | None) -> int | None:
    return int(text) if text and text != "0" else None


def _uploaded(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """What is said of an object, and its bytes, of an upload in several parts."""
    whole = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = [part for part in whole.walk() if not part.is_multipart()]
    about, data = (part.get_payload(decode=True) for part in parts)
    assert isinstance(about, bytes)
    assert isinstance(data, bytes)
    return {"contentType": parts[1]["Content-Type"]} | json.loads(about), data
