"""What could not be read when polling, in the table ``rejected``."""

import json
from pathlib import Path

import pytest

from pipelines.domain.instants import parse
from pipelines.storage.rejects import Rejects
from pipelines.warehouse.folder import FolderWarehouse
from tests.rebuilding.rebuilds import run
from tests.streaming.running import outcome

SEEN_AT = parse("2026-11-21T09:00:00.123Z")
ITEM = {"played_at": "yesterday", "track": None}


def test_each_comes_into_the_table_once(folder: Path) -> None:
    rejects = Rejects(str(folder / "archive"))
    for user in ("me", "you"):
        rejects.keep(user, ITEM, "track is not an object", SEEN_AT)
    FolderWarehouse(folder / "warehouse", "Europe/Paris").append(
        "rejected",
        [{"rejected_at": SEEN_AT, "origin": "pubsub", "message_id": rejects.ids()[0], "reason": "", "payload": b""}],
    )
    for _ in range(2):
        assert run(folder, "--months=changed") == 0
    rejects.keep("me", ITEM, "track is not an object", SEEN_AT)  # listed again
    rejects.keep("me", {"track": "gone"}, "another", SEEN_AT)
    assert run(folder, "--months=changed") == 0
    rows = [row for row in outcome(folder).rejected if row["origin"] == "spotify"]
    assert sorted((json.loads(row["attributes"])["user_id"], row["reason"]) for row in rows) == [
        ("me", "another"),
        ("me", "track is not an object"),
        ("you", "track is not an object"),
    ]
    assert {row["message_id"] for row in rows} == set(rejects.ids())
    assert {row["rejected_at"] for row in rows} == {SEEN_AT}
    assert {json.loads(row["payload"])["track"] for row in rows} == {None, "gone"}
    assert len(outcome(folder).rejected) == 4


def test_one_that_is_damaged_is_told_and_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rejects = Rejects(str(folder / "archive"))
    path = Path(rejects.keep("me", ITEM, "no track", SEEN_AT))
    path.write_text("{")
    assert run(folder) == 0
    assert outcome(folder).rejected == []
    assert f"{path} is damaged" in caplog.text
