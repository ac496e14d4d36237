"""What the commands do, once their options are read. They give back the text for stdout."""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.clock import utc_now
from pipelines.command import stopped_like_ctrl_c
from pipelines.domain.holes import ASK, holes_text
from pipelines.domain.instants import to_the_second
from pipelines.domain.month import Calendar
from pipelines.home import Home, home_of
from pipelines.terminal import pasteable, printable
from producer.accounts.stores import store_of
from producer.private_files import StateError
from producer.state.cursor import Cursors

# Whose plays are those that were imported before anybody logged in.
NOBODY = "me"

if TYPE_CHECKING:
    from producer.importing.importer import Report


def import_exports(
    paths: list[Path],
    *,
    user: str | None,
    archive: str | None,
    home: Home | None,
    dry_run: bool,
    calendar: Calendar,
    state: str,
    logins: str,
    skip_unreadable: bool,
) -> str | None:
    """Import exports into the archive; in a dry run, say what an import would do.

    Without an archive, it is the one at ``home``: then its tables follow, all is printed here, and nothing given back.
    Raises Failure, and KeyboardInterrupt where the process is asked to end.
    """
    # Each command loads what it needs, and its help none of it.
    from pipelines.storage.archive import Archive
    from producer.importing.finding import find
    from producer.importing.importer import Importer
    from producer.importing.progress import ProgressBar
    from producer.importing.report import text_of

    started = time.perf_counter()
    cursors = Cursors(state)
    accounts = store_of(logins).accounts()
    user = user or only(accounts or cursors.accounts())
    archive = archive or (home.archive if home else None)
    is_account = user in accounts or cursors.load(user).polled_at is not None
    progress = ProgressBar(sys.stderr)
    importer = Importer(user, calendar, utc_now(), cursors, progress, skip_unreadable)
    try:
        with stopped_like_ctrl_c():
            found = find(paths)
            report = importer.run(found.files, Archive(archive) if archive else None, dry_run=dry_run)
            report.not_read += found.not_read
    finally:
        progress.clear()
    seconds = time.perf_counter() - started
    written_to = None if dry_run else archive
    text = text_of(
        report, time_zone=calendar.time_zone, seconds=seconds, written_to=written_to, tables_follow=home is not None
    )
    lines = [text]
    if report.other_archive is not None:
        lines += ["", _other_archive_note(state, report.other_archive)]
    elif not dry_run:
        lines += _close_gaps(cursors, user, report)
    if not is_account and (home is None or accounts):
        lines += ["", _name_note(user)]
    if home is None or dry_run or not report.plays:
        if written_to and (missing := holes_text(Archive(written_to).months())):
            lines += ["", f"note: {missing}; if you listened then, {ASK}, and import it the same way"]
        return "\n".join(lines)
    print(printable(pasteable("\n".join(lines))), flush=True)  # noqa: T201  the tables take some seconds more
    _make_tables(home, calendar)
    # Loaded here: a poller has no DuckDB.
    from pipelines.top import first_look

    first_look(home, user)
    return None


def _make_tables(home: Home, calendar: Calendar) -> None:
    """Those of the months that changed. Raises Failure."""
    from producer.polling.tables import Tables

    if sys.stderr.isatty():
        print("making the tables …", file=sys.stderr, flush=True)  # noqa: T201
    with stopped_like_ctrl_c():
        Tables(home.archive, home.warehouse, calendar).update()


def _close_gaps(cursors: Cursors, user: str, report: "Report") -> list[str]:
    """Forget the gaps that an import closed, and say which."""
    closed = [gap for first, last in report.covered for gap in cursors.close_gaps(user, first, last)]
    return [f"closed the gap between {to_the_second(gap.start)} and {to_the_second(gap.end)}" for gap in closed]


def poll(
    *,
    topic: str | None,
    archive: str | None,
    calendar: Calendar,
    state: str,
    logins: str,
    interval: timedelta | None,
    warehouse: str | None,
) -> bool:
    """Poll the accounts that have logged in, once or at an interval; whether all went well.

    Raises Failure.
    """
    from producer.polling import running

    settings = running.PollSettings(topic, archive, calendar, state, logins, local_folder(state))
    if interval is None:
        return running.once(settings)
    running.every(settings, interval, warehouse)
    return True


def doctor(*, topic: str | None, archive: str | None, home: Home, state: str, logins: str) -> bool:
    """Print what was checked, one line each; whether nothing needs a person."""
    from producer.doctor.checks import DoctorSettings, examine
    from producer.doctor.findings import Level

    findings = examine(DoctorSettings(topic, archive, state, logins, home, local_folder(state)))
    for finding in findings:
        print(printable(pasteable(str(finding))))  # noqa: T201
    return all(finding.level is not Level.PROBLEM for finding in findings)


def logout(account: str, *, home: Home, state: str, logins: str, dry_run: bool) -> str:
    """Forget an account's login and what is remembered of it. Raises Failure."""
    from producer.accounts import logout as module

    return module.run(
        account, logins=logins, state=state, home=home, environment_state=local_folder(state), dry_run=dry_run
    )


def local_folder(state: str) -> Path:
    """Where what belongs to this machine is kept: beside the state, if that is on this machine."""
    return Path(home_of(None).state if state.startswith("gs://") else state)


def only(accounts: list[str]) -> str:
    """The account that has logged in, or was polled, if it is one; ``me`` where there is none.

    Raises StateError, which says to name the user.
    """
    if len(accounts) > 1:
        raise StateError(
            f"whose plays are they? {len(accounts)} accounts are known here ({', '.join(accounts)}): say --user NAME"
        )
    return accounts[0] if accounts else NOBODY


def _other_archive_note(state: str, archive: str) -> str:
    return (
        f"note: {state} is of the archive {archive}. Nothing in it was changed: gaps that were told there stay open, "
        "and polls\ndo not know of this import. With this archive give a --state of its own."
    )


def _name_note(user: str) -> str:
    return (
        f"note: no account {user} has logged in or was polled here. Polled plays have their account's id, and imported "
        "ones\nbelong to them under that id only. To poll the account too: heavy-rotation login, then import into "
        "an empty\narchive without --user."
    )
