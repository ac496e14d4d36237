"""Readers who look all the while: what they see never shrinks, is never half, and is never an error.

Functions that run in a process of their own (``apart``), beside whatever is at work.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import fastavro

from tests.siege.product import ask
from tests.siege.world import millis

Seen = Mapping[tuple[str, ...], int]
# Who looks without a rest leaves no time for those at work.
_REST_SECONDS = 0.2
_HERE = "http://127.0.0.1:8723"


def seen(folder: Path) -> Seen:
    """By a query: the plays of each user's month and kind. Raises AssertionError for a ten that cannot be."""
    found: dict[tuple[str, ...], int] = {}
    for row in ask(folder, "SELECT user_id, month, kind, plays_in_month, items FROM heavy_rotation.fullest_snapshots"):
        key = row["user_id"], f"{row['month']:%Y-%m}", row["kind"]
        assert key not in found, f"two tens of {key}"
        ranks = [item["rank"] for item in row["items"]]
        assert ranks == list(range(1, len(ranks) + 1)), f"ranks {ranks} of {key}"
        found[key] = row["plays_in_month"]
    return found


def watch(folder: Path, until: Path, but: str = "") -> int:
    """Query again and again, until a file is there: how often. ``but`` is a user who may be forgotten meanwhile."""
    return _look_all_the_while(lambda: seen(folder), until, but)


def browse(folder: Path, until: Path, but: str = "") -> int:
    """The same with the pages: everybody's first page, and of each month the page and the ten tracks of the API."""
    with _pages(folder) as get:
        return _look_all_the_while(lambda: _shown(get, but), until, but)


@contextmanager
def _pages(folder: Path) -> Any:
    from tests.web.client import Client
    from web.app import create_app
    from web.settings import Settings

    app = create_app(Settings(str(folder / "warehouse")))
    client = Client(app, _HERE)

    def get(path: str, *, gone: bool = False, **query: str) -> Any:
        """The answer; None for what is not there, where that may be."""
        answer = client.get(path, params=query)
        if gone and answer.status_code in (404, 503):
            return None
        assert answer.status_code == 200, f"{path} {query}: {answer.status_code} {answer.text[-600:]}"
        return answer

    yield get
    app.state.runner.close()
    app.state.warehouse.close()


def _shown(get: Callable[..., Any], but: str) -> Seen:
    found: dict[tuple[str, ...], int] = {}
    for listener in get("/api/v1/listeners").json()["rows"]:
        user = listener["user_id"]
        gone = user == but
        found[user, "all"] = listener["plays"]
        get("/", user=user, gone=gone)
        if not (months := get("/api/v1/months", user=user, gone=gone)):
            continue
        for row in months.json()["rows"]:
            month = row["month"][:7]
            found[user, month] = row["plays"]
            get(f"/month/{month}", user=user, gone=gone)
    return found


def _look_all_the_while(look: Callable[[], Seen], until: Path, but: str) -> int:
    before: Seen = {}
    looks = 0
    while True:
        is_last = until.exists()
        now = look()
        for key, plays in before.items():
            assert key[0] == but or now.get(key, 0) >= plays, f"{key} had {plays} plays, and has {now.get(key, 0)}"
        before = now
        looks += 1
        if is_last:
            return looks
        time.sleep(_REST_SECONDS)


def archived_identities(folder: Path) -> set[tuple[str, int]]:
    """Of every record of the archive; files that cannot be read have none."""
    found = set()
    for path in sorted((folder / "archive" / "plays").glob("month=*/*.avro")):
        with suppress(Exception), path.open("rb") as file:
            found |= {(record["user_id"], millis(record["played_at"])) for record in fastavro.reader(file)}
    return found


def identity(data: str) -> tuple[str, int] | None:
    """A message's user and instant; None of one that is no play."""
    try:
        message = json.loads(data)
        return message["user_id"], millis(datetime.fromisoformat(message["played_at"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
