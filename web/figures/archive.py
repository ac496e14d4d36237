"""Whether tables have all that the archive has, of one listener: instants of the one that are not in the other."""

from collections.abc import Set as AbstractSet
from datetime import date, datetime

from pipelines.domain.instants import to_millisecond
from pipelines.storage.archive import Archive, around, fields_of
from pipelines.storage.files import storage_of

_FIELDS = ("user_id", "played_at", "ingested_at")


def missing(archive: str, user_id: str, months: list[date], since: datetime, known: AbstractSet[datetime]) -> int:
    """How many plays of the archive, from ``since`` on, are not among the ``known`` instants; forgotten ones apart.

    ``months`` are looked at with their neighbours: files may count them in another time zone. Raises StorageError.
    """
    there = Archive(archive)
    forgotten, found = there.marks.read(), set[datetime]()
    for path in around(months, there.files()):
        for play in fields_of(path, storage_of(path).read(path).data, _FIELDS):
            if play["user_id"] == user_id and not forgotten.has(user_id, play["ingested_at"]):
                found.add(to_millisecond(play["played_at"]))
    return sum(1 for instant in found - known if instant >= since)
