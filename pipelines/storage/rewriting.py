"""A file of the archive with some of its plays changed."""

import io
from collections.abc import Callable
from typing import Any

import fastavro

from pipelines.storage.archive import check_count, readable
from pipelines.storage.encoding import COUNT

Record = dict[str, Any]


def rewritten(path: str, data: bytes, change: Callable[[Record], Record | None]) -> tuple[bytes, int]:
    """A file's bytes with records in the place of others, and how many; ``change`` gives None for one that stays.

    Fields that this version does not know stay as they are. Raises StorageError for a file that cannot be read.
    """
    with readable(path):
        reader = fastavro.reader(io.BytesIO(data))
        records: list[Any] = list(reader)
        schema, codec, metadata = reader.writer_schema, reader.codec, reader.metadata
    check_count(path, data, len(records))
    changed = [(change(record), record) for record in records]
    count = sum(new is not None for new, _ in changed)
    file = io.BytesIO()
    about = {name: text for name, text in metadata.items() if not name.startswith("avro.")}
    fastavro.writer(
        file,
        schema,
        [new or record for new, record in changed],
        codec=codec,
        metadata={**about, COUNT: str(len(records))},
    )
    return file.getvalue(), count
