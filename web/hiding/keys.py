"""What is hidden with a thing: a song has many ids, an artist rows without one, and all of them are to go."""

from collections.abc import Callable
from typing import Any

Rows = list[dict[str, Any]]


def keys_of(ask: Callable[..., Rows], kind: str, identity: str) -> list[str]:
    """Every key by which questions leave it out, its own first; none where there are no plays of it.

    ``ask`` answers a question about the listener; ``kind`` is ``track``, ``artist`` or ``album``.
    """
    found = ask("item", kind=kind, id=identity)
    if not found:
        return []
    key = found[0]["key"]
    merged = ask("item_ids", kind=kind, id=key)
    keys = [f"{kind}:{key}", *(f"{kind}:{row['id']}" for row in merged if row["id"])]
    if kind == "artist":
        keys += [f"artist_name:{row['name']}" for row in merged if row["name"]]
    return list(dict.fromkeys(keys))
