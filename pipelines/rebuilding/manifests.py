"""What the months of a warehouse were last rebuilt from, noted beside the archive; and which months are late.

``ARCHIVE/rebuilt/<key>.json`` has a fingerprint of each month's files. Names in the archive are never used twice, so
other names are other plays, and nothing depends on whose clock is right.
"""

import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from hashlib import blake2b

from pipelines.domain.month import Calendar, month_text, with_neighbours
from pipelines.storage.archive import Archive, month_of, months_of
from pipelines.storage.files import StorageError, storage_of, update
from pipelines.warehouse.identity import key_of

_log = logging.getLogger("heavy_rotation")

# Month, as 2026-11, to a fingerprint of its files.
Fingerprints = dict[str, str]


class Rebuilt:
    """The note of one archive and one warehouse. Pickles."""

    def __init__(self, archive: Archive, warehouse: str, calendar: Calendar, lateness: timedelta) -> None:
        self.root = archive.root
        self.calendar = calendar
        self.lateness = lateness
        self.path = f"{archive.root}/rebuilt/{key_of(warehouse, calendar.time_zone)}.json"

    def late(self, paths: Iterable[str], now: datetime) -> tuple[date, ...]:
        """The closed months whose files are not those of their last rebuild. ``paths`` is all of the archive."""
        paths = list(paths)
        closed = sorted(month for month in months_of(paths) if self.calendar.is_closed(month, self.lateness, now))
        known, there = self._read(), self.fingerprints(paths, closed, now)
        return tuple(month for month in closed if known.get(month_text(month)) != there[month_text(month)])

    def fingerprints(self, paths: Iterable[str], months: Iterable[date], now: datetime) -> Fingerprints:
        """Of each month's files among ``paths``.

        A writer in another time zone may have filed a month's first and last hours next door, so the neighbours'
        files belong to it; those of a month that still takes plays only once it has closed.
        """
        names: dict[date, list[str]] = {}
        for path in sorted(paths):
            if (month := month_of(path)) and self.calendar.is_closed(month, self.lateness, now):
                names.setdefault(month, []).append(path.removeprefix(self.root))
        return {
            month_text(month): _digest(name for near in with_neighbours(month) for name in names.get(near, ()))
            for month in months
        }

    def note(self, fingerprints: Fingerprints) -> None:
        """These months have been rebuilt; what others noted of other months stays.

        An archive that can only be read is enough for everything else, so it is no error if this cannot be noted.
        """

        def noted(before: bytes | None) -> bytes:
            return json.dumps({"months": _months_in(before) | fingerprints}, indent=1, sort_keys=True).encode()

        try:
            update(self.path, noted)
        except StorageError as error:
            _log.warning("what was rebuilt could not be noted, and --months=late rebuilds it again: %s", error)

    def _read(self) -> Fingerprints:
        with suppress(StorageError):  # none, or none that can be read: all months are late
            return _months_in(storage_of(self.root).read(self.path).data)
        return {}


def _months_in(note: bytes | None) -> Fingerprints:
    with suppress(ValueError, KeyError, TypeError):  # a note that is damaged is none
        return dict(json.loads(note or b"{}")["months"])
    return {}


def _digest(names: Iterable[str]) -> str:
    return blake2b("\n".join(names).encode(), digest_size=16).hexdigest()
