"""What each import read and left out: a small document for each account in the state, the newest last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from pipelines.domain.instants import rfc3339
from pipelines.storage.files import update

FOLDER = "imports"
_MOST = 100


def note_import(state: str, account_id: str, at: datetime, counts: Mapping[str, Any]) -> None:
    """Add an import to the account's. ``counts`` is JSON; a document that cannot be read begins anew.

    Raises StorageError.
    """

    def added(data: bytes | None) -> bytes:
        try:
            there = list(orjson.loads(data)["imports"]) if data else []
        except (orjson.JSONDecodeError, KeyError, TypeError):
            there = []
        record = {"at": rfc3339(at), **counts}
        others = [other for other in there if other != record]  # where the first try was kept after all
        return orjson.dumps({"imports": [*others, record][-_MOST:]}, option=orjson.OPT_INDENT_2)

    update(f"{state.rstrip('/')}/{FOLDER}/{quote(account_id, safe='')}.json", added)
