"""What could not be read when polling into the archive, brought into the table ``rejected``, each once."""

import logging
from typing import Any

import orjson

from pipelines.domain.instants import parse
from pipelines.domain.play import Source
from pipelines.rebuilding.target import Row, Target
from pipelines.storage.archive import Archive
from pipelines.storage.rejects import Rejects
from pipelines.warehouse.persons import remembered

ORIGIN = "spotify"
_log = logging.getLogger("heavy_rotation")


def bring_rejected(archive: Archive, target: Target) -> int:
    """Add what the table does not have yet, and return how much. Raises StorageError."""
    rejects = Rejects(archive.root)
    ids = rejects.ids()
    new = sorted(set(ids) - target.rejected_ids()) if ids else []
    rows = remembered("rejected", [row for row in (_row(rejects, name) for name in new) if row], archive.marks.read())
    if rows:
        target.add_rejected(rows)
    return len(rows)


def _row(rejects: Rejects, name: str) -> Row | None:
    try:
        kept: dict[str, Any] = orjson.loads(rejects.read(name))
        return {
            "rejected_at": parse(kept["seen_at"]),
            "origin": ORIGIN,
            "message_id": name,
            "reason": str(kept["reason"]),
            "payload": orjson.dumps(kept["item"]),
            "attributes": orjson.dumps(
                {"user_id": kept["user_id"], "source": Source.RECENTLY_PLAYED.value}, option=orjson.OPT_SORT_KEYS
            ).decode(),
        }
    except (ValueError, KeyError, TypeError):
        _log.warning("%s is damaged, and left out of the table rejected", rejects.path(name))
        return None
