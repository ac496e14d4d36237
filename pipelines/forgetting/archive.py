"""A user's plays out of an archive, and what could not be read as a play."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.storage.archive import Archive, without
from pipelines.storage.files import StorageError
from pipelines.storage.rejects import Rejects


@dataclass
class Found:
    """What was found of a user, and what could not be read. ``plays`` counts by the archive's months.

    ``newer`` counts plays that were ingested after the instant up to which the user was forgotten, and stay;
    ``leftovers`` is what writers that were killed left, whosever it was.
    """

    until: datetime
    looked_at: int = 0
    rewritten: int = 0
    removed: int = 0
    older_versions: int = 0
    rejects: int = 0
    leftovers: int = 0
    newer: int = 0
    plays: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of the user was there."""
        return not (
            self.rewritten
            or self.removed
            or self.older_versions
            or self.rejects
            or self.leftovers
            or self.newer
            or self.rows.total()
        )


def forget_in_archive(found: Found, user_id: str, archive: Archive, *, dry_run: bool) -> None:
    """Remove what was ingested of a user up to ``found.until``, and count it there. Raises StorageError."""
    _plays(found, user_id, archive, dry_run=dry_run)
    leftovers = archive.abandoned()
    found.leftovers += len(leftovers)
    if not dry_run:
        for path in (*archive.checkpoints(), *leftovers):
            archive.remove(path)
    rejects = Rejects(archive.root)
    for path in rejects.of_user(user_id, found.until):
        found.rejects += 1
        if not dry_run:
            rejects.remove(path)


def _plays(found: Found, user_id: str, archive: Archive, *, dry_run: bool) -> None:
    instants: dict[str, set[datetime]] = {}
    newer: set[datetime] = set()
    unreadable: dict[str, str] = {}
    seen: set[str] = set()

    def is_gone(record: Mapping[str, Any]) -> bool:
        if record["user_id"] != user_id:
            return False
        if record["ingested_at"] > found.until:
            newer.add(record["played_at"])
            return False
        return True

    # Until nothing new has come: others may write while this reads.
    while new := [path for path in archive.everything() if path not in seen]:
        seen.update(new)
        for path in new:
            found.looked_at += 1
            try:
                others, gone = without(path, archive.read_bytes(path), is_gone)
            except StorageError as error:
                unreadable[path] = str(error)
                continue
            if not gone:
                continue
            holding = archive.holds(path)
            if holding == "older version":
                found.older_versions += 1
            elif others is None:
                found.removed += 1
            else:
                found.rewritten += 1
                if not dry_run:
                    seen.add(archive.write_beside(path, others))
            if holding == "plays":
                month = path.split("/")[-2].removeprefix("month=")
                instants.setdefault(month, set()).update(record["played_at"] for record in gone)
            if not dry_run:
                archive.remove(path)
    found.plays = Counter({month: len(plays) for month, plays in instants.items()})
    if unreadable:
        still_there = set(archive.everything())
        found.left += [why for path, why in unreadable.items() if path in still_there]
    found.newer = len(newer)
