"""A recap where everybody who has its address may read it, and nobody finds it: in a bucket that lists nothing.

A name is 128 bits drawn by the machine, and is in no file: the bucket is the only list of what is published.
"""

import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote, unquote

from pipelines.failure import Failure
from pipelines.storage.bucket import SCHEME, bucket_and_name, upload_page
from pipelines.storage.files import is_bucket, storage_of

SERVED_BY = "https://storage.googleapis.com/"
_NAME = re.compile(rf"(?:{SCHEME}|{SERVED_BY})(?P<folder>[^/]+/(?:.+/)?[0-9a-f]{{32}})(?:/.*)?")
_TYPES = {"html": "text/html; charset=utf-8", "png": "image/png", "svg": "image/svg+xml"}


def new_folder(bucket: str) -> str:
    """A folder of a name that cannot be guessed, in ``gs://bucket`` or below. Raises Failure."""
    _require_bucket(bucket)
    return f"{bucket.rstrip('/')}/{secrets.token_hex(16)}"


def address_of(path: str) -> str:
    """Where a browser finds an object."""
    return SERVED_BY + quote(path.removeprefix(SCHEME))


def publish(folder: str, files: Mapping[str, bytes]) -> None:
    """Upload files, in their order, into a folder of ``new_folder``'s. Raises StorageError."""
    for name, data in files.items():
        upload_page(f"{folder}/{name}", data, _TYPES[name.rpartition(".")[2]])


def published(bucket: str) -> list[str]:
    """The addresses of the pages that are published in a bucket. Raises Failure."""
    _require_bucket(bucket)
    paths = storage_of(bucket).files(bucket, ".html")
    return [address for path in paths if _NAME.fullmatch(address := address_of(path))]


def unpublish(address: str) -> int:
    """Remove all that was published together, by the address of any of it. Returns how many files that were.

    Raises Failure where nothing is there, and StorageError.
    """
    match = _NAME.fullmatch(unquote(address.strip()))
    if match is None:
        raise Failure(f"{address} is no address of a recap; --published gs://BUCKET lists those that there are")
    folder = SCHEME + match["folder"]
    storage = storage_of(folder)
    paths = storage.files(folder, "")
    if not paths:
        raise Failure(f"nothing is published at {address}; --published gs://BUCKET lists what is")
    # The page last: where the rest cannot be removed, it still says in the list that something is left.
    for path in sorted(paths, key=lambda path: path.endswith(".html")):
        storage.remove(path)
    return len(paths)


def _require_bucket(bucket: str) -> None:
    if not is_bucket(bucket):
        raise Failure(f"{bucket} names no bucket; write it as gs://bucket")
    bucket_and_name(bucket)
