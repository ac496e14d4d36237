"""The app at Spotify that logins are for: its id, and its secret where it has one."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from producer.private_files import load, refuse_shared
from producer.spotify.oauth import DASHBOARD, App, LoginError

CLIENT_ID, CLIENT_SECRET = "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"
CLIENT_FILE, CLIENT_SECRET_NAME = "SPOTIFY_CLIENT_FILE", "SPOTIFY_CLIENT_SECRET_NAME"


def app_of(environment: Mapping[str, str]) -> App:
    """The app that the environment names: itself, in a file, or in Secret Manager.

    Raises LoginError where it names none or more than one, StateError and StorageError where the place it names
    cannot be read or may be read by others. Never from an option: those show in a list of processes.
    """
    given = {name: environment.get(name, "").strip() for name in (CLIENT_SECRET, CLIENT_FILE, CLIENT_SECRET_NAME)}
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        raise LoginError(f"the environment has {' and '.join(named)}; keep one of them")
    if given[CLIENT_FILE]:
        found = _from_file(Path(given[CLIENT_FILE]).expanduser())
    elif given[CLIENT_SECRET_NAME]:
        found = _from_secret_manager(given[CLIENT_SECRET_NAME])
    else:
        found = {"client_secret": given[CLIENT_SECRET]}
    where = f"what {named[0]} names" if named and named != [CLIENT_SECRET] else "the environment"
    client_id, client_secret = environment.get(CLIENT_ID, "").strip(), found.get("client_secret") or None
    found_id = found.get("client_id") or client_id
    if client_id and client_id != found_id:
        raise LoginError(f"{CLIENT_ID} is not the client_id in {where}; keep one of them")
    if not isinstance(found_id, str) or not isinstance(client_secret, str | None):
        raise LoginError(f'in {where} there must be {{"client_id": "…", "client_secret": "…"}}')
    if not found_id:
        raise LoginError(
            f"there is no {CLIENT_ID} in the environment. Client id and secret are on your app's page at {DASHBOARD}; "
            f"{CLIENT_FILE} and {CLIENT_SECRET_NAME} can name where they are instead"
        )
    _check_characters("client id", found_id)
    _check_characters("client secret", client_secret or "")
    return App(found_id, client_secret)


def _check_characters(what: str, value: str) -> None:
    """Raises LoginError for what a word processor makes of a copied text, and HTTP does not carry; shows no value."""
    strange = next((character for character in value if not "!" <= character <= "~"), None)
    if strange is not None:
        name = unicodedata.name(strange, f"U+{ord(strange):04X}").lower()
        raise LoginError(
            f"the {what} has a character in it that none of Spotify's has ({name}); copy it again from your app's page "
            f"at {DASHBOARD}"
        )


def _from_file(path: Path) -> dict[str, Any]:
    refuse_shared(path)
    value = load(path, remedy=f'write it as {{"client_id": "…", "client_secret": "…"}}, as on {DASHBOARD}')
    if value is None:
        raise LoginError(f"there is no {path}, which {CLIENT_FILE} names")
    return value


def _from_secret_manager(name: str) -> dict[str, Any]:
    """The latest version holds the JSON of a file, or the client secret and nothing else."""
    # Google's client takes half a second to import.
    from producer.accounts.secret_manager import read_secret

    text = read_secret(name)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"client_secret": text.strip()}
