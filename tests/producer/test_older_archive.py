"""An archive that the version of 2026-11-21 made: what it imported is known, wherever the rules would put it today.

Its folder holds that version's archive and state, and the two exports, invented, that it had imported: plays heard
offline that it put where they were reported, plays of one track reported at once, a recording under two ids, rows a
few seconds apart, plays that were polled before and after, and what it had not recognised in the other export.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.producer.exports import account, at, extended, plays_in
from tests.producer.history import History

OLDER = Path(__file__).parent / "archive_of_2026_11_21"
EXTENDED, ACCOUNT = (json.loads((OLDER / f"{name}.json").read_text()) for name in ("endsong_0", "StreamingHistory0"))
NEWER = [
    extended("2025-05-02T07:00:00Z", "d"),
    extended("2025-05-20T12:00:00Z", "new"),
    extended("2025-06-20T12:00:00Z", "d", offline=True, offline_timestamp=1_750_400_000),
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    for name in ("archive", "state"):
        shutil.copytree(OLDER / name, tmp_path / name)
    return History(tmp_path)


@pytest.mark.parametrize(
    "imports",
    [
        [EXTENDED],
        [ACCOUNT],
        [EXTENDED + ACCOUNT],
        [EXTENDED, ACCOUNT],
        [EXTENDED[::2], EXTENDED[1::2], ACCOUNT[::2], EXTENDED],
        *([[row]] for row in EXTENDED + ACCOUNT),
    ],
)
@pytest.mark.parametrize("state", ["its state", "no state"])
def test_what_it_imported_writes_nothing(history: History, imports: list[list[Any]], state: str) -> None:
    if state == "no state":
        history.forget_state()
    files, once = history.archive.files(), history.counted()
    for rows in imports:
        report = history.load(*reversed(rows))
        assert (report.written, report.new) == ([], 0)
        assert report.plays == report.archived
        assert report.plays + report.left_out.total() == len(rows)
    assert (history.archive.files(), history.counted()) == (files, once)


def test_the_report_agrees_with_the_tables(history: History) -> None:
    report = history.load(*EXTENDED, *ACCOUNT)
    polled_only = at("2025-05-20T11:00:00.100Z")
    assert report.plays == len(history.counted()) - len(polled_only)


@pytest.mark.parametrize("older", [EXTENDED, [*EXTENDED, *ACCOUNT]], ids=["extended", "both"])
def test_inside_a_newer_export_only_what_is_new_is_written(history: History, older: Iterable[Any]) -> None:
    once = {play.played_at for play in history.counted()}
    report = history.load(*NEWER, *older)
    assert report.new == len(NEWER)
    new = at("2025-05-02T07:00:00Z", "2025-05-20T12:00:00Z", "2025-06-20T06:16:20Z")
    assert {play.played_at for play in history.counted()} - once == set(new)
    assert len(history.counted()) == len(once) + len(NEWER)


def test_spotify_lists_again_what_it_had_polled_and_imported(history: History) -> None:
    once = history.counted()
    history.load(*EXTENDED, *ACCOUNT)
    history.poll(
        ("2025-05-20T10:00:00.700Z", "t"), ("2025-05-20T11:00:00.100Z", "t"), ("2025-05-20T09:00:30.000Z", "y")
    )
    assert [play.played_at for play in history.counted()] == [play.played_at for play in once]


def test_in_an_empty_archive_each_play_is_where_it_was_heard(tmp_path: Path) -> None:
    anew = History(tmp_path)
    anew.load(*EXTENDED)
    heard = {(f"{play.played_at:%m-%d %H:%M:%S}", play.track_id[:5]) for play in anew.counted()}
    offline = {("05-02 08:03:00", "d"), ("05-02 08:06:00", "e"), ("05-02 08:08:50", "f"), ("05-31 18:03:00", "g")}
    both = {("05-03 08:03:00", "h"), ("05-03 09:03:00", "h")}
    no_sound_time = {("05-04 12:00:00", "i"), ("05-04 12:00:00", "j")}
    one = {("05-05 10:00:00", "k-new"), ("05-06 10:00:00", "l"), ("05-07 10:00:00", "names")}
    assert offline | both | no_sound_time | one <= heard
    assert len(plays_in(tmp_path / "archive")) == len(EXTENDED) - 3


def test_a_minute_of_the_other_export_is_no_play_of_another_length(history: History) -> None:
    report = history.load(account("2025-05-20 10:00", "t"), account("2025-05-10 10:00", "s", 100_000))
    assert (report.polled, report.new) == (1, 1)
