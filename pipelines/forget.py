"""Forgetting a person: ``heavy-rotation forget --user U``.

Removes every play of a user from the archive, then every row from the tables: in that order, since tables are made
again from the archive. It can be interrupted and run again at any time. The report goes to standard output; the exit
code is 0, 1 where something of the user is left or the command failed, 2 for a wrong command line.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.arguments import Parser
from pipelines.command import report, run_command
from pipelines.failure import Failure
from pipelines.home import home_of
from pipelines.storage.archive import Archive, without_user
from pipelines.storage.files import StorageError
from pipelines.storage.rejects import Rejects
from pipelines.tables import TABLES
from pipelines.warehouse.bigquery import SCHEME
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.identity import warehouse_argument

_REMAINS = """\
Not touched, and when it ends (docs/operations.md, "Forget a person"):
  the login and the producer's state: heavy-rotation logout first, or the next poll brings plays again
  Pub/Sub keeps messages for up to 31 days: run this again after a seek to an earlier time
  Cloud Storage and BigQuery keep what was deleted for some days, for their owner's own rescue"""


@dataclass
class Forgotten:
    """What was found of a user, and what could not be read. ``plays`` counts by the archive's months."""

    looked_at: int = 0
    rewritten: int = 0
    removed: int = 0
    older_versions: int = 0
    rejects: int = 0
    plays: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of the user was there."""
        return not (self.rewritten or self.removed or self.older_versions or self.rejects or self.rows.total())


def forget(user_id: str, archive: Archive, warehouse: str, *, dry_run: bool) -> Forgotten:
    """Remove a user's plays and rows; with ``dry_run`` only look for them. Raises StorageError."""
    from pipelines.forgetting.tables import forget_in_bigquery, forget_in_folder

    found = Forgotten()
    local = None if warehouse.startswith(SCHEME) else FolderWarehouse.open(warehouse)
    _forget_in_archive(found, user_id, archive, dry_run=dry_run)
    if local:
        found.rows = forget_in_folder(local, user_id, dry_run=dry_run)
    else:
        found.rows, tables = forget_in_bigquery(warehouse, user_id, dry_run=dry_run)
        found.left += [
            f"{table} has rows of the last ninety minutes, which BigQuery cannot delete yet: "
            "run the same command again in two hours"
            for table in tables
        ]
    return found


def _forget_in_archive(found: Forgotten, user_id: str, archive: Archive, *, dry_run: bool) -> None:
    instants: dict[str, set[object]] = {}
    unreadable: dict[str, str] = {}
    seen: set[str] = set()
    # Until nothing new has come: the stream may write while this reads.
    while new := [path for path in archive.everything() if path not in seen]:
        seen.update(new)
        for path in new:
            found.looked_at += 1
            try:
                others, gone = without_user(path, archive.read_bytes(path), user_id)
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
                instants.setdefault(path.split("/")[-2].removeprefix("month="), set()).update(gone)
            if not dry_run:
                archive.remove(path)
    if not dry_run:
        for path in archive.checkpoints():
            archive.remove(path)
    found.plays = Counter({month: len(plays) for month, plays in instants.items()})
    rejects = Rejects(archive.root)
    for path in rejects.of_user(user_id):
        found.rejects += 1
        if not dry_run:
            rejects.remove(path)
    if unreadable:
        still_there = set(archive.everything())
        found.left += [why for path, why in unreadable.items() if path in still_there]


def _told(found: Forgotten, user_id: str, options: argparse.Namespace) -> Iterator[str]:
    done = "would be forgotten; nothing was changed" if options.dry_run else "forgotten"
    yield f"{user_id}: {done}{', but not everywhere' if found.left else ''}"
    yield f"{options.archive}"
    yield f"  {found.looked_at:9,} files looked at"
    yield f"  {found.removed:9,} removed, which held nothing else"
    yield f"  {found.rewritten:9,} written anew, without these plays"
    yield f"  {found.older_versions:9,} older versions removed"
    if found.rejects:
        yield f"  {found.rejects:9,} items removed that could not be read when polling"
    yield f"  {found.plays.total():9,} plays"
    for month, plays in sorted(found.plays.items()):
        yield f"  {plays:9,}   {month}"
    yield f"{options.warehouse}"
    for table in TABLES:
        yield f"  {found.rows[table]:9,} rows of {table}"
    yield _REMAINS


def _run(options: argparse.Namespace) -> None:
    if "://" not in options.archive and not Path(options.archive).is_dir():
        raise Failure(f"there is no archive at {options.archive}; nothing was changed")
    found = forget(options.user, Archive(options.archive), options.warehouse, dry_run=options.dry_run)
    if found.is_nothing and not found.left:
        report(
            f"There is nothing of {options.user} in the {found.looked_at:,} files of {options.archive}, "
            f"nor in {options.warehouse}"
        )
        return
    sys.stdout.write("".join(f"{line}\n" for line in _told(found, options.user, options)))
    if found.left:
        raise Failure("\n".join([*found.left, f"not everything of {options.user} is gone"]))


def parser() -> Parser:
    """What the command understands."""
    made = Parser(
        "heavy-rotation forget",
        "--user U [--archive A --warehouse W] [--dry-run]",
        "Removes every play of a user from the archive and every row from the tables, for good.",
        "First: heavy-rotation forget --user U --dry-run",
    )
    made.add_argument("--user", required=True, type=_user, help="whose plays: the user_id that the tables show")
    made.add_argument("--archive", metavar="FOLDER|gs://BUCKET/FOLDER", help="the raw Avro archive (default: at home)")
    made.add_argument(
        "--warehouse",
        type=warehouse_argument,
        metavar="FOLDER|bigquery://PROJECT.DATASET",
        help="the tables (default: at home)",
    )
    made.add_home()
    made.add_argument("--dry-run", action="store_true", help="say what would be removed, and change nothing")
    return made


def _user(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("name whose plays are to be forgotten")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    made = parser()
    options = made.read(sys.argv[1:] if argv is None else argv)
    if not options.archive and not options.warehouse:
        home = home_of(options.home)
        options.archive, options.warehouse = home.archive, home.warehouse
    elif not options.archive or not options.warehouse:
        made.error("name --archive and --warehouse both, or neither: then it is those at home")
    return run_command(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
