"""Forgetting an account here: its login, and what the producer remembers of it."""

import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipelines.home import Home, places_of
from producer.accounts.login import REFRESH_TOKEN, kept_of_environment
from producer.accounts.stores import store_of
from producer.state import forgetting
from producer.state.cursor import Cursors

_APPS = "https://www.spotify.com/account/apps"
_OLDER_VERSION = re.compile(r"(gs://.+)#\d+")
_NAMED_ACCOUNTS = 20

# Where something may be, and how that goes.
_Place = tuple[Callable[[], list[str]], Callable[[str], None]]


def run(account_id: str, *, logins: str, state: str, home: Home, environment_state: Path, dry_run: bool) -> str:
    """Remove all that is kept of the account, or look for it only; what to say of that.

    Logins go first: a poll that misses what was remembered then looks for the login, and begins nothing anew.
    Raises StateError and StorageError; the same call goes on from there.
    """
    store, archive = store_of(logins), Cursors(state).archive()
    places: list[_Place] = [
        (lambda: store.traces(account_id), lambda _: store.remove(account_id)),
        (lambda: list(map(str, kept_of_environment(environment_state, account_id))), forgetting.remove),
        (lambda: forgetting.traces(state, account_id), forgetting.remove),
    ]
    first = found = [look() for look, _ in places]
    while any(found) and not dry_run:
        for (_, remove), traces in zip(places, found, strict=True):
            for trace in traces:
                remove(trace)
        found = [look() for look, _ in places]  # a poll under way may have added to it meanwhile
    if not any(first):
        return _nothing(account_id, logins, state, sorted({*store.accounts(), *Cursors(state).accounts()}))
    _, from_environment, _ = first
    lines = [
        f"dry run     nothing of {account_id} was removed" if dry_run else f"logged out  {account_id}",
        *_listed("found" if dry_run else "removed", [trace for traces in first for trace in traces]),
        "",
        f"next: its owner removes the app at {_APPS}; nobody else can end a token at Spotify",
        *([f"      take the account's token out of {REFRESH_TOKEN} wherever it is polled"] if from_environment else []),
        "      plays, if they are to go too: "
        f"{shlex.join(['heavy-rotation', 'forget', '--user', account_id, *places_of(archive, home)])} --dry-run",
    ]
    return "\n".join(lines)


def _listed(verb: str, traces: list[str]) -> list[str]:
    """A line for each place, however many versions of it there are."""
    versions = Counter(_OLDER_VERSION.sub(r"\1", trace) for trace in traces)
    return [f"{verb:<11} {place}{f', {count} versions' if count > 1 else ''}" for place, count in versions.items()]


def _nothing(account_id: str, logins: str, state: str, accounts: list[str]) -> str:
    named = ", ".join(accounts[:_NAMED_ACCOUNTS])
    more = f" and {len(accounts) - _NAMED_ACCOUNTS} more" if len(accounts) > _NAMED_ACCOUNTS else ""
    known = f"the accounts there: {named}{more}" if accounts else "no account is there"
    return f"there is nothing of {account_id} in {logins}, nor in {state}; {known}"
