"""The raw Avro archive: the truth from which every table can be made again.

Layout: ``ARCHIVE/plays/month=YYYY-MM/plays-<unique>.avro``, deflate, any number of files. A file appears whole
or not at all, under a name that no retry and no second job can have, so a play may be in it more than once and
is never missing from it. The month is the play's in the writer's time zone.
"""

import io
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal

from pipelines.domain.month import Calendar, following, month_text, parse_month, with_neighbours
from pipelines.domain.play import Play, from_record
from pipelines.domain.snapshots import KINDS
from pipelines.storage.encoding import COUNT, encode, file_of
from pipelines.storage.files import StorageError, storage_of
from pipelines.storage.forgotten import Marks
from pipelines.tables import play_schema

_log = logging.getLogger("heavy_rotation")

Holding = Literal["plays", "older version"]


class Archive:
    """An archive of plays in a folder or at ``gs://bucket/folder``. Pickles as its root."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        self._storage = storage_of(root)
        self.marks = Marks(self.root)

    def write(self, month: date, plays: Sequence[Play]) -> str | None:
        """Put plays of one month into one new file and return its path. Raises StorageError.

        Plays that were forgotten stay out; where no others are left there is no file, and None is returned.
        """
        some = self.marks.lately().without(plays)
        if plays and not some:
            return None
        path = self._write_new(self._folder(month), encode(some))
        # Behind the writing: who forgets a person marks first and lists the files then, so one sees the other.
        left = self.marks.read().without(some)
        if len(left) == len(some):
            return path
        others = self.write(month, left) if left else None
        self._withdraw(path)
        return others

    def write_records(self, month: date, records: Sequence[bytes], user_id: str, ingested_at: datetime) -> str | None:
        """The same with the records of a user's plays (``encoding``), ingested at one instant.

        None is returned where the user is forgotten up to then, and nothing of it stays.
        """
        if self.marks.lately().has(user_id, ingested_at):
            return None
        path = self._write_new(self._folder(month), file_of(records))
        if not self.marks.read().has(user_id, ingested_at):  # behind the writing, as above
            return path
        self._withdraw(path)
        return None

    def check_writable(self) -> None:
        """Raises StorageError where nothing can be written, before work begins that would end in it."""
        self._storage.check_writable(self.root)

    def months(self) -> list[date]:
        """The months that have a file, oldest first."""
        return sorted(months_of(self.files()))

    def files(self, months: Iterable[date] | None = None) -> list[str]:
        """The paths of all files, or of those of some months. Raises StorageError."""
        folders = [f"{self.root}/plays"] if months is None else [self._folder(month) for month in months]
        return [path for folder in folders for path in self._files(folder) if month_of(path)]

    def sizes(self) -> dict[str, int]:
        """The paths of all files with the bytes of each. Raises StorageError."""
        there = self._storage.sizes(f"{self.root}/plays", ".avro")
        return {path: size for path, size in there.items() if is_of_a_month(path)}

    def read(self, path: str) -> Iterator[Play]:
        """The plays of a file. Raises StorageError, also for a file that is cut short or is not Avro."""
        return decode(path, self.read_bytes(path))

    def read_bytes(self, path: str) -> bytes:
        """A file as it is. Raises StorageError."""
        return self._storage.read(path).data

    def checkpoints(self) -> list[str]:
        """The paths of files with plays that earlier versions left beside the months, and that nothing reads."""
        return self._files(f"{self.root}/checkpoints")

    def everything(self) -> list[str]:
        """The paths of all files of plays below the root: older versions of files first.

        Snapshots are nobody's, and not among them.
        """
        there = self._storage.older_versions(self.root, ".avro") + self._files(self.root)
        left = set(self.checkpoints())
        snapshots = tuple(f"{self.root}/{kind}/" for kind in KINDS)
        return [path for path in there if path not in left and not path.startswith(snapshots)]

    def holds(self, path: str) -> Holding:
        """What a path of ``everything`` is."""
        return "older version" if "#" in path.rpartition("/")[2] else "plays"

    def write_beside(self, path: str, data: bytes) -> str:
        """Put a file's new contents into a new file of its month and return its path. Raises StorageError."""
        new = self._write_new(path.rpartition("/")[0], data)
        forgotten = self.marks.read()  # behind the writing, as above
        others, gone = without(new, data, lambda play: forgotten.has(play["user_id"], play["ingested_at"]))
        if not gone:
            return new
        path = self.write_beside(new, others) if others else new
        self._withdraw(new)
        return path

    def abandoned(self) -> list[str]:
        """The paths of what writers that were killed left below the root, which nothing reads. Raises StorageError."""
        return self._storage.abandoned(self.root)

    def remove(self, path: str) -> None:
        """Remove a file for good, older versions of it too. Raises StorageError."""
        self._storage.remove(path)

    def _withdraw(self, path: str) -> None:
        try:
            self._storage.remove(path)
        except StorageError as error:  # in a bucket who writes plays may not remove any
            _log.error("%s has plays of who was forgotten, which no table shows; forget again (%s)", path, error)

    def _files(self, folder: str) -> list[str]:
        return [path for path in self._storage.files(folder, ".avro") if is_seen(path)]

    def _write_new(self, folder: str, data: bytes) -> str:
        path = f"{folder}/plays-{uuid.uuid4().hex}.avro"
        self._storage.write_new(path, data)
        return path

    def _folder(self, month: date) -> str:
        return f"{self.root}/plays/month={month_text(month)}"

    def __reduce__(self) -> tuple[type["Archive"], tuple[str]]:
        return type(self), (self.root,)


def decode(path: str, data: bytes) -> Iterator[Play]:
    """The plays of a file's bytes. Raises StorageError, also for a file that is cut short or is not Avro."""
    with readable(path):
        reader: Any = _reader(data, schema_of())
        records: list[Any] = list(reader)
        check_records(path, reader, len(records))
    return map(from_record, records)


def fields_of(path: str, data: bytes, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Some fields of each play of a file, one play at a time; instants are aware datetimes.

    Raises StorageError, possibly after the last play, for a file that is cut short or is not Avro.
    """
    count = 0
    with readable(path):
        records: Any = _reader(data, schema_of(*names))
        for count, record in enumerate(records, start=1):  # noqa: B007 - the last one is needed
            yield record
        check_records(path, records, count)


def _reader(data: bytes, schema: Any = None) -> Any:
    import fastavro  # here, since who only writes, as a poll, does without

    return fastavro.reader(io.BytesIO(data), reader_schema=schema)


@cache
def schema_of(*names: str) -> Any:
    """The archive's schema with these fields, or with all, as fastavro takes it."""
    import fastavro

    # A small file takes less time to read than a schema.
    schema = play_schema()
    some = [field for field in schema["fields"] if field["name"] in names]
    return fastavro.parse_schema(schema | {"fields": some or schema["fields"]})


def without(
    path: str, data: bytes, is_gone: Callable[[dict[str, Any]], bool]
) -> tuple[bytes | None, list[dict[str, Any]]]:
    """A file's bytes without the plays whose record ``is_gone``, and the records of those.

    None for bytes that would hold no play. What the file knows of other plays stays as it is, fields that this version
    does not know among it. Raises StorageError.
    """
    with readable(path):
        reader = _reader(data)
        records: list[Any] = list(reader)
        check_records(path, reader, len(records))
    others: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for record in records:
        (gone if is_gone(record) else others).append(record)
    if not others or not gone:
        return data if others else None, gone
    import fastavro

    file = io.BytesIO()
    about = {name: text for name, text in reader.metadata.items() if not name.startswith("avro.")}
    fastavro.writer(file, reader.writer_schema, others, codec=reader.codec, metadata={**about, COUNT: str(len(others))})
    return file.getvalue(), gone


def check_count(path: str, data: bytes, count: int) -> None:
    """Raises StorageError if the file was written with another number of records than ``count``."""
    with readable(path):
        check_records(path, _reader(data), count)


def check_records(path: str, reader: Any, count: int) -> None:
    """Raises StorageError where the reader's file was written with another number of records than ``count``."""
    # A file of another writer doesn't say.
    expected = int(reader.metadata.get(COUNT, count))
    if expected != count:
        raise _unreadable(path, f"{count} of its {expected} records are left")


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Turn whatever a decoder says of broken bytes into a StorageError that names the file."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _unreadable(path: str, why: str) -> StorageError:
    return StorageError(f"{path} cannot be read ({why}); restore it from a copy, or move it out of the archive")


def is_seen(path: str) -> bool:
    """Systems and file managers keep what they know of a file in a hidden one with the same ending."""
    return not path.rpartition("/")[2].startswith(".")


def is_of_a_month(path: str) -> bool:
    """Whether it is a file that somebody wrote into the folder of a month."""
    return is_seen(path) and month_of(path) is not None


def months_of(paths: Iterable[str]) -> set[date]:
    """The months whose folders the files lie in."""
    return {month for path in paths if (month := month_of(path))}


def around(months: Iterable[date] | None, paths: Iterable[str]) -> list[str]:
    """The files that can have plays of the months, all for None: a writer in another time zone may have filed a
    month's first and last hours next door."""
    if months is None:
        return list(paths)
    near = {other for month in months for other in with_neighbours(month)}
    return [path for path in paths if month_of(path) in near]


def may_have_open_plays(month: date, calendar: Calendar, lateness: timedelta, now: datetime) -> bool:
    """Whether a month's folder may have plays of a month that still takes plays: a writer in another time zone may
    have filed the first hours of an open month under the month before."""
    return not calendar.is_closed(following(month), lateness, now)


def month_of(path: str) -> date | None:
    """The month of the folder that a file lies in; None for a folder that isn't one of ours."""
    with suppress(ValueError):
        return parse_month(path.rsplit("/", 2)[-2].removeprefix("month="))
    return None
