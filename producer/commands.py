"""What the commands do, once their options are read. They give back the text for stdout."""

import shlex
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
from pipelines.home import Home, home_of, places_of, warehouse_beside
from pipelines.terminal import pasteable, printable
from producer.accounts.stores import logins_option, store_of
from producer.private_files import StateError
from producer.state.cursor import Cursors
from producer.state.imports import note_import

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
        note_import(state, user, importer.ingested_at, report.counts)
    if accounts and not is_account:
        lines += ["", _name_note(user)]
    if home is None or dry_run or not report.plays:
        if written_to and (missing := holes_text(Archive(written_to).months())):
            lines += ["", f"note: {missing}; if you listened then, {ASK}, and import it the same way"]
        return "\n".join(lines)
    print(printable(pasteable("\n".join(lines))), flush=True)  # noqa: T201  the tables take some seconds more
    make_tables(home.archive, home.warehouse, calendar)
    # Loaded here: a poller has no DuckDB.
    from pipelines.top import first_look

    first_look(home, user)
    return None


def login(*, port: int, with_browser: bool, with_playlists: bool, home: Home, state: str, logins: str) -> str:
    """Connect an account. Where plays were imported before anybody had logged in, offer to make them the account's.

    Raises Failure.
    """
    from producer.accounts import authorization

    store = store_of(logins)
    grant = authorization.run(store, port=port, with_browser=with_browser, with_playlists=with_playlists)
    account, cursors = grant.account_id, Cursors(state)
    if account == NOBODY or not cursors.load(NOBODY).imported:
        return authorization.text_of(grant, store)
    places = places_of(cursors.archive(), home)
    own_state = ["--state", state] if state != home.state else []
    command = shlex.join(["heavy-rotation", "rename", "--to", account, *places, *own_state]) + logins_option(store)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return authorization.text_of(grant, store, command)
    print(printable(f"{NOBODY}'s plays were imported before; polled ones are {account}'s."))  # noqa: T201
    if input(f"Make all of them {printable(account)}'s, one history? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        return authorization.text_of(grant, store, command)
    named = dict(zip(places[::2], places[1::2], strict=True))
    renamed = rename(
        NOBODY,
        account,
        archive=named.get("--archive"),
        warehouse=named.get("--warehouse"),
        home=home,
        dry_run=False,
        calendar=Calendar(),
        state=state,
        logins=logins,
    )
    return f"{renamed}\n{authorization.text_of(grant, store)}"


def rename(
    user: str,
    to: str | None,
    *,
    archive: str | None,
    warehouse: str | None,
    home: Home,
    dry_run: bool,
    calendar: Calendar,
    state: str,
    logins: str,
) -> str:
    """Make a user's plays another's, by default the account's that has logged in; the tables follow. Raises Failure.

    Without ``archive`` it is the one at home; ``warehouse`` is for one that is named.
    """
    from pipelines.storage.archive import Archive
    from producer.importing.renaming import Renaming
    from producer.importing.renaming import rename as run

    to = to or only([account for account in store_of(logins).accounts() if account != user])
    if to == user:
        raise StateError("whose are the plays to be? Nobody has logged in: say --to NAME, or log in first")
    root, tables = archive or home.archive, warehouse if archive else home.warehouse
    with stopped_like_ctrl_c():
        renamed = run(Renaming(user, to, Archive(root), state, calendar), dry_run=dry_run)
    if tables and not dry_run:  # also those that an earlier run did not get to
        make_tables(root, tables, calendar)
    if not renamed.plays:
        return f"there are no plays of {user} in {root}"
    files = f"{renamed.files:,} file{'' if renamed.files == 1 else 's'}"
    lines = [
        f"{'dry run' if dry_run else 'renamed':<11} {renamed.plays:>9,} plays of {user} to {to}, in {files} of {root}",
        *([f"{'':<11} {renamed.polled:>9,} of them were polled too, and count once"] if renamed.polled else []),
    ]
    if renamed.has_other_state:
        lines += ["", _other_archive_note(state, str(Cursors(state).archive()))]
    elif archive and not tables and not dry_run:
        places = shlex.join(["--archive", archive, "--warehouse", warehouse_beside(archive)])
        lines += ["", f"next: heavy-rotation rebuild {places} --months changed"]
    return "\n".join(lines)


def make_tables(archive: str, warehouse: str, calendar: Calendar) -> None:
    """Those of the months that changed. Raises Failure."""
    from producer.polling.tables import Tables

    if sys.stderr.isatty():
        print("making the tables …", file=sys.stderr, flush=True)  # noqa: T201
    with stopped_like_ctrl_c():
        Tables(archive, warehouse, calendar).update()


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
        f"note: no account {user} has logged in or was polled here, and polled plays have their account's id. To poll "
        f"the account too:\nheavy-rotation login, then heavy-rotation rename --user {shlex.quote(user)}, which makes "
        "these plays the account's."
    )
