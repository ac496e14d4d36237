"""Who was forgotten: marks that keep a person's plays out, wherever they would come back from.

``ARCHIVE/forgotten/marks.json`` has a random key and, for each person, the HMAC-SHA-256 of the user id under that key
with the instant of the forgetting: whatever was ingested up to that instant stays out, what is ingested later counts.

A mark is there ``SETTLED`` before its instant, and nobody uses marks that he read longer than ``LATELY`` ago. So
whoever works after the instant, on plays that were ingested after it, knows of the mark; clocks may differ by the
difference of the two.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from secrets import token_bytes

from pipelines.clock import Clock, utc_now
from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.play import Play
from pipelines.storage.files import MissingError, StorageError, storage_of, update

LATELY = timedelta(seconds=3)
SETTLED = timedelta(seconds=6)
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The marks as they were at one moment: instants (UTC) by keyed hash."""

    key: bytes = b""
    marks: Mapping[str, datetime] = field(default_factory=dict)

    def until(self, user_id: str) -> datetime | None:
        """The instant up to which a user was forgotten, None for one who was not."""
        return self.marks.get(_hash(self.key, user_id)) if self.marks else None

    def has(self, user_id: str, instant: datetime) -> bool:
        """Whether what came of a user at an instant stays out."""
        until = self.until(user_id)
        return until is not None and instant <= until

    def without(self, plays: Iterable[Play]) -> list[Play]:
        """The plays that do not stay out, in their order."""
        if not self.marks:  # as nearly always, and each play is asked about three times
            return list(plays)
        return [play for play in plays if not self.has(play.user_id, play.ingested_at)]


class Marks:
    """The marks of an archive, a folder or ``gs://bucket/folder``. Pickles as its root. Methods raise StorageError."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.path = f"{root.rstrip('/')}/forgotten/marks.json"

    def read(self) -> Forgotten:
        """The marks as they are."""
        read_at = time.monotonic()
        try:
            forgotten = _of_json(self.path, storage_of(self.root).read(self.path).data)
        except MissingError:
            forgotten = Forgotten()
        _last_read[self.path] = read_at, forgotten
        return forgotten

    def lately(self) -> Forgotten:
        """The marks as they were no longer than ``LATELY`` ago: for who asks at each step."""
        read_at, forgotten = _last_read.get(self.path, (float("-inf"), Forgotten()))
        return forgotten if time.monotonic() - read_at <= LATELY.total_seconds() else self.read()

    def add(self, user_id: str, clock: Clock = utc_now, wait: Callable[[float], object] = time.sleep) -> datetime:
        """Forget a user up to an instant that is a few seconds ahead, wait for it, and return it.

        Of two marks of one user the later stays. From then on who writes anything that was ingested earlier takes it
        away himself, or has written it by now.
        """
        while True:
            until = clock() + SETTLED
            update(self.path, lambda data: _marked(self.path, data, user_id, until))  # noqa: B023 - called at once
            if clock() <= until - LATELY:
                break  # or writing took so long that some may not know the mark at its instant
        wait((until - clock()).total_seconds() + 0.001)
        self.read()
        return until

    def __reduce__(self) -> tuple[type["Marks"], tuple[str]]:
        return type(self), (self.root,)


# Of this process: when a file of marks was read last (monotonic seconds), and what was in it.
_last_read: dict[str, tuple[float, Forgotten]] = {}


@lru_cache(10_000)
def _hash(key: bytes, user_id: str) -> str:
    return digest(key, user_id.encode(), sha256).hex()


def _marked(path: str, data: bytes | None, user_id: str, until: datetime) -> bytes:
    known = Forgotten(token_bytes(32)) if data is None else _of_json(path, data)
    name = _hash(known.key, user_id)
    marks = {**known.marks, name: max(until, known.marks.get(name, until))}
    told = {name: rfc3339(instant) for name, instant in sorted(marks.items())}
    return json.dumps({"version": _VERSION, "key": known.key.hex(), "marks": told}, indent=0).encode()


def _of_json(path: str, data: bytes) -> Forgotten:
    try:
        value = json.loads(data)
        version, key = int(value["version"]), bytes.fromhex(value["key"])
        marks = {str(name): parse(instant) for name, instant in value["marks"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StorageError(
            f"{path} is damaged, and who was forgotten could come back: restore it, or forget again whom it named"
        ) from None
    if version > _VERSION:
        raise StorageError(f"{path} was written by a newer Heavy Rotation: upgrade Heavy Rotation")
    return Forgotten(key, marks)
