"""What a login gives, how long it lasts, and what a place that keeps it has to do."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

# Spotify says six months. These are the shortest six there are, so that no date given out is too late.
TOKEN_LIFE = timedelta(days=181)


@dataclass(frozen=True, slots=True)
class Grant:
    """What an account's owner gave. ``authorized_at`` is UTC; None where it is not known."""

    account_id: str
    refresh_token: str = field(repr=False)
    authorized_at: datetime | None

    def is_newer_than(self, other: "Grant") -> bool:
        """Whether its owner gave it later. Which of two is newer cannot be said of tokens, only of consents."""
        mine, others = self.authorized_at, other.authorized_at
        return mine is not None and (others is None or mine > others)

    def gives_way_to(self, login: "Grant", now: datetime) -> bool:
        """Whether a new login takes its place: unless it is newer itself, and not because of a clock that was wrong."""
        return not self.is_newer_than(login) or (self.authorized_at is not None and self.authorized_at > now)


class LoginStore(Protocol):
    """Keeps one grant for each account. ``str()`` of it is what ``--logins`` takes.

    A grant whose owner gave it later is never replaced by an earlier one. Every method raises StateError and
    StorageError; no text holds a token.
    """

    def accounts(self) -> list[str]:
        """The accounts that have logged in, sorted; those whose login has ended since are among them."""

    def load(self, account_id: str) -> Grant | None:
        """The account's grant; None if it has none, or its login has ended."""

    def is_there(self, account_id: str) -> bool:
        """Whether the account has logged in, and was not removed since."""

    def refreshing(self, account_id: str) -> AbstractContextManager[None]:
        """Hold the account's lease, which one thread of one process has at a time, for as long as a refresh takes.

        Compare-and-set alone cannot tell which of two refreshes Spotify saw last. Waits for whoever has it; raises
        StateError where that takes too long.
        """

    def save(self, grant: Grant) -> None:
        """Put the grant of a new login into the place of the account's older one."""

    def replace(self, grant: Grant) -> bool:
        """As ``save``, while ``refreshing``; of an account that was removed nothing is written: it gives back False."""

    def discard(self, account_id: str, token: str) -> None:
        """Forget a token that Spotify no longer accepts, if it is still the one that is stored.

        The account is still listed, and has no grant. One that was removed stays so.
        """

    def traces(self, account_id: str) -> list[str]:
        """Where something of the account is, to show to a person."""

    def remove(self, account_id: str) -> None:
        """Remove the account and all that it ever had here, for good."""


def to_record(grant: Grant) -> dict[str, Any]:
    """The grant as JSON, with its token in the open."""
    at = grant.authorized_at
    return {
        "account_id": grant.account_id,
        "refresh_token": grant.refresh_token,
        "authorized_at": at and at.astimezone(UTC).isoformat(),
    }


def ended_record(account_id: str) -> dict[str, Any]:
    """What stays of a grant that has ended."""
    return {"account_id": account_id, "refresh_token": None, "authorized_at": None}


def from_record(record: dict[str, Any]) -> Grant | None:
    """The grant in JSON; None where it has ended. Raises ValueError for anything else."""
    match record:
        case {"account_id": str(), "refresh_token": None}:
            return None
        case {"account_id": str(account_id), "refresh_token": str(token), "authorized_at": None}:
            return Grant(account_id, token, None)
        case {"account_id": str(account_id), "refresh_token": str(token), "authorized_at": str(at)}:
            return Grant(account_id, token, datetime.fromisoformat(at).astimezone(UTC))
        case _:
            # Without the record, which may hold a token.
            raise ValueError("not a grant")
