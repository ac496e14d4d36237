"""Cases: what is valid, changed. What is nearly right goes deeper than noise."""

import json
import math
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.siege.world import World

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HEARD = [play for play in World(1).heard if play.stamp is not None][:40]
Parser = tuple[st.SearchStrategy[Any], Callable[[Any], None]]

_SCALARS = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 2**70, 1e308, math.nan, math.inf, -math.inf),
    *("", "\x00", "\ud800", "../../x", "9" * 400, "2026-02-30T25:61:61Z", "0001-01-01T00:00:00Z", "<b>", "'--"),
)
_ALPHABET = "aZ09 .:-/\\\"'\n\t\x00\u00e9\u0130\u2028\ufeff\U0001f327\ud800"
_BYTES = (b"\xff" * 9, b"\x80" * 10 + b"\x01", b"[" * 2000, b"\x00" * 64)


def scalar(draw: random.Random) -> Any:
    """What stands nowhere in its right place."""
    match draw.randrange(4):
        case 0:
            return draw.randint(-(2**65), 2**65)
        case 1:
            return "".join(draw.choices(_ALPHABET, k=draw.randrange(8)))
        case _:
            return draw.choice(_SCALARS)


def tree(draw: random.Random, depth: int = 3) -> Any:
    """The same, or lists and objects of it."""
    kind = draw.randrange(6) if depth else 0
    if kind == 1:
        return [tree(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 2:
        return {str(scalar(draw)): tree(draw, depth - 1) for _ in range(draw.randrange(4))}
    return scalar(draw)


def drawn(make: Callable[[random.Random], Any]) -> st.SearchStrategy[Any]:
    """What is made by chance from a number: many times as fast as parts that Hypothesis draws, and it prints itself."""
    return st.integers(0, 2**40).map(lambda number: make(random.Random(number)))


def changed(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value with one to four places changed: another value, gone, or doubled."""
    places = list(_places(value))

    def change(draw: random.Random) -> Any:
        edits = [
            (draw.choice(places), draw.choice(("put", "put", "drop", "double")), tree(draw))
            for _ in range(draw.randint(1, 4))
        ]
        return _edited(value, edits)

    return drawn(change)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with one to six places changed: others put there, cut out, or the rest cut off."""

    def damage(draw: random.Random) -> bytes:
        edits = [
            (
                draw.randrange(max(1, len(data))),
                draw.choice(("put", "put", "insert", "cut", "end")),
                draw.choice(_BYTES) if draw.random() < 0.2 else draw.randbytes(draw.randint(1, 6)),
            )
            for _ in range(draw.randint(1, 6))
        ]
        return _cut(data, edits)

    return drawn(damage)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _places(part, (*path, key))


def _edited(value: Any, edits: Sequence[tuple[tuple[Any, ...], str, Any]]) -> Any:
    value = json.loads(json.dumps(value))
    for path, how, new in edits:
        if not path:
            if how == "put":
                value = new
            continue
        holder = value
        try:
            for key in path[:-1]:
                holder = holder[key]
            if how == "put":
                holder[path[-1]] = new
            elif how == "drop":
                del holder[path[-1]]
            elif isinstance(holder, list):
                holder.append(holder[path[-1]])
        except (KeyError, IndexError, TypeError):
            continue  # another edit took the place away
    return value


def _cut(data: bytes, edits: Sequence[tuple[int, str, bytes]]) -> bytes:
    made = bytearray(data)
    for at, how, new in edits:
        if how == "put":
            made[at : at + len(new)] = new
        elif how == "insert":
            made[at:at] = new
        elif how == "cut":
            del made[at : at + 7 * len(new)]
        else:
            del made[at:]
    return bytes(made)


def as_json(value: Any) -> bytes:
    """JSON as others may write it: with lone surrogates, infinities and numbers beyond all bounds."""
    return json.dumps(value).encode()


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="siege-hostile-") as name:
        yield Path(name)


def calendar() -> Any:
    from pipelines.domain.month import Calendar

    return Calendar("Europe/Paris")
