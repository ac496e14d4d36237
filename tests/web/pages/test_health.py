"""``/health``: what is well and what is not, each from what is really there."""

import json
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.exports import LeftOut
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive
from producer.importing.importer import Report
from producer.state.cursor import Cursor, Cursors
from producer.state.forgetting import traces
from producer.state.gaps import Gap
from producer.state.imports import note_import
from tests.web.histories import CALENDAR, NOW, a_history, opened, written
from web.figures.imports import imports_of


@pytest.fixture(scope="module")
def plays() -> list[Play]:
    return a_history(number=60)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, plays: list[Play]) -> str:
    return written(tmp_path_factory.mktemp("warehouse"), plays)


def health(warehouse: str, query: str = "", **settings: Any) -> str:
    client = opened(warehouse, **settings)
    page = client.get(f"/health{query}")
    assert page.status_code == 200, page.text
    client._transport.app.state.runner.close()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def polled(state: Path, user_id: str, **fields: Any) -> None:
    cursors = Cursors(state)
    cursors.change(cursors.read(user_id), lambda _: Cursor(user_id, **fields))


def test_a_bare_folder_says_what_is_not_known(warehouse: str) -> None:
    told = health(warehouse)
    assert "not known: What polling remembers is not at hand here." in told
    assert "No import is remembered here." in told
    assert "archive" not in told.lower()


def test_polls(warehouse: str, tmp_path: Path) -> None:
    state = str(tmp_path)
    assert "not known: No poll of me is known." in health(warehouse, state=state)
    polled(tmp_path, "me", polled_at=NOW - timedelta(minutes=9))
    told = health(warehouse, state=state)
    assert re.search(r"(?<!not )well: The last poll was 9 minutes ago", told)
    assert "No gaps are known." in told
    gap = Gap(NOW - timedelta(days=2), NOW - timedelta(days=1), NOW)
    polled(tmp_path, "me", polled_at=NOW - timedelta(hours=3), gaps=(gap,))
    told = health(warehouse, state=state)
    assert "not well: The last poll was 3 hours ago" in told
    assert "at least one play" in told


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (1, " well: The login lasts until"),
        (170, "not well: The login lasts until"),
        (200, "not well: The login has ended"),
    ],
)
def test_the_end_of_a_login_is_said_without_a_look_at_its_token(
    warehouse: str, tmp_path: Path, days: int, told: str
) -> None:
    record = {"account_id": "me", "authorized_at": (NOW - timedelta(days=days)).isoformat()}
    (tmp_path / "me.json").write_text(json.dumps(record))
    assert told in health(warehouse, logins=str(tmp_path))
    assert "login" not in health(warehouse, logins=str(tmp_path / "nobody")).lower()


def test_imports_and_what_they_left_out(warehouse: str, tmp_path: Path) -> None:
    report = Report(files=2, rows=1500, left_out=Counter({LeftOut.SHORT: 1200, LeftOut.DUPLICATE: 3}))
    report.months[NOW.date().replace(day=1)] = 297
    note_import(str(tmp_path), "me", NOW - timedelta(days=1), report.counts)
    note_import(str(tmp_path), "me", NOW, Report(rows=7).counts)
    told = health(warehouse, state=str(tmp_path))
    assert f"1,500 297 297 1,200 {LeftOut.SHORT.value}, 3 {LeftOut.DUPLICATE.value}" in told
    assert [one.rows for one in imports_of(str(tmp_path), "me")] == [7, 1500]
    # Whoever is forgotten leaves none.
    assert str(tmp_path / "imports" / "me.json") in traces(str(tmp_path), "me")


def test_the_archive_is_compared_with_the_tables(warehouse: str, tmp_path: Path, plays: list[Play]) -> None:
    archive = Archive(str(tmp_path))
    by_month: dict[Any, list[Play]] = {}
    for play in plays:
        by_month.setdefault(CALENDAR.month_of(play.played_at), []).append(play)
    for month, some in by_month.items():
        archive.write(month, some)
    settings: dict[str, Any] = {"archive": str(tmp_path)}
    assert " well: The tables have every play that the archive has since" in health(warehouse, **settings)
    assert " well: The tables have every play that the archive has." in health(warehouse, "?archive=all", **settings)
    # Two plays more, one of them of somebody else.
    newest = plays[-1]
    more = [
        _moved(newest, timedelta(minutes=1)), _moved(newest, timedelta(minutes=2), user_id="another"),
    ]  # fmt: skip
    archive.write(CALENDAR.month_of(newest.played_at), more)
    assert "not well: 1 play of the archive since" in health(warehouse, **settings)
    # One of long ago is seen when all is looked at.
    archive.write(CALENDAR.month_of(plays[0].played_at), [_moved(plays[0], timedelta(minutes=1))])
    assert "not well: 2 plays of the archive are not in the tables." in health(warehouse, "?archive=all", **settings)


def _moved(play: Play, by: timedelta, **fields: Any) -> Play:
    from dataclasses import replace

    return replace(play, played_at=play.played_at + by, **fields)


def test_an_archive_that_cannot_be_read_is_said(warehouse: str, tmp_path: Path, plays: list[Play]) -> None:
    folder = tmp_path / "plays" / f"month={CALENDAR.month_of(plays[-1].played_at):%Y-%m}"
    folder.mkdir(parents=True)
    (folder / "plays-1.avro").write_bytes(b"no Avro")
    assert "not known: The archive could not be compared:" in health(warehouse, archive=str(tmp_path))
