"""One user's plays become another's: those that were imported before an account logged in become the account's.

First the state: the account's polls know from then on what was imported, and list no play under a second instant. Then
file by file of the archive, each written anew under the account's id before the old one goes. Whoever is killed in
between leaves some plays under both names; the same command goes on from there, and a copy more of a play is still one
play. Plays that both have are brought to one instant by the rules of an import.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipelines.domain.instants import from_millis, to_millis
from pipelines.domain.month import Calendar
from pipelines.domain.play import SOURCE_RANK
from pipelines.failure import Failure
from pipelines.storage.archive import Archive, fields_of
from pipelines.storage.rewriting import rewritten
from producer.identity.newest import newest
from producer.identity.reconciling import DUPLICATE, Identities, identities
from producer.identity.rows import Rows, Tracks
from producer.importing.known_plays import read_copies, touched_months
from producer.state import forgetting
from producer.state.cursor import Cursor, Cursors

_FIELDS = ("user_id", "played_at", "track_id", "track_name", "artists", "ms_played", "source", "ingested_at")


@dataclass(frozen=True)
class Renaming:
    """Whose plays become whose, of which archive and state; months are the calendar's."""

    user_id: str
    to: str
    archive: Archive
    state: str
    calendar: Calendar


@dataclass
class Renamed:
    """How many plays there are, in how many files, and how many of them got the instant of a play that was polled."""

    plays: int = 0
    files: int = 0
    polled: int = 0
    has_other_state: bool = False


def rename(renaming: Renaming, *, dry_run: bool) -> Renamed:
    """Do it, or only look. A state of another archive is left as it is. Raises Failure, StateError and StorageError."""
    user, to, archive, cursors = renaming.user_id, renaming.to, renaming.archive, Cursors(renaming.state)
    rows, files = _rows_of(archive, user, to)
    renamed = Renamed(len(rows), len(files), has_other_state=not cursors.are_of(archive.root, claims=False))
    copies = read_copies(archive, touched_months(rows.instants, renaming.calendar), to, rows.all_tracks, lambda: None)
    found: list[Identities] = []

    def settled(cursor: Cursor) -> Cursor:
        known = copies.with_polled(cursor.polled)  # what was polled a moment ago may not be in the archive yet
        found.append(identities(rows, known))
        before = (*cursor.imported, *cursors.load(user).imported)
        return replace(cursor, imported=newest(rows, known, found[-1], before))

    if renamed.has_other_state:
        found.append(identities(rows, copies))
    elif dry_run:
        settled(cursors.load(to))
    else:
        cursors.change(cursors.read(to), settled)
    instants = {
        old: new for old, new in zip(rows.instants, found[-1].instants, strict=True) if new not in (old, DUPLICATE)
    }
    renamed.polled = found[-1].polled
    if dry_run:
        return renamed
    forgotten = archive.marks.read()
    change = _changing(user, to, instants, lambda at: forgotten.has(user, at))
    # Until nothing new has come: an import may be at work beside it.
    seen: set[str] = set()
    while new := [path for path in archive.files() if path not in seen]:
        for path in new:
            data, count = rewritten(path, archive.read_bytes(path), change)
            if count:
                seen.add(archive.write_beside(path, data))
                archive.remove(path)
        seen.update(new)
    if not renamed.has_other_state:
        for path in forgetting.traces(renaming.state, user):
            forgetting.remove(path)
    return renamed


def _rows_of(archive: Archive, user: str, to: str) -> tuple[Rows, set[str]]:
    """The user's plays, a row for each instant, of the best copy, and the files that they are in. Raises Failure."""
    rows, files = Rows(Tracks()), set()
    forgotten = archive.marks.read()
    best: dict[int, tuple[int, dict[str, Any]]] = {}
    for path in archive.files():
        for play in fields_of(path, archive.read_bytes(path), _FIELDS):
            if play["user_id"] != user or forgotten.has(user, play["ingested_at"]):
                continue
            if forgotten.has(to, play["ingested_at"]):
                raise Failure(
                    f"{to} was forgotten after these plays were imported, and what is older than that stays out: "
                    "import the export again, and they count"
                )
            files.add(path)
            instant, rank = to_millis(play["played_at"]), SOURCE_RANK[play["source"]]
            best[instant] = min(best.get(instant, (rank, play)), (rank, play), key=lambda one: one[0])
    for instant, (rank, play) in sorted(best.items()):
        artist = play["artists"][0]["name"] if play["artists"] else ""
        track = rows.all_tracks.number(play["track_id"], artist, play["track_name"])
        rows.add_row(instant, rank, track, play["ms_played"], instant)
    return rows, files


def _changing(
    user: str, to: str, instants: dict[int, int], is_forgotten: Callable[[datetime], bool]
) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    def change(record: dict[str, Any]) -> dict[str, Any] | None:
        if record["user_id"] != user or is_forgotten(record["ingested_at"]):
            return None
        at = instants.get(to_millis(record["played_at"]))
        return record | {"user_id": to} | ({"played_at": from_millis(at)} if at is not None else {})

    return change
