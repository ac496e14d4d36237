"""Which tables a ``--warehouse`` means, for what is noted about them beside the archive."""

from hashlib import blake2b
from pathlib import Path

from pipelines.storage import explained
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.local import MARKER


def key_of(warehouse: str, time_zone: str) -> str:
    """Another name for other tables, 32 hexadecimal digits.

    Tables that were removed and made again are other tables: they hold nothing.
    Raises StorageError where there are none.
    """
    return blake2b(f"{_identity(warehouse)}\n{time_zone}".encode(), digest_size=16).hexdigest()


def _identity(warehouse: str) -> str:
    if warehouse.startswith(SCHEME):
        return f"{warehouse.rstrip('/')}\n{BigQueryWarehouse(warehouse).created()}"
    folder = Path(warehouse).resolve()
    with explained(folder):
        return f"{folder}\n{(folder / MARKER).stat().st_mtime_ns}"
