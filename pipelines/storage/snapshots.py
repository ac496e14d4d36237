"""Snapshots in the archive, beside the plays: ``ARCHIVE/<kind>/month=YYYY-MM/<kind>-<unique>.avro``.

As with plays, a file appears whole or not at all under a name that nothing else can have, with the number of its
records in its header; a snapshot may be in the archive more than once. The month is that of ``taken_at``, of UTC.
"""

import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from itertools import groupby
from typing import Any

from pipelines.domain.month import month_text
from pipelines.domain.snapshots import KINDS, Snapshot, from_record
from pipelines.storage.archive import check_records, is_of_a_month, readable
from pipelines.storage.encoding import encode_snapshots
from pipelines.storage.files import storage_of
from pipelines.tables import snapshot_schema


class SnapshotArchive:
    """The snapshots of an archive in a folder or at ``gs://bucket/folder``. Pickles. Methods raise StorageError."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        self._storage = storage_of(root)

    def write(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Put snapshots into new files, one for each kind and month, and return their paths."""

        def folder(snapshot: Snapshot) -> tuple[str, date]:
            return snapshot.kind, snapshot.month

        paths = []
        for (kind, month), some in groupby(sorted(snapshots, key=folder), key=folder):
            path = f"{self.root}/{kind}/month={month_text(month)}/{kind}-{uuid.uuid4().hex}.avro"
            self._storage.write_new(path, encode_snapshots(kind, list(some)))
            paths.append(path)
        return paths

    def files(self, kind: str, months: Iterable[date] | None = None) -> list[str]:
        """The paths of a kind's files, or of those of some months."""
        root = f"{self.root}/{kind}"
        folders = [root] if months is None else [f"{root}/month={month_text(month)}" for month in months]
        paths = [path for folder in folders for path in self._storage.files(folder, ".avro")]
        return [path for path in paths if is_of_a_month(path)]

    def sizes(self, kind: str) -> dict[str, int]:
        """The paths of a kind's files with the bytes of each."""
        there = self._storage.sizes(f"{self.root}/{kind}", ".avro")
        return {path: size for path, size in there.items() if is_of_a_month(path)}

    def read_bytes(self, path: str) -> bytes:
        """A file as it is."""
        return self._storage.read(path).data

    def read(self, kind: str, path: str) -> Iterator[Snapshot]:
        """The snapshots of a file. Raises StorageError also for one that is cut short or is not Avro."""
        return decode_snapshots(kind, path, self.read_bytes(path))

    def __reduce__(self) -> tuple[type["SnapshotArchive"], tuple[str]]:
        return type(self), (self.root,)


def kind_of(path: str) -> str | None:
    """The kind of the snapshots in a file of an archive; None for a file of plays."""
    return next((folder for folder in path.split("/")[-3:-2] if folder in KINDS), None)


def decode_snapshots(kind: str, path: str, data: bytes) -> Iterator[Snapshot]:
    """The snapshots of a file's bytes. Raises StorageError, also for a file that is cut short or is not Avro."""
    import fastavro  # here, since who only writes does without

    with readable(path):
        reader: Any = fastavro.reader(io.BytesIO(data), reader_schema=_parsed_schema(kind))
        records: list[Any] = list(reader)
        check_records(path, reader, len(records))
        return iter([from_record(kind, record) for record in records])


@cache
def _parsed_schema(kind: str) -> Any:
    import fastavro

    return fastavro.parse_schema(snapshot_schema(kind))
