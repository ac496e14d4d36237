"""What the commands do, once their options are read. They give back the text for stdout."""

import os
import sys
import time
from contextlib import closing
from pathlib import Path

from pipelines.archive import Archive
from pipelines.clock import utc_now
from pipelines.domain.month import Calendar
from producer.cursor import Cursors
from producer.errors import LoginError, StateError
from producer.exports import find
from producer.importing import Importer
from producer.report import ProgressLine, text_of


def import_exports(paths: list[Path], *, user: str | None, archive: str | None, calendar: Calendar, state: Path) -> str:
    """Import exports into the archive, or say what an import would do where there is none.

    Raises ProducerError and StorageError.
    """
    started = time.perf_counter()
    user = user or only_account(state)
    progress = ProgressLine(sys.stderr)
    importer = Importer(user, calendar, utc_now(), progress)
    try:
        report = importer.run(find(paths), Archive(archive) if archive else None)
    finally:
        progress.clear()
    seconds = time.perf_counter() - started
    return text_of(report, time_zone=calendar.time_zone, seconds=seconds, archive=archive)


def poll_once(logins: str, *, topic: str | None, archive: str | None, calendar: Calendar, state: Path) -> str:
    """Poll the accounts that have logged in. Raises ProducerError and StorageError."""
    # An import of an export starts faster without the clients of Spotify and of Pub/Sub.
    from producer.logins import logins_of, store_of
    from producer.polling import poll
    from producer.publishing import ArchiveDestination, Destination, TopicDestination
    from producer.spotify import Endpoints, Spotify

    destination: Destination
    if topic:
        destination = TopicDestination(topic)
    else:
        destination = ArchiveDestination(Archive(archive or ""), calendar, state / "rejected")
    lines = []
    for login in logins_of(os.environ, state, store_of(logins)):
        with closing(Spotify(login, Endpoints.of(os.environ))) as spotify:
            account_id = login.account_id
            if account_id is None:
                account_id = spotify.account_id()
                login.keep_account(account_id)
            polled = poll(spotify.recently_played(), account_id, Cursors(state), destination, utc_now())
        lines.append(f"{account_id}: {polled} to {topic or archive}")
    if not lines:
        raise LoginError("no account has logged in: python -m producer login")
    return "\n".join(lines)


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
