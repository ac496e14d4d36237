"""Cases: what is valid, changed. What is nearly right goes deeper than noise."""

import json
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

scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["\x00", "\ud800", "../../x", "9" * 400, "2026-02-30T25:61:61Z", "0001-01-01T00:00:00Z", "<b>", "'--"]
    )
)
trees = st.recursive(
    scalars, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=4), some, max_size=3)
)


def changed(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value with one to four places changed: another value, gone, or doubled."""
    places = list(_places(value))
    edit = st.tuples(st.sampled_from(places), st.sampled_from(["put", "put", "drop", "double"]), trees)
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: _edited(value, edits))


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with one to six places changed: others put there, cut out, or the rest cut off."""
    edit = st.tuples(
        st.integers(0, max(0, len(data) - 1)),
        st.sampled_from(["put", "put", "insert", "cut", "end"]),
        st.binary(min_size=1, max_size=6)
        | st.sampled_from([b"\xff" * 9, b"\x80" * 10 + b"\x01", b"[" * 2000, b"\x00" * 64]),
    )
    return st.lists(edit, min_size=1, max_size=6).map(lambda edits: _cut(data, edits))


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
