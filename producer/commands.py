"""What the commands do, once their options are read. They give back the text for stdout."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipelines.archive import Archive
from pipelines.clock import utc_now
from pipelines.domain.month import Calendar
from producer.cursor import Cursors
from producer.errors import StateError
from producer.exports import find
from producer.importing import Importer
from producer.progress import ProgressBar
from producer.report import text_of


def import_exports(
    paths: list[Path], *, user: str | None, archive: str | None, dry_run: bool, calendar: Calendar, state: Path
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
    return text_of(report, time_zone=calendar.time_zone, seconds=seconds, written_to=written_to, now=now)


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """While the block runs, SIGTERM raises KeyboardInterrupt, so that no half-written file is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def poll_once(*, topic: str | None, archive: str | None, calendar: Calendar, state: Path) -> str:
    """Poll the account of the login in the environment. Raises ProducerError and StorageError."""
    # An import of an export starts faster without the clients of Spotify and of Pub/Sub.
    from producer.logins import Login, credentials_of
    from producer.polling import poll
    from producer.publishing import ArchiveDestination, Destination, TopicDestination
    from producer.spotify import Endpoints, Spotify

    login = Login(state, credentials_of(os.environ))
    destination: Destination
    if topic:
        destination = TopicDestination(topic)
    else:
        destination = ArchiveDestination(Archive(archive or ""), calendar, state / "rejected")
    with closing(Spotify(login, Endpoints.of(os.environ))) as spotify:
        account_id = login.account_id
        if account_id is None:
            account_id = spotify.account_id()
            login.keep_account(account_id)
        polled = poll(spotify.recently_played(), account_id, Cursors(state), destination, utc_now())
    return f"{account_id}: {polled} to {topic or archive}"


def only_account(state: Path) -> str:
    """The account that was polled, if it is one. Raises StateError, which says to name the user."""
    accounts = Cursors(state).accounts()
    if len(accounts) == 1:
        return accounts[0]
    known = f"{state} knows {len(accounts)} accounts ({', '.join(accounts)})" if accounts else "none was polled here"
    raise StateError(
        f"whose plays are they? {known}: say --user NAME. With the account id that polling uses, imported "
        "and polled plays belong together"
    )
