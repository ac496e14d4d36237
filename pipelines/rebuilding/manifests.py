"""The manifest: what the months of a warehouse were made from, noted beside the archive.

``ARCHIVE/rebuilt/<key>.json`` has two things. Of each file of the archive that was read: the months that it holds plays
of. Of each month that was made: a fingerprint of the files that held plays of it, whether it was over by then, and
the stamp by which its tables are known again. Names in the archive are never used twice, so other names are other
plays, and nothing depends on whose clock is right.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipelines.domain.month import Calendar, month_text, parse_month
from pipelines.rebuilding.target import Stamp
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError, storage_of, update
from pipelines.warehouse.bigquery import SCHEME

_log = logging.getLogger("heavy_rotation")
_VERSION = 2

# The path of a file to the months that it holds plays of.
Contents = Mapping[str, tuple[date, ...]]


@dataclass(frozen=True, slots=True)
class Made:
    """What a month's tables were made from, and the stamp of what was made."""

    files: str
    is_final: bool
    tables: Stamp


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of the archive's files, and how the months were made."""

    contents: Contents = field(default_factory=dict)
    months: Mapping[date, Made] = field(default_factory=dict)


class Manifests:
    """The manifest of one archive and one warehouse, whose months are counted in one time zone. Pickles.

    Each write puts a whole manifest there. Of two at once one may get lost: its months are then made again.
    """

    def __init__(self, archive: Archive, warehouse: str, calendar: Calendar) -> None:
        self.root = archive.root
        place = warehouse.rstrip("/") if warehouse.startswith(SCHEME) else str(Path(warehouse).resolve())
        key = blake2b(f"{place}\n{calendar.time_zone}".encode(), digest_size=16).hexdigest()
        self.path = f"{archive.root}/rebuilt/{key}.json"

    def read(self) -> Manifest:
        """The manifest; an empty one where there is none that can be read, so that every month is made again."""
        with suppress(StorageError, ValueError, KeyError, TypeError, AttributeError):
            return self._of_json(json.loads(storage_of(self.root).read(self.path).data))
        return Manifest()

    def write(self, manifest: Manifest) -> None:
        """An archive that can only be read is enough for everything else, so it is no error if this cannot be noted."""
        data = json.dumps(self._to_json(manifest), indent=0).encode()
        try:
            update(self.path, lambda _: data)
        except StorageError as error:
            _log.warning("what was rebuilt could not be noted, and is rebuilt again: %s", error)

    def forget_months(self, months: Iterable[date] | None) -> None:
        """Note no more how these months were made, or all: what begins to replace them may be killed half-way."""
        manifest, forgotten = self.read(), None if months is None else set(months)
        left = {} if forgotten is None else {m: made for m, made in manifest.months.items() if m not in forgotten}
        if left.keys() != manifest.months.keys():
            self.write(Manifest(manifest.contents, left))

    def _of_json(self, value: dict[str, Any]) -> Manifest:
        if value["version"] != _VERSION:
            return Manifest()
        return Manifest(
            {f"{self.root}/{path}": tuple(map(parse_month, months)) for path, months in value["files"].items()},
            {
                parse_month(month): Made(str(made["files"]), bool(made["is_final"]), dict(made["tables"]))
                for month, made in value["months"].items()
            },
        )

    def _to_json(self, manifest: Manifest) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "files": {
                path.removeprefix(f"{self.root}/"): [month_text(month) for month in months]
                for path, months in sorted(manifest.contents.items())
            },
            "months": {
                month_text(month): {"files": made.files, "is_final": made.is_final, "tables": made.tables}
                for month, made in sorted(manifest.months.items())
            },
        }


def fingerprints(months: Iterable[date], contents: Contents, root: str) -> dict[date, str]:
    """A fingerprint of the files that hold plays of each month. ``root`` is the archive's."""
    names: dict[date, list[str]] = {month: [] for month in months}
    for path, held in contents.items():
        for month in held:
            if month in names:
                names[month].append(path.removeprefix(root))
    return {month: _digest(sorted(found)) for month, found in names.items()}


def _digest(names: Iterable[str]) -> str:
    return blake2b("\n".join(names).encode(), digest_size=16).hexdigest()
