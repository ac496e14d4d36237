"""How far an account has been read: a small file for each account in the state folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from producer.private_files import damaged, load, save


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is known to be published. Instants are milliseconds since 1970, UTC.

    ``published`` are the latest instants published, so that a play that Spotify lists late, behind the newest
    one, is told from those that were there before. ``rejected`` are digests of the unreadable items that were
    listed last time.
    """

    account_id: str
    newest: int | None = None
    published: tuple[int, ...] = ()
    rejected: tuple[str, ...] = ()


class Cursors:
    """The cursors of all accounts, in ``STATE/cursors``."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "cursors"

    def load(self, account_id: str) -> Cursor:
        """The account's cursor, an empty one if it was never read. Raises StateError and StorageError."""
        path = self._path(account_id)
        value = load(path)
        if value is None:
            return Cursor(account_id)
        try:
            newest = value["newest"]
            return Cursor(
                account_id=str(value["account_id"]),
                newest=None if newest is None else int(newest),
                published=tuple(map(int, value["published"])),
                rejected=tuple(map(str, value["rejected"])),
            )
        except (KeyError, TypeError, ValueError):
            raise damaged(path) from None

    def save(self, cursor: Cursor) -> None:
        """Replace the account's cursor. Raises StorageError."""
        save(self._path(cursor.account_id), asdict(cursor))

    def accounts(self) -> list[str]:
        """The ids of the accounts that were polled. Raises StateError and StorageError."""
        values = (load(path) for path in sorted(self._folder.glob("*.json")))
        return [str(value["account_id"]) for value in values if value and "account_id" in value]

    def _path(self, account_id: str) -> Path:
        # An old id is what its owner chose, and may hold anything.
        return self._folder / f"{quote(account_id, safe='')}.json"
