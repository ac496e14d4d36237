"""Protections of the project, taken away on purpose: a siege that would not notice proves nothing.

Each is a function of the project that is replaced in this process, and so in all that it forks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

Replacement = tuple[str, str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is replaced: module, name (``Class.method`` or a function), and by what. ``paths`` should find it."""

    paths: tuple[str, ...]
    replaces: tuple[Replacement, ...]

    @contextmanager
    def there(self) -> Iterator[None]:
        """While this is entered the protection is gone."""
        patches = [patch(f"{module}.{name}", by) for module, name, by in self.replaces]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in reversed(patches):
                one.stop()


def _moved_before(items: Any, account_id: Any, cursors: Any, destination: Any, now: Any, stored: Any = None) -> Any:
    """The cursor moves, then the plays are published."""
    from producer.polling.poll import find_fresh, move_cursor

    fresh = find_fresh(items, account_id, cursors, now, stored or cursors.read(account_id))
    result = move_cursor(fresh, cursors)
    if fresh.plays or fresh.rejects:
        destination.publish(fresh.plays, fresh.rejects)
    return result


def _utc_month(self: Any, at: Any) -> Any:
    from datetime import UTC

    return at.astimezone(UTC).date().replace(day=1)


MUTATIONS: dict[str, Mutation] = {
    "the cursor moved before the archive": Mutation(("small",), (("producer.polling.poll", "poll", _moved_before),)),
    "UTC months": Mutation(("small",), (("pipelines.domain.month", "Calendar.month_of", _utc_month),)),
}
