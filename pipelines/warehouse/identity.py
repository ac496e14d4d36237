"""Which tables a ``--warehouse`` means, for what is noted about them beside the archive."""

import argparse
from hashlib import blake2b
from pathlib import Path

from pipelines.storage.files import storage_explained
from pipelines.warehouse.bigquery import SCHEME, BigQueryWarehouse, parse_address
from pipelines.warehouse.folder import MARKER, WarehouseError


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
    with storage_explained(folder):
        return f"{folder}\n{(folder / MARKER).stat().st_mtime_ns}"


def warehouse_argument(text: str) -> str:
    """``--warehouse`` as argparse's type: a folder, or an address that can be one of BigQuery's."""
    if "://" in text:
        try:
            parse_address(text)
        except WarehouseError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text
