"""The warehouse, opened once: a server may be started before there is one."""

from pathlib import Path
from threading import Lock

from pipelines.warehouse.bigquery import SCHEME
from pipelines.warehouse.folder import MARKER
from web.asking import Asker
from web.errors import NothingYetError
from web.settings import Settings


class Warehouse:
    """Of all requests of a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._asker: Asker | None = None

    def asker(self) -> Asker:
        """What answers questions. Raises NothingYetError where there is no warehouse yet, and StorageError."""
        address = self._settings.warehouse
        with self._lock:
            if self._asker is None:
                if not address.startswith(SCHEME) and not (Path(address) / MARKER).exists():
                    raise NothingYetError(f"There are no tables in {address} yet.")
                self._asker = Asker(address, clock=self._settings.clock)
            return self._asker

    def close(self) -> None:
        """Let go of it; nothing more will be asked."""
        with self._lock:
            if self._asker:
                self._asker.close()
                self._asker = None
