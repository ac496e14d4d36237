"""Forgetting a person: ``heavy-rotation forget --user U``.

Marks the user as forgotten, then removes every play from the archive and every row from the tables. It can be
interrupted and run again at any time, beside whatever else is at work. The report goes to standard output; the exit
code is 0, 1 where something of the user is left or the command failed, 2 for a wrong command line.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipelines.arguments import Parser
from pipelines.clock import Clock, utc_now
from pipelines.command import report, run_command
from pipelines.domain.instants import rfc3339
from pipelines.failure import Failure
from pipelines.forgetting.archive import Found, forget_in_archive
from pipelines.home import home_of
from pipelines.storage.archive import Archive
from pipelines.warehouse.bigquery import SCHEME
from pipelines.warehouse.folder import FolderWarehouse
from pipelines.warehouse.identity import warehouse_argument
from pipelines.warehouse.persons import KEYS

_REMAINS = """\
Not touched, and when it ends (docs/operations.md, "Forget a person"):
  the login and the state, with what imports left out and what is hidden: heavy-rotation logout first, or the next
  poll brings plays again; it does the same for who never logged in
  Pub/Sub keeps messages for up to 31 days; what is in them stays out
  a stream on Dataflow keeps what it had counted, and shows it to nobody, until it is drained or the month has closed
  Cloud Storage and BigQuery keep what was deleted for some days, for their owner's own rescue"""
_MARK = """\
  {path} has a keyed hash of this user's id and the instant {until}: what was ingested up to then stays out, what is
  ingested later counts. To have that gone too, remove the file once nothing older can come: no stream runs, Pub/Sub
  keeps no messages from before, and no copy of the archive will be restored. Others who were forgotten are in it too"""


def forget(
    user_id: str,
    archive: Archive,
    warehouse: str,
    *,
    dry_run: bool,
    clock: Clock = utc_now,
    wait: Callable[[float], object] = time.sleep,
) -> Found:
    """Remove what was ingested of a user, plays and rows, and keep it out; with ``dry_run`` only look for it.

    First the mark: whoever writes from then on knows of it, or has written by the time when files are listed. Raises
    StorageError.
    """
    from pipelines.forgetting.tables import forget_in_bigquery, forget_in_folder

    local = None if warehouse.startswith(SCHEME) else FolderWarehouse.open(warehouse)
    found = Found(clock() if dry_run else archive.marks.add(user_id, clock, wait))
    forget_in_archive(found, user_id, archive, dry_run=dry_run)
    if local:
        forget_in_folder(found, user_id, local, dry_run=dry_run)
    else:
        forget_in_bigquery(found, user_id, warehouse, dry_run=dry_run)
    return found


def _told(found: Found, user_id: str, options: argparse.Namespace, archive: Archive) -> Iterator[str]:
    done = "would be forgotten; nothing was changed" if options.dry_run else "forgotten"
    yield f"{user_id}: {done}{', but not everywhere' if found.left else ''}"
    yield f"{options.archive}"
    yield f"  {found.looked_at:9,} files looked at"
    yield f"  {found.removed:9,} removed, which held nothing else"
    yield f"  {found.rewritten:9,} written anew, without these plays"
    yield f"  {found.older_versions:9,} older versions removed"
    if found.rejects:
        yield f"  {found.rejects:9,} items removed that could not be read when polling"
    if found.leftovers:
        yield f"  {found.leftovers:9,} unfinished files removed, which commands left that were killed"
    yield f"  {found.plays.total():9,} plays"
    for month, plays in sorted(found.plays.items()):
        yield f"  {plays:9,}   {month}"
    if found.newer:
        yield f"  {found.newer:9,} plays stay, which were ingested after {rfc3339(found.until)}"
    yield f"{options.warehouse}"
    for table in KEYS:
        yield f"  {found.rows[table]:9,} rows of {table}"
    yield _REMAINS
    if not options.dry_run:
        yield _MARK.format(path=archive.marks.path, until=rfc3339(found.until))


def _run(options: argparse.Namespace) -> None:
    if "://" not in options.archive and not Path(options.archive).is_dir():
        raise Failure(f"there is no archive at {options.archive}; nothing was changed")
    archive = Archive(options.archive)
    found = forget(options.user, archive, options.warehouse, dry_run=options.dry_run)
    if found.is_nothing and not found.left:
        mark = "" if options.dry_run else f"; what was ingested up to {rfc3339(found.until)} stays out"
        report(
            f"There is nothing of {options.user} in the {found.looked_at:,} files of {options.archive}, "
            f"nor in {options.warehouse}{mark}"
        )
        return
    sys.stdout.write("".join(f"{line}\n" for line in _told(found, options.user, options, archive)))
    if found.left:
        raise Failure("\n".join([*found.left, f"not everything of {options.user} is gone"]))


def parser() -> Parser:
    """What the command understands."""
    made = Parser(
        "heavy-rotation forget",
        "--user U [--archive A --warehouse W] [--dry-run]",
        "Removes every play of a user from the archive and every row from the tables, for good. So that nothing comes "
        "back, a keyed hash of the user's id stays in ARCHIVE/forgotten with the instant of the forgetting: what was "
        "ingested up to then stays out, what is polled or imported later counts.",
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
