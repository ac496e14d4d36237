"""What the commands do, once their options are read. They give back the text for stdout."""

import sys
import time
from datetime import timedelta
from pathlib import Path

from platformdirs import user_state_path

from pipelines.archive import Archive
from pipelines.clock import utc_now
from pipelines.domain.instants import to_the_second
from pipelines.domain.month import Calendar
from producer.errors import StateError
from producer.importing.exports import find
from producer.importing.importer import Importer, Report
from producer.importing.progress import ProgressBar
from producer.importing.report import text_of
from producer.state.cursor import Cursors
from producer.stopping import stopped_like_ctrl_c


def import_exports(
    paths: list[Path], *, user: str | None, archive: str | None, dry_run: bool, calendar: Calendar, state: str
) -> str:
    """Import exports into the archive; in a dry run, say what an import would do, with or without an archive.

    Raises ProducerError and StorageError, and KeyboardInterrupt where the process is asked to end.
    """
    started = time.perf_counter()
    user = user or only_account(state)
    now = utc_now()
    progress = ProgressBar(sys.stderr)
    importer = Importer(user, calendar, now, progress)
    try:
        with stopped_like_ctrl_c():
            report = importer.run(find(paths), Archive(archive) if archive else None, dry_run=dry_run)
    finally:
        progress.clear()
    seconds = time.perf_counter() - started
    written_to = None if dry_run else archive
    text = text_of(report, time_zone=calendar.time_zone, seconds=seconds, written_to=written_to, now=now)
    return text if dry_run else "\n".join([text, *_close_gaps(state, user, report)])


def _close_gaps(state: str, user: str, report: Report) -> list[str]:
    """Forget the gaps that an import closed, and say which."""
    cursors = Cursors(state)
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
    health_port: int | None,
) -> bool:
    """Poll the accounts that have logged in, once or at an interval; whether all went well.

    Raises ProducerError and StorageError.
    """
    # An import of an export starts faster without the clients of Spotify and of Pub/Sub.
    from producer.polling import running

    polling = running.Polling(topic, archive, calendar, state, logins, local_folder(state))
    if interval is None:
        return running.once(polling)
    running.every(polling, interval, health_port)
    return True


def doctor(*, topic: str | None, archive: str | None, state: str, logins: str) -> bool:
    """Print what was checked, one line each; whether nothing needs a person."""
    from producer.doctor.checks import Patient, examine
    from producer.doctor.findings import Level

    findings = examine(Patient(topic, archive, state, logins, default_state(), local_folder(state)))
    for finding in findings:
        print(finding)  # noqa: T201
    return all(finding.level is not Level.PROBLEM for finding in findings)


def default_state() -> str:
    """The folder in the platform's place for state."""
    return str(user_state_path("heavy-rotation", appauthor=False))


def local_folder(state: str) -> Path:
    """Where what belongs to this machine is kept: beside the state, if that is on this machine."""
    return Path(default_state() if state.startswith("gs://") else state)


def only_account(state: str) -> str:
    """The account that was polled, if it is one. Raises StateError, which says to name the user."""
    accounts = Cursors(state).accounts()
    if len(accounts) == 1:
        return accounts[0]
    known = f"{state} knows {len(accounts)} accounts ({', '.join(accounts)})" if accounts else "none was polled here"
    raise StateError(
        f"whose plays are they? {known}: say --user NAME. With the account id that polling uses, imported "
        "and polled plays belong together"
    )
