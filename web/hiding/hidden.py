"""The list of what a listener has hidden: a small document for each in the state, beside what polling remembers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import orjson

from pipelines.failure import Failure
from pipelines.storage.files import MissingError, storage_of, update

_MOST = 1000
Links = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hidden:
    """``state`` is a folder or ``gs://bucket/folder``. Methods raise StorageError, and Failure for a damaged list."""

    state: str

    def path(self, user_id: str) -> str:
        """Where a listener's list is, which need not be there."""
        root = self.state.rstrip("/") if "://" in self.state else str(Path(self.state))
        return f"{root}/hidden/{quote(user_id, safe='')}.json"

    def keys(self, user_id: str) -> tuple[str, ...]:
        """What questions are to leave out for a listener, sorted."""
        return tuple(sorted(self.links(user_id)))

    def links(self, user_id: str) -> Links:
        """The links, as they were given, by key."""
        path = self.path(user_id)
        try:
            return _parsed(path, storage_of(path).read(path).data)
        except MissingError:
            return {}

    def add(self, user_id: str, key: str, link: str, *others: str) -> bool:
        """Hide a thing, by its key and ``others`` of it; whether it was not hidden before."""

        def added(there: Links) -> Links:
            if key in there:
                return there
            if len(things(there)) >= _MOST:
                raise Failure(f"{_MOST:,} things are hidden already, which is as many as can be")
            return {**there, **{one: there.get(one, link) for one in (key, *others)}}

        return self._change(user_id, added)

    def remove(self, user_id: str, key: str) -> bool:
        """Show a thing again, which is whatever was hidden by one link; whether it was hidden."""

        def removed(there: Links) -> Links:
            return {one: link for one, link in there.items() if key not in there or link != there[key]}

        return self._change(user_id, removed)

    def _change(self, user_id: str, change: Callable[[Links], Links]) -> bool:
        path, is_changed = self.path(user_id), False

        def changed(data: bytes | None) -> bytes | None:
            nonlocal is_changed
            before = {} if data is None else _parsed(path, data)
            after = change(before)
            is_changed = before != after
            return orjson.dumps({"hidden": after}, option=orjson.OPT_INDENT_2) if is_changed else None

        update(path, changed)
        return is_changed


def things(links: Links) -> dict[str, str]:
    """What is hidden, by link: the key of it that was told first."""
    return {link: key for key, link in reversed(list(links.items()))}


def _parsed(path: str, data: bytes) -> Links:
    try:
        return {str(key): str(link) for key, link in orjson.loads(data)["hidden"].items()}
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        raise Failure(f"{path} is damaged; remove it, and hide again what is to be hidden") from None
