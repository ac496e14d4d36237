"""Documents of the producer's state, which is read here and never written."""

import json
from typing import Any
from urllib.parse import quote

from pipelines.storage.files import MissingError, storage_of


def document(state: str, *names: str) -> Any:
    """The one of this name, in these folders; an account's id may be in a name. None where there is no such JSON.

    ``state`` is the producer's folder, or ``gs://bucket/folder``. Raises StorageError where it cannot be read.
    """
    path = "/".join([state.rstrip("/"), *(quote(name, safe="") for name in names)])
    try:
        return json.loads(storage_of(path).read(path).data)
    except (MissingError, ValueError):
        return None
