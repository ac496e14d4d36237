"""Messages that this process has taken from Pub/Sub and not yet acknowledged.

Beam's local runner acknowledges a message when it pulls it: a full disk, a power cut or ``kill -9`` before the
archive has the play would then lose it. So its reader (``local_pubsub.py``) notes what it takes here, the steps
after which a message is safe settle it, and only then is it acknowledged. On Dataflow, which acknowledges what
it has committed, nothing is ever noted and settling does nothing.
"""

import threading
from collections.abc import Iterable


class Ledger:
    """Taken messages by their id, and the acknowledgements that are due. Safe to use from several threads.

    ``files`` are those that the archive was given for messages that were taken here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}
        self._due: list[str] = []
        self.files: list[str] = []

    @property
    def waiting(self) -> int:
        """How many messages are taken and not settled."""
        with self._lock:
            return len(self._taken)

    def take(self, message_id: str, ack_id: str) -> None:
        """Note a message that was pulled. Pulled again, its newest ack id is the valid one."""
        with self._lock:
            self._taken[message_id] = ack_id

    def settle(self, message_ids: Iterable[str], file: str | None = None) -> None:
        """These messages are safe: their plays are in a file of the archive, or they are in ``rejected``."""
        with self._lock:
            settled = [self._taken.pop(message_id) for message_id in message_ids if message_id in self._taken]
            self._due += settled
            if settled and file:
                self.files.append(file)

    def leave(self, message_ids: Iterable[str | None]) -> None:
        """Nobody here will settle these: Pub/Sub delivers them again when their lease is over, and not for ever."""
        with self._lock:
            for message_id in message_ids:
                self._taken.pop(message_id or "", None)

    def collect(self) -> list[str]:
        """The ack ids that have become due since the last call."""
        with self._lock:
            due, self._due = self._due, []
        return due

    def give_up(self) -> list[str]:
        """The ack ids of everything that is not settled, which from now on nobody here will settle."""
        with self._lock:
            left, self._taken = list(self._taken.values()), {}
        return left


LEDGER = Ledger()
