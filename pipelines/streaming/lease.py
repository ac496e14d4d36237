"""One stream on a machine at a time, for one archive: each knows only what it has read itself, and would count wrongly.

The lease is a file beside the archive's months. It names who holds it, is renewed while the stream runs, and ends half
a minute after the last renewal, or at once with a process of this machine that is gone. On Dataflow the job's name is
the lease: a second job of that name is refused.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Self

from pipelines.clock import Clock
from pipelines.domain.instants import parse, rfc3339
from pipelines.failure import Failure
from pipelines.storage.files import NO_FILE, ChangedError, MissingError, StorageError, Version, storage_of

_ENDS_AFTER = timedelta(seconds=30)
_RENEW_SECONDS = 10.0


class LeaseError(Failure):
    """Another stream is at work on the archive. The text says which."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """What the file says. ``process`` is None where nobody holds the lease any more; instants are RFC 3339.

    ``since`` is when the first of the streams began that have not ended well since: the tables may lack what they took.
    """

    host: str
    process: int | None
    renewed_at: str
    since: str

    def is_at_work(self, now: datetime) -> bool:
        """Whether the lease has not ended yet."""
        if self.process is None or now - parse(self.renewed_at) > _ENDS_AFTER:
            return False
        return self.host != socket.gethostname() or _is_there(self.process)


class Lease:
    """The right of this process to be the stream of an archive. Use it as a context manager.

    Entering raises LeaseError while another one holds it, StorageError where it cannot be written. ``lost`` is called
    when the lease went to another one, and ``error`` says so. Set ``ended_well`` when the tables have all that was
    taken.
    """

    def __init__(self, archive: str, clock: Clock, lost: Callable[[], object]) -> None:
        self.path = f"{archive.rstrip('/')}/stream.json"
        self.clock = clock
        self.error: LeaseError | None = None
        self.ended_well = False
        self._lost = lost
        self._storage = storage_of(archive)
        self._closed = Event()

    def __enter__(self) -> Self:
        self._mine, self._version = self._take()
        self._renewer = Thread(target=self._renew, name="lease", daemon=True)
        self._renewer.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._closed.set()
        self._renewer.join()
        with suppress(StorageError):  # it ends by itself, and then the next one only has more to look at
            if self._read()[1] != self._version:
                return  # another one's by now
            if self.ended_well:
                self._storage.remove(self.path)
            else:
                self._write(replace(self._mine, process=None))

    @property
    def since(self) -> datetime:
        """From when on the tables may lack plays that were acknowledged, in UTC: from now on, or from when the first of
        those streams began that have not ended well since one did."""
        return parse(self._mine.since)

    def _take(self) -> tuple[_Holder, Version]:
        now = rfc3339(self.clock())
        mine = _Holder(socket.gethostname(), os.getpid(), now, now)
        last, version = self._read()
        if last:
            if last.is_at_work(self.clock()):
                raise LeaseError(
                    f"process {last.process} on {last.host} streams into this archive already, and two would count "
                    f"wrongly; stop it, or wait until half a minute after it ended ({self.path})"
                )
            mine = replace(mine, since=last.since)
        try:
            return mine, self._storage.replace(self.path, _encoded(mine), version)
        except ChangedError:
            raise LeaseError(f"another stream began at the same moment; see {self.path}") from None

    def _read(self) -> tuple[_Holder | None, Version]:
        try:
            file = self._storage.read(self.path)
        except MissingError:
            return None, NO_FILE
        try:
            holder = _Holder(**json.loads(file.data))
            parse(holder.renewed_at), parse(holder.since)
        except (ValueError, TypeError, AttributeError):
            return None, file.version  # damaged: it says nothing of anybody
        return holder, file.version

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._closed.wait(_RENEW_SECONDS):
            try:
                self._write(replace(self._mine, renewed_at=rfc3339(self.clock())))
                renewed = time.monotonic()
            except ChangedError:
                self.error = LeaseError(f"another stream has taken this archive over; see {self.path}")
            except StorageError as error:
                if time.monotonic() - renewed > _ENDS_AFTER.total_seconds():
                    self.error = LeaseError(f"the lease of the stream could not be renewed: {error}")
            if self.error:
                self._lost()
                return

    def _write(self, holder: _Holder) -> None:
        self._version = self._storage.replace(self.path, _encoded(holder), self._version)
        self._mine = holder


def _encoded(holder: _Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _is_there(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
