"""How far each account has been read, and what may be missing: a small document for each in the state.

Every change is a function of the cursor as it is when the change is kept: where another process changed it
meanwhile, it is read again and the same change is made to that. So two pollers of one account, or a poller and
an import, lose nothing of each other's.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pipelines.domain.instants import checked_millis, parse, rfc3339
from pipelines.storage.files import ChangedError, Version, is_bucket, wait_before
from producer.identity.remembered import ImportedPlay, PolledPlay
from producer.private_files import StateError, damaged
from producer.state.documents import Documents
from producer.state.gaps import Gap

FOLDER = "cursors"
_ARCHIVE = "archive.json"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is known to be published. ``newest`` and ``published`` are milliseconds since 1970, UTC.

    ``published`` are the latest instants published, so that a play that Spotify lists late, behind the newest
    one, is told from those that were there before. ``rejected`` are digests of the unreadable items that were
    listed last time. ``polled_at`` is the last poll that went well, ``interval`` the time between it and the
    one before, and before ``retry_at`` Spotify asked not to be asked again.

    ``polled`` and ``imported`` are the newest plays of each kind, oldest first. They are put here before they are
    published or written, which settles under which instants that is done.
    """

    account_id: str
    newest: int | None = None
    published: tuple[int, ...] = ()
    rejected: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    polled_at: datetime | None = None
    interval: timedelta | None = None
    retry_at: datetime | None = None
    polled: tuple[PolledPlay, ...] = ()
    imported: tuple[ImportedPlay, ...] = ()


Change = Callable[[Cursor], Cursor]


@dataclass(frozen=True, slots=True)
class StoredCursor:
    """A cursor as it was read, the version of its document, and whether there is one."""

    cursor: Cursor
    version: Version
    is_there: bool = True


class Cursors:
    """The cursors of all accounts, in ``STATE/cursors``. For any number of threads."""

    def __init__(self, state: str | Path) -> None:
        """``state`` is a folder or ``gs://bucket/folder``. Raises StorageError."""
        self._documents = Documents(state)

    def read(self, account_id: str) -> StoredCursor:
        """The account's cursor, an empty one if it was never read. Raises StateError and StorageError."""
        name = name_of(account_id)
        document = self._documents.read(name)
        if document.value is None:
            return StoredCursor(Cursor(account_id), document.version, is_there=False)
        try:
            return StoredCursor(_from_record(document.value), document.version)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise damaged(self._documents.place(name)) from None

    def load(self, account_id: str) -> Cursor:
        """The account's cursor alone. Raises StateError and StorageError."""
        return self.read(account_id).cursor

    def change(self, stored: StoredCursor, change: Change) -> tuple[Cursor, StoredCursor]:
        """Change the account's cursor, starting from what was read; the cursor that was changed, and its successor.

        ``change`` is called again, with a newer cursor, where another process was faster. What was removed meanwhile
        is not written anew. Raises StateError and StorageError.
        """
        name = name_of(stored.cursor.account_id)
        for attempt in range(_ATTEMPTS):
            changed = change(stored.cursor)
            if changed == stored.cursor:
                return stored.cursor, stored
            try:
                version = self._documents.replace(name, _to_record(changed), stored.version)
            except ChangedError:
                wait_before(attempt)
                was_there, stored = stored.is_there, self.read(stored.cursor.account_id)
                if was_there and not stored.is_there:
                    raise StateError(f"{self._documents.place(name)} was removed meanwhile, and stays so") from None
            else:
                return stored.cursor, StoredCursor(changed, version)
        raise StateError(f"{self._documents.place(name)} is changed by others all the time; poll from one place only")

    def gaps(self, account_id: str) -> list[Gap]:
        """Where plays of the account may be missing, oldest first. Raises StateError and StorageError."""
        return list(self.load(account_id).gaps)

    def close_gaps(self, account_id: str, covered_from: datetime, covered_to: datetime) -> list[Gap]:
        """Forget gaps, or the ends of gaps, between two instants from which every play is known by now.

        Gives back the gaps that are closed as a whole. Raises StateError and StorageError.
        """

        def closed(cursor: Cursor) -> Cursor:
            left = (gap.without(covered_from, covered_to) for gap in cursor.gaps)
            return replace(cursor, gaps=tuple(gap for gap in left if gap))

        before, _ = self.change(self.read(account_id), closed)
        return [gap for gap in before.gaps if not gap.without(covered_from, covered_to)]

    def accounts(self) -> list[str]:
        """The ids of the accounts that were polled, sorted; no document is read. Raises StorageError."""
        names = self._documents.names(FOLDER)
        return sorted(unquote(name.removeprefix(f"{FOLDER}/").removesuffix(".json")) for name in names)

    @property
    def archive_place(self) -> str:
        """Where it is noted which archive the state is of, to show to a person."""
        return self._documents.place(_ARCHIVE)

    def archive(self) -> str | None:
        """The archive that the state is of: folder or ``gs://`` address. Raises StateError and StorageError."""
        return self._archive()[0]

    def are_of(self, archive: str, *, claims: bool) -> bool:
        """Whether the state is of this archive; where it is of none yet, it is, and with ``claims`` that is noted.

        What is published and imported, and what is missing, holds for one archive alone.
        Raises StateError and StorageError.
        """
        address = archive.rstrip("/") if is_bucket(archive) else str(Path(archive).resolve())
        while True:
            noted, version = self._archive()
            if noted is not None or not claims:
                return noted in (None, address)
            with suppress(ChangedError):  # by another process, which may have noted another one
                self._documents.replace(_ARCHIVE, {"archive": address}, version)
                return True

    def _archive(self) -> tuple[str | None, Version]:
        document = self._documents.read(_ARCHIVE)
        match document.value:
            case None:
                return None, document.version
            case {"archive": str(address)}:
                return address, document.version
        raise damaged(self._documents.place(_ARCHIVE))


def name_of(account_id: str) -> str:
    """The document that an account's cursor is kept in."""
    # An old id is what its owner chose, and may hold anything.
    return f"{FOLDER}/{quote(account_id, safe='')}.json"


def _to_record(cursor: Cursor) -> dict[str, Any]:
    return {
        "account_id": cursor.account_id,
        "newest": cursor.newest,
        "published": cursor.published,
        "rejected": cursor.rejected,
        "gaps": [gap.to_record() for gap in cursor.gaps],
        "polled_at": cursor.polled_at and rfc3339(cursor.polled_at),
        "interval": None if cursor.interval is None else cursor.interval.total_seconds(),
        "retry_at": cursor.retry_at and rfc3339(cursor.retry_at),
        "polled": [play.to_record() for play in cursor.polled],
        "imported": [play.to_record() for play in cursor.imported],
    }


def _from_record(value: dict[str, Any]) -> Cursor:
    """Of a document, which an older version of the producer may have written."""
    newest, interval = value["newest"], value.get("interval")
    return Cursor(
        account_id=str(value["account_id"]),
        newest=None if newest is None else checked_millis(newest),
        published=tuple(map(checked_millis, value["published"])),
        rejected=tuple(map(str, value["rejected"])),
        gaps=tuple(map(Gap.from_record, value.get("gaps", ()))),
        polled_at=_instant(value.get("polled_at")),
        interval=None if interval is None else timedelta(seconds=interval),
        retry_at=_instant(value.get("retry_at")),
        polled=tuple(map(PolledPlay.from_record, value.get("polled", ()))),
        imported=tuple(map(ImportedPlay.from_record, value.get("imported", ()))),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse(text)
