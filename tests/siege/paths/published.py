"""What is published to Pub/Sub, for the paths that begin there."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tests.siege.world import Heard

CORRUPT = (b"\xff\xfe", b"{}", b"[1]", b'{"user_id": "x", "played_at": "soon"}', b'{"user_id": ' + b"[" * 5000)
One = TypeVar("One")


class Instants:
    """A listener's instants are his own: as polling does it, one that another play has is moved by milliseconds."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, int]] = set()

    def settled(self, play: Heard) -> Heard:
        """The play as it is published."""
        stamp = play.stamp or 0
        while (play.user, stamp) in self._taken:
            stamp += 1
        self._taken.add((play.user, stamp))
        return replace(play, stamp=stamp)


def late_by_places(draw: random.Random, some: Sequence[One], places: int) -> list[One]:
    """The same, each up to so many places late."""
    order = sorted(range(len(some)), key=lambda place: place + draw.randrange(places))
    return [some[place] for place in order]


def closes(month: str) -> datetime:
    """A month takes plays until 35 days after its end; two hours less, so that no zone matters."""
    year, number = map(int, month.split("-"))
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return end + timedelta(days=35, hours=-2)
