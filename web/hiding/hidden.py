"""The list of what is hidden, by listener."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from pipelines.failure import Failure
from pipelines.storage.files import MissingError, is_bucket, storage_of, update

_MOST = 1000
Lists = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Hidden:
    """``path`` is a file in a folder or at ``gs://``, which need not be there. Methods raise StorageError, Failure."""

    path: str

    @classmethod
    def of(cls, state: str) -> "Hidden":
        """The list beside what polling remembers, in a folder or at ``gs://``."""
        return cls(
            f"{state.rstrip('/')}/web/hidden.json" if is_bucket(state) else str(Path(state, "web", "hidden.json"))
        )

    def keys(self, user_id: str) -> tuple[str, ...]:
        """What questions are to leave out for a listener, sorted."""
        return tuple(sorted(self.links(user_id)))

    def links(self, user_id: str) -> dict[str, str]:
        """The links, as they were given, by key."""
        try:
            return self._parsed(storage_of(self.path).read(self.path).data).get(user_id, {})
        except MissingError:
            return {}

    def add(self, user_id: str, key: str, link: str) -> bool:
        """Hide it; whether it was not hidden before."""

        def added(there: dict[str, str]) -> dict[str, str]:
            if len(there) >= _MOST and key not in there:
                raise Failure(f"{_MOST:,} things are hidden already, which is as many as can be")
            return {**there, key: there.get(key, link)}

        return self._change(user_id, added)

    def remove(self, user_id: str, key: str) -> bool:
        """Show it again; whether it was hidden."""
        return self._change(user_id, lambda there: {other: link for other, link in there.items() if other != key})

    def _change(self, user_id: str, change: Callable[[dict[str, str]], dict[str, str]]) -> bool:
        is_changed = False

        def changed(data: bytes | None) -> bytes | None:
            nonlocal is_changed
            lists = {} if data is None else self._parsed(data)
            before = lists.get(user_id, {})
            after = change(before)
            is_changed = before != after
            lists = {user: links for user, links in {**lists, user_id: after}.items() if links}
            return orjson.dumps({"hidden": lists}, option=orjson.OPT_INDENT_2) if is_changed else None

        update(self.path, changed)
        return is_changed

    def _parsed(self, data: bytes) -> Lists:
        try:
            lists = orjson.loads(data)["hidden"]
            return {str(user): {str(key): str(link) for key, link in links.items()} for user, links in lists.items()}
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            raise Failure(f"{self.path} is damaged; remove it, and hide again what is to be hidden") from None
