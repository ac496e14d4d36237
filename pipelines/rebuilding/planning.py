"""What a rebuild will do, decided once, when it runs and before it reads: months, files, and what is replaced.

A month has changed when a file that holds plays or snapshots of it came or went since its tables were made, when it has
ended since, or when its tables are gone or others than those that were made. Files that come after the listing are the
next run's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from pipelines.clock import Clock
from pipelines.domain.month import with_neighbours
from pipelines.domain.snapshots import KINDS
from pipelines.rebuilding.manifests import Contents, Made, Manifest, Manifests, fingerprints
from pipelines.rebuilding.reading import fetch, read_months
from pipelines.rebuilding.settings import RebuildOptions
from pipelines.rebuilding.target import Target, There
from pipelines.storage.archive import Archive, month_of
from pipelines.storage.snapshots import SnapshotArchive, kind_of


@dataclass(frozen=True, slots=True)
class Work:
    """What a rebuild is given: what was asked for, where, and the clock. Pickles."""

    options: RebuildOptions
    target: Target
    clock: Clock

    @property
    def archive(self) -> Archive:
        """Where plays are read."""
        return Archive(self.options.archive)

    def sizes(self) -> dict[str, int]:
        """The paths of all files of the archive, of plays and of snapshots, with the bytes of each."""
        snapshots, root = SnapshotArchive(self.archive.root), self.archive.root
        listings: dict[str, Callable[[], dict[str, int]]] = {f"{root}/plays": self.archive.sizes}
        listings |= {f"{root}/{kind}": partial(snapshots.sizes, kind) for kind in KINDS}
        found = fetch(lambda place: listings[place](), list(listings))
        return {path: size for sizes in found for path, size in sizes.items()}

    def files(self) -> list[str]:
        """The paths alone."""
        return list(self.sizes())

    @property
    def manifests(self) -> Manifests:
        """Where it is noted what was made."""
        return Manifests(self.archive, self.options.warehouse, self.options.calendar)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done. ``months`` is None for every month that there is; ``listed`` is all of the archive, and
    ``paths`` the files to read, with the bytes of each.

    ``old`` is what the tables had before the archive was listed, and ``contents`` what is known of the listed files.
    """

    now: datetime
    months: tuple[date, ...] | None
    paths: Mapping[str, int]
    listed: tuple[str, ...]
    old: There
    contents: Contents


def make_plan(work: Work) -> Plan:
    """The plan as of now. Raises StorageError."""
    # First what is to be replaced, then what replaces it: the stream archives a play before it writes rows of
    # it, so every row that is there comes from a play in a file listed below.
    old = work.target.there()
    sizes = work.sizes()
    listed = list(sizes)
    now, manifest = work.clock(), work.manifests.read()
    contents: Contents = {
        **{path: manifest.contents[path] for path in listed if path in manifest.contents},
        **{path: (month,) for path in listed if kind_of(path) and (month := month_of(path))},
    }
    months: tuple[date, ...] | None
    if isinstance(work.options.months, tuple):
        months = work.options.months
    elif work.options.months == "all":
        months = None
    else:
        changed, contents = _changed(work, Manifest(contents, manifest.months), listed, old, now)
        months = tuple(sorted(changed))
    paths = listed if months is None else _holding(months, listed, contents)
    return Plan(now, months, {path: sizes[path] for path in paths}, tuple(listed), old, contents)


def may_hold(path: str, contents: Contents) -> tuple[date, ...]:
    """The months that a file of the archive may hold plays of: of a file that was not read, those around its folder's.

    A writer in another time zone may have filed a month's first and last hours next door. Snapshots are in the folder
    of their month alone.
    """
    known = contents.get(path)
    folder = month_of(path)
    if known is not None or folder is None:
        return known or ()
    return (folder,) if kind_of(path) else with_neighbours(folder)


def _holding(months: Iterable[date], paths: Iterable[str], contents: Contents) -> list[str]:
    wanted = set(months)
    return [path for path in paths if not wanted.isdisjoint(may_hold(path, contents))]


def _changed(
    work: Work, manifest: Manifest, listed: list[str], old: There, now: datetime
) -> tuple[set[date], Contents]:
    """The months that have changed, for ``late`` the closed ones among them, and what is known of the files then."""
    asked = _months(listed, manifest.contents) | manifest.months.keys()
    standing = {month: made for month, made in manifest.months.items() if _stands(work, month, made, old, now)}
    # Of the files that nobody has read yet only those matter here that may bring something to what stands.
    unread = [path for path in _holding(standing, listed, manifest.contents) if path not in manifest.contents]
    contents = {**manifest.contents, **read_months(work.archive, unread, work.options.calendar)}
    asked |= _months(listed, contents)
    now_from = fingerprints(standing, {path: may_hold(path, contents) for path in listed}, work.archive.root)
    changed = {month for month in asked if month not in standing or now_from[month] != standing[month].files}
    if work.options.months == "late":
        changed = {m for m in changed if work.options.calendar.is_closed(m, work.options.lateness, now)}
    return changed, contents


def _months(paths: Iterable[str], contents: Contents) -> set[date]:
    return {month for path in paths for month in may_hold(path, contents)}


def _stands(work: Work, month: date, made: Made, old: There, now: datetime) -> bool:
    """Whether the tables of a month still are what was made, and say rightly whether the month is over.

    In a closed month nothing more is expected beside what was made: rows that a stream added, as when it was launched
    again, are for ``late`` to take away, so that of each snapshot the fullest is left.
    """
    options, found = work.options, old.get(month, {})
    ended_since = not made.is_final and options.calendar.is_over(month, now)
    is_closed = options.months == "late" and options.calendar.is_closed(month, options.lateness, now)
    has_more = is_closed and not work.target.holds(found, made.tables)
    return not ended_since and not has_more and work.target.holds(made.tables, found)
