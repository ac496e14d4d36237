"""What a ``--warehouse`` may be."""

import argparse

from pipelines.warehouse.bigquery import parse_address
from pipelines.warehouse.folder import WarehouseError


def warehouse_argument(text: str) -> str:
    """``--warehouse`` as argparse's type: a folder, or an address that can be one of BigQuery's."""
    if "://" in text:
        try:
            parse_address(text)
        except WarehouseError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text
