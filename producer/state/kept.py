"""One JSON document of the state that several processes may change: each change is made to what is there now."""

from collections.abc import Callable
from typing import Any

from pipelines.storage.files import ChangedError, wait_before
from producer.private_files import StateError
from producer.state.documents import Documents

_ATTEMPTS = 20
Value = dict[str, Any]


class Kept:
    """A document by name. Methods raise StateError and StorageError."""

    def __init__(self, documents: Documents, name: str) -> None:
        self._documents = documents
        self._name = name

    @property
    def place(self) -> str:
        """Where it is, to show to a person."""
        return self._documents.place(self._name)

    def read(self) -> Value:
        """Its value, empty where there is none."""
        return self._documents.read(self._name).value or {}

    def change(self, change: Callable[[Value], Value]) -> Value:
        """Make a change to what is there, again where another process was faster; the value from now on."""
        for attempt in range(_ATTEMPTS):
            document = self._documents.read(self._name)
            before = document.value or {}
            after = change(dict(before))
            if after == before:
                return after
            try:
                self._documents.replace(self._name, after, document.version)
            except ChangedError:
                wait_before(attempt)
            else:
                return after
        raise StateError(f"{self.place} is changed by others all the time; run this in one place only")

    def remove(self) -> None:
        """Remove it, if it is there."""
        self._documents.remove(self._name)
