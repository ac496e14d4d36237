"""Which tables a ``--warehouse`` means, for what is noted about them beside the archive."""

from pathlib import Path

from pipelines.storage import explained
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse
from pipelines.warehouse.local import MARKER


def identity(warehouse: str) -> str:
    """Another text for other tables. Tables that were removed and made again are other tables: they hold nothing.

    Raises StorageError where there are none.
    """
    if warehouse.startswith(SCHEME):
        return f"{warehouse.rstrip('/')}\n{BigQueryWarehouse(warehouse).created()}"
    folder = Path(warehouse).resolve()
    with explained(folder):
        return f"{folder}\n{(folder / MARKER).stat().st_mtime_ns}"
