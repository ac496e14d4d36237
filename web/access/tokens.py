"""Tokens: named, with scopes, and kept as hashes in a file of their owner's alone, which is read again when it changes.

A token is 256 random bits, so that a plain hash is enough: there is nothing in it to guess.
"""

import hashlib
import hmac
import re
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from pipelines.domain.instants import parse, rfc3339
from pipelines.failure import Failure
from pipelines.storage.files import storage_explained, update
from web.access.visitor import Scope, Visitor

SCOPES = (Scope.READ, Scope.SQL)
_BEGINS = "hr_"
_LONGEST = 200
_NAME = re.compile(r"[\w.@ -]{1,64}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of one: everything but the token itself. ``created_at`` is UTC."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: datetime


class Tokens:
    """The tokens in one file, which need not be there. For any number of threads and processes."""

    def __init__(self, path: Path | None) -> None:
        """Without a ``path`` there are none, and none can be added."""
        self._path = path
        self._read: tuple[tuple[int, ...] | None, tuple[Token, ...]] = (None, ())

    @property
    def path(self) -> Path:
        """Where they are kept."""
        assert self._path
        return self._path

    def all(self) -> tuple[Token, ...]:
        """In the order in which they were added. Raises Failure for a file that is damaged or open to others."""
        if self._path is None:
            return ()
        with storage_explained(self._path):
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return ()
            if found.st_mode & 0o077:
                raise Failure(f"{self.path} is open to other users; run: chmod 600 {shlex.quote(str(self.path))}")
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._read[0] != state:  # a file is replaced whole, and is another one then
                self._read = state, self._parsed(self._path.read_bytes())
        return self._read[1]

    def visitor(self, text: str) -> Visitor | None:
        """Who has this token; None for one that there is not, or not any more."""
        if not text.startswith(_BEGINS) or len(text) > _LONGEST:
            return None
        wanted = _hash(text)
        found = [token for token in self.all() if hmac.compare_digest(token.sha256, wanted)]
        return Visitor(found[0].name, frozenset(found[0].scopes), "token") if found else None

    def add(self, name: str, scopes: tuple[Scope, ...], now: datetime) -> str:
        """Make a token, and give back the only copy there is of it. Raises Failure."""
        if not _NAME.fullmatch(name) or name != name.strip():
            raise Failure(f"{name!r} is no name for a token: take letters, digits, spaces and . _ - @, 64 at most")
        text = _BEGINS + secrets.token_urlsafe(32)
        token = Token(name, _hash(text), scopes, now)

        def added(there: tuple[Token, ...]) -> tuple[Token, ...]:
            if any(other.name == name for other in there):
                raise Failure(f"there is a token {name} already; take another name, or revoke it first")
            return (*there, token)

        self._change(added)
        return text

    def revoke(self, name: str) -> None:
        """End a token, also for who is logged in with it. Raises Failure where there is none of that name."""

        def without(there: tuple[Token, ...]) -> tuple[Token, ...]:
            left = tuple(token for token in there if token.name != name)
            if left == there:
                names = ", ".join(token.name for token in there) or "none at all"
                raise Failure(f"there is no token {name}; there is {names}")
            return left

        self._change(without)

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        def changed(data: bytes | None) -> bytes:
            return _written(change(self._parsed(data) if data is not None else ()))

        self.all()  # a file that others may read is told before anything is added to it
        update(str(self.path), changed)

    def _parsed(self, data: bytes) -> tuple[Token, ...]:
        try:
            return tuple(
                Token(
                    str(record["name"]),
                    str(record["sha256"]),
                    tuple(map(Scope, record["scopes"])),
                    parse(record["created_at"]),
                )
                for record in orjson.loads(data)["tokens"]
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise Failure(f"{self.path} is damaged; remove it, and add the tokens again") from None


def _written(tokens: tuple[Token, ...]) -> bytes:
    records = [
        {
            "name": token.name,
            "sha256": token.sha256,
            "scopes": list(token.scopes),
            "created_at": rfc3339(token.created_at),
        }
        for token in tokens
    ]
    return orjson.dumps({"tokens": records}, option=orjson.OPT_INDENT_2)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
