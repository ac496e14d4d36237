"""The cases of docs/import.md: exports against what was polled, and against each other. One test for each."""

import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.instants import MILLISECOND, parse
from pipelines.domain.play import Source
from pipelines.domain.song import synthetic_id
from producer.importing.importer import Report
from tests.producer.exports import account, extended, plays_in
from tests.producer.history import History

MINUTES_3 = 180_000


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def row(time: str, track: str = "a", ms_played: int = MINUTES_3, **more: Any) -> dict[str, Any]:
    """A row of the extended export on 1 May."""
    return extended(f"2026-05-01T{time}Z", track, ms_played, **more)


def minute(time: str, track: str = "a", ms_played: int = MINUTES_3) -> dict[str, Any]:
    """A row of account data on 1 May."""
    return account(f"2026-05-01 {time}", track, ms_played)


def at(*times: str) -> list[str]:
    return [f"2026-05-01T{time}Z" for time in times]


def known(report: Report) -> tuple[int, int, int]:
    return report.polled, report.exported, report.archived


def test_polled_and_exported(history: History) -> None:
    history.poll_elsewhere(*at("10:00:01.234"))
    assert known(history.load(row("10:00:00"))) == (1, 0, 0)
    assert history.clock() == [("10:00:01.234", "a")]
    both = plays_in(history.folder / "archive")
    assert {play.source for play in both} == {Source.RECENTLY_PLAYED, Source.EXTENDED_EXPORT}
    assert {play.ms_played for play in both} == {None, MINUTES_3}
    assert [play.source for play in history.counted()] == [Source.RECENTLY_PLAYED]


@pytest.mark.parametrize(("late_ms", "plays"), [(-29_999, 1), (29_999, 1), (-30_000, 2), (30_000, 2)])
def test_the_tolerance(history: History, late_ms: int, plays: int) -> None:
    history.poll_elsewhere(f"{parse('2026-05-01T10:00:30Z') + late_ms * MILLISECOND:%Y-%m-%dT%H:%M:%S.%fZ}")
    history.load(row("10:00:30"))
    assert len(history.clock()) == plays


def test_stamped_with_the_start(history: History) -> None:
    history.poll_elsewhere(*at("09:57:01.500"))
    assert known(history.load(row("10:00:00"))) == (1, 0, 0)
    assert history.clock() == [("09:57:01.500", "a")]


def test_stamped_with_the_start_in_the_month_before(history: History) -> None:
    history.poll_elsewhere("2026-04-30T21:59:00.500Z")  # 23:59 in Paris
    history.load(extended("2026-04-30T22:02:00Z"))
    assert [play.played_at.hour for play in history.counted()] == [21]


def test_twice_in_a_row(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.800", "10:03:00.900"))
    assert known(history.load(row("10:00:00"), row("10:03:00"))) == (2, 0, 0)
    assert history.clock() == [("10:00:00.800", "a"), ("10:03:00.900", "a")]


def test_twice_in_a_row_and_one_was_polled(history: History) -> None:
    # The end of the first is the start of the second: it is one of them, and the other is a play too.
    history.poll_elsewhere(*at("10:00:00.800"))
    assert known(history.load(row("10:00:00"), row("10:03:00"))) == (1, 0, 0)
    assert history.clock() == [("10:00:00.800", "a"), ("10:03:00.000", "a")]


def test_three_in_a_row_stamped_with_the_start(history: History) -> None:
    # Nearest first alone would give the first row the second's stamp, and leave the third or the first over.
    history.poll_elsewhere(*at("09:57:04.000", "10:00:00.100", "10:03:00.100"))
    assert known(history.load(row("10:00:00"), row("10:03:00"), row("10:06:00"))) == (3, 0, 0)
    assert len(history.clock()) == 3


def test_a_row_takes_no_other_rows_place_in_another_file(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.800"))
    history.load(row("10:00:00"))
    assert known(history.load(row("10:03:00", ms_played=179_000))) == (0, 0, 0)
    assert len(history.clock()) == 2


def test_a_row_makes_room_for_its_neighbour_in_another_file(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.000", "10:03:03.000"))
    assert known(history.load(row("10:03:00"))) == (1, 0, 0)
    assert history.clock()[0] == ("10:00:00.000", "a")
    assert known(history.load(row("10:00:00", ms_played=179_000))) == (1, 0, 0)
    assert len(history.clock()) == 2
    copies = len(plays_in(history.folder / "archive"))
    assert known(history.load(row("10:00:00", ms_played=179_000), row("10:03:00"))) == (0, 0, 2)
    assert len(plays_in(history.folder / "archive")) == copies, "a row has one copy, wherever it is paired"


def test_another_track_at_the_same_second(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.000"), track="b")
    for again in range(2):
        assert known(history.load(row("10:00:00"))) == (0, 0, again)
        assert history.clock() == [("10:00:00.000", "b"), ("10:00:00.001", "a")]


def test_files_of_one_second_imported_apart(history: History) -> None:
    history.load(row("10:00:00", "b"))
    history.load(row("10:00:00", "a"))
    history.load(row("10:00:00", "a"), row("10:00:00", "b"))
    assert history.clock() == [("10:00:00.000", "b"), ("10:00:00.001", "a")]


def test_the_same_recording_under_another_id(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.500"))
    history.load(row("10:00:00", spotify_track_uri="spotify:track:elsewhere"))
    assert history.clock() == [("10:00:00.500", "a")]


def test_a_local_file(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.500"), track="x y", track_id=synthetic_id("track", "Artist", "Track x y"))
    nameless = dict.fromkeys(("master_metadata_track_name", "master_metadata_album_artist_name"))
    rows = [
        row("10:00:00", "x y", spotify_track_uri="spotify:local:Artist:Album:Track+x+y:180"),
        row("11:00:00", spotify_track_uri="spotify:local:Artist::Track%20x+y:180", **nameless),
    ]
    assert known(history.load(*rows)) == (1, 0, 0)
    [polled, other] = history.counted()
    assert polled.track_id == other.track_id
    assert (other.track_name, other.artists[0].name) == ("Track x y", "Artist")


def test_another_account(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.500"), user_id="you")
    assert known(history.load(row("10:00:00"))) == (0, 0, 0)
    assert len(history.counted()) == 2


@pytest.mark.parametrize(
    ("polled", "plays"), [("10:00:00.000", 1), ("10:00:59.999", 1), ("10:01:29", 1), ("10:01:30", 2)]
)
def test_an_account_minute(history: History, polled: str, plays: int) -> None:
    history.poll_elsewhere(*at(polled))
    history.load(minute("10:00"))
    assert len(history.clock()) == plays


def test_an_account_row_and_a_start(history: History) -> None:
    history.poll_elsewhere(*at("09:57:40"))
    assert known(history.load(minute("10:00"))) == (1, 0, 0)
    assert history.clock() == [("09:57:40.000", "a")]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_both_kinds_of_export(history: History, order: int) -> None:
    rows = [row("10:00:40"), row("10:04:00", "b")]
    minutes = [minute("10:00"), minute("10:04", "b"), minute("10:09", "c")]
    halves = [[rows, minutes], [minutes, rows], [minutes + rows]][order]
    for half in [*halves, *halves]:
        history.load(*half)
    assert [track for _, track in history.clock()] == ["a", "b", synthetic_id("track", "Artist", "Track c")]


def test_an_account_row_of_a_track_that_is_known(history: History) -> None:
    history.poll_elsewhere(*at("08:00:00"), track="a")
    history.load(minute("10:00", "a"), minute("11:00", "b"))
    assert history.clock()[1:] == [("10:00:00.000", "a"), ("11:00:00.000", synthetic_id("track", "Artist", "Track b"))]


def test_an_account_row_of_a_name_that_two_tracks_have(history: History) -> None:
    history.poll_elsewhere(*at("08:00:00"), track="a", track_id="one")
    history.load(minute("10:00", "a"))
    history.poll_elsewhere(*at("09:00:00"), track="a", track_id="two")
    history.load(minute("10:00", "a"), minute("12:00", "a"))
    made = synthetic_id("track", "Artist", "Track a")
    assert [track for _, track in history.clock()] == ["one", "two", "one", made], "what was imported stays"


def offline(time: str, began: str, track: str = "a", ms_played: int = MINUTES_3, **more: Any) -> dict[str, Any]:
    """A row of a play that was heard offline on 1 May, reported at a time of that day."""
    seconds = int(parse(f"2026-05-01T{began}Z").timestamp())
    return row(time, track, ms_played, **{"offline": True, "offline_timestamp": seconds} | more)


def test_heard_offline(history: History) -> None:
    history.load(offline("12:00:00", "08:00:00"), offline("12:00:00", "09:00:00"), row("12:00:00"))
    assert [time for time, _ in history.clock()] == ["08:03:00.000", "09:03:00.000", "12:00:00.000"]


def test_heard_offline_and_told_with_milliseconds(history: History) -> None:
    with_fraction = int(parse("2026-05-01T08:00:00.900Z").timestamp() * 1000)
    for _ in range(2):
        for began in (None, with_fraction):
            more: dict[str, Any] = {} if began is None else {"offline_timestamp": began}
            history.load(offline("12:00:00", "08:00:00", **more))
    assert history.clock() == [("08:03:00.000", "a")]


@pytest.mark.parametrize("polled", ["08:03:02.500", "08:00:01.500", "12:00:01.000"])
def test_heard_offline_and_polled(history: History, polled: str) -> None:
    history.poll_elsewhere(*at(polled))
    assert known(history.load(offline("12:00:00", "08:00:00"))) == (1, 0, 0)
    assert history.clock() == [(polled, "a")]


@pytest.mark.parametrize("polled", ["08:03:02.500", "12:00:01.000"])
def test_heard_offline_imported_and_polled(history: History, polled: str) -> None:
    history.load(offline("12:00:00", "08:00:00"))
    history.poll(*at(polled))
    assert history.clock() == [("08:03:00.000", "a")]


def test_heard_offline_and_reported_when_another_ended(history: History) -> None:
    history.poll_elsewhere(*at("11:56:00.510", "12:00:00.500"))
    history.load(offline("12:00:00", "11:56:00"))
    history.load(row("12:00:00"))
    assert history.clock() == [("11:56:00.510", "a"), ("12:00:00.500", "a")]


@pytest.mark.parametrize("told", ["08:03", "12:00"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_heard_offline_and_in_both_kinds(history: History, told: str, order: int) -> None:
    halves = [[offline("12:00:00", "08:00:00")], [minute(told)]]
    # What the archive has of the extended row is where it ended; a late minute finds that from the row alone.
    orders = [[halves[1], halves[0]], [halves[0] + halves[1]], [halves[0], halves[0] + halves[1]]]
    for half in orders[order] * 2:
        history.load(*half)
    assert len(history.clock()) == 1


def test_the_same_row_without_its_id(history: History) -> None:
    with_id, without = row("10:00:00"), row("10:00:00", spotify_track_uri=None)
    for rows in ([without], [with_id], [without, with_id]):
        history.load(*rows)
    assert len(history.clock()) == 1
    other = History(history.folder / "other")
    assert other.load(without, with_id).plays == 1
    assert other.clock() == [("10:00:00.000", "a")]


def test_the_same_row_with_another_id(history: History) -> None:
    one, other = row("10:00:00"), row("10:00:00", spotify_track_uri="spotify:track:elsewhere")
    for rows in ([one], [other], [other, one]):
        history.load(*rows)
    assert history.clock() == [("10:00:00.000", "a")]


def test_rows_of_a_track_within_seconds(history: History) -> None:
    rows = [row("10:00:00"), row("10:00:00", ms_played=180_250), row("10:00:03")]
    assert known(history.load(*rows)) == (0, 0, 0)
    assert [play.ms_played for play in history.counted()] == [180_250]
    report = history.load(*rows, row("10:00:30"))
    assert (report.plays, report.archived, report.left_out.total()) == (2, 1, 2)


def test_rows_of_a_track_within_seconds_imported_apart(history: History) -> None:
    history.load(row("10:00:03"))
    report = history.load(row("10:00:00", ms_played=200_000))
    assert (report.plays, report.left_out.total(), history.clock()) == (0, 1, [("10:00:03.000", "a")])


def test_rows_of_a_track_within_seconds_and_polled(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.500", "10:03:31"))
    rows = [row("10:00:00"), row("10:00:03", ms_played=170_000), row("10:03:30")]
    for again in range(2):
        assert known(history.load(*rows)) == ((0, 0, 2) if again else (2, 0, 0))
    assert len(history.clock()) == 2


def test_a_minute_of_another_length(history: History) -> None:
    history.load(row("10:00:30"))
    history.load(minute("10:00", ms_played=100_000))
    assert len(history.clock()) == 2


# Days before and after, which say from when to when an export has all there was.
AROUND = [extended("2026-04-29T10:00:00Z", "x"), extended("2026-05-03T10:00:00Z", "x")]
AROUND_TOO = [account("2026-04-29 10:00", "x"), account("2026-05-03 10:00", "x")]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_hours_apart_in_both_kinds(history: History, order: int) -> None:
    rows, minutes = [*AROUND, row("19:00:00")], [*AROUND_TOO, minute("03:00")]
    for half in [[rows, minutes], [minutes, rows], [minutes + rows]][order] * 2:
        history.load(*half)
    assert len(history.clock()) == 3
    files = history.archive.files()
    for half in (rows, minutes, rows + minutes):
        history.load(*half)
    assert history.archive.files() == files


@pytest.mark.parametrize(
    ("rows", "minutes"),
    [
        ([row("19:00:00")], [minute("03:00")]),
        ([*AROUND, row("19:00:00")], [AROUND_TOO[0], minute("03:00")]),
        ([*AROUND, row("19:00:00")], [*AROUND_TOO, minute("03:00", ms_played=MINUTES_3 + 1)]),
        ([*AROUND, row("19:00:00")], [*AROUND_TOO, minute("03:00", "b")]),
        ([*AROUND, extended("2026-05-02T04:00:00Z")], [*AROUND_TOO, minute("03:00")]),
    ],
    ids=["not covered", "not covered by one", "another length", "another track", "more than a day"],
)
def test_hours_apart_and_not_one_play(history: History, rows: list[Any], minutes: list[Any]) -> None:
    for half in (rows, minutes, rows + minutes):
        history.load(*half)
    assert len([time for time, _ in history.clock() if not time.startswith("10:00")]) == 2


def test_hours_apart_and_heard_again(history: History) -> None:
    """Each of two plays of a track takes its own row, though the other is near enough."""
    rows = [*AROUND, row("09:00:00"), row("19:00:00")]
    minutes = [*AROUND_TOO, minute("08:00"), minute("19:00")]
    for half in (minutes, rows, minutes):
        history.load(*half)
    assert len(history.clock()) == 4


@pytest.mark.parametrize("order", [*permutations(("rows", "minutes", "both"))])
def test_hours_apart_beside_a_double_and_imported_again(history: History, order: tuple[str, ...]) -> None:
    """One track: a row that goes as a double tells of a minute all the same, and a row is near two minutes."""
    rows = [*AROUND, row("08:01:09"), row("18:00:08"), row("18:43:51"), row("18:44:12")]
    minutes = [*AROUND_TOO, minute("08:00"), minute("08:01"), minute("18:43"), minute("18:44")]
    for name in order:
        half = {"rows": rows, "minutes": minutes, "both": rows + minutes}[name]
        history.load(*half)
        files = history.archive.files()
        history.load(*half)
        assert history.archive.files() == files
    assert len(history.clock()) == 6


def test_in_both_kinds_at_once_is_reported_once(history: History) -> None:
    report = history.load(row("10:00:40"), row("11:00:00", "b"), minute("10:00"), minute("12:00"))
    assert (report.plays, report.new, report.copies, report.left_out.total()) == (3, 3, 1, 1)
    assert len(history.counted()) == 3


def test_two_tracks_polled_at_one_millisecond(history: History) -> None:
    stamp = "2026-05-01T10:00:00.500Z"
    for listing in ([(stamp, "b")], [(stamp, "a"), (stamp, "b")], [(stamp, "a")]):
        history.poll(*listing)
    assert history.clock() == [("10:00:00.500", "b"), ("10:00:00.501", "a")]
    assert known(history.load(row("10:00:00", "a"), row("10:00:00", "b"))) == (2, 0, 0)
    assert len(history.counted()) == 2


def test_two_tracks_imported_then_polled_at_one_millisecond(history: History) -> None:
    history.load(row("10:00:00", "a"), row("10:00:00", "b"))
    history.poll(*[("2026-05-01T10:00:00.500Z", track) for track in "ab"])
    assert history.clock() == [("10:00:00.000", "a"), ("10:00:00.001", "b")]


def test_a_listed_play_of_which_the_export_says_that_it_was_short(history: History) -> None:
    history.poll_elsewhere(*at("10:00:00.500"))
    report = history.load(row("10:00:00", ms_played=3_120))
    assert (report.plays, report.left_out.total()) == (0, 1)
    assert history.clock() == [("10:00:00.500", "a")]


def test_imported_and_polled(history: History) -> None:
    history.load(row("10:00:00"), row("11:00:00", "b"))
    history.poll(*at("10:00:01.234"), ("2026-05-01T11:00:05Z", "b"), ("2026-05-01T12:00:00Z", "b"))
    assert history.clock() == [("10:00:00.000", "a"), ("11:00:00.000", "b"), ("12:00:00.000", "b")]
    assert [play.source for play in history.counted()] == [Source.RECENTLY_PLAYED] * 3
    history.poll(*at("10:00:01.234"))
    assert known(history.load(row("10:00:00"), row("11:00:00", "b"))) == (0, 0, 2)
    assert len(plays_in(history.folder / "archive")) == 5, "nothing is published or written again"


def test_imported_and_polled_with_the_start(history: History) -> None:
    history.load(row("10:00:00"))
    history.poll(*at("09:57:01.500"))
    assert history.clock() == [("10:00:00.000", "a")]


def test_twice_in_a_row_and_one_was_imported(history: History) -> None:
    history.load(row("10:00:00"))
    history.poll(*at("10:00:00.800", "10:03:00.900"))
    assert history.clock() == [("10:00:00.000", "a"), ("10:03:00.900", "a")]


def test_listed_late_beside_another_of_its_track(history: History) -> None:
    history.poll(*at("10:00:00.100"))  # the start of the second, and taken for the end of the first
    history.load(row("10:00:00"), row("10:03:00"))
    history.poll(*at("10:00:00.100", "09:57:00.100"))
    assert len(history.clock()) == 2


def test_another_track_imported_at_the_same_millisecond(history: History) -> None:
    history.load(row("10:00:00", "b"))
    history.poll(*at("10:00:00.000"))
    assert history.clock() == [("10:00:00.000", "b"), ("10:00:00.001", "a")]
    history.poll(*at("10:00:00.000"))
    history.load(row("10:00:00"), row("10:00:00", "b"))
    assert len(history.clock()) == 2


def test_an_account_minute_imported_then_polled_then_the_extended_export(history: History) -> None:
    history.load(minute("10:00"), minute("11:00", "b"))
    history.poll(*at("10:00:40.500", "12:00:00"))
    assert history.clock()[0] == ("10:00:00.000", "a")
    history.load(row("10:00:40"), row("11:00:20", "b"), row("12:00:00"))
    assert [time[:5] for time, _ in history.clock()] == ["10:00", "11:00", "12:00"]


def test_polled_and_not_in_the_archive_yet(history: History) -> None:
    history.poll(*at("10:00:01.234"), is_late=True)
    assert known(history.load(row("10:00:00"))) == (1, 0, 0)
    history.stream()
    assert history.clock() == [("10:00:01.234", "a")]


@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_poll_is_interrupted_and_an_import_comes_between(history: History, fails: str) -> None:
    history.poll(*at("10:00:01.234"), fails=fails)
    history.load(row("10:00:00"))
    history.poll(*at("10:00:01.234"))
    assert history.clock() == [("10:00:01.234", "a")]


def test_an_import_is_interrupted_and_a_poll_comes_between(history: History) -> None:
    history.load_in_vain(row("10:00:00"))
    history.poll(*at("10:00:01.234"))
    history.load(row("10:00:00"))
    assert history.clock() == [("10:00:00.000", "a")]


def test_an_older_export_after_a_newer_one(history: History) -> None:
    history.load(row("10:00:00"))
    history.load(row("09:00:00"))
    history.poll(*at("09:00:00.500", "10:00:00.500"))
    assert history.clock() == [("09:00:00.000", "a"), ("10:00:00.000", "a")]


def test_a_lost_state(history: History) -> None:
    history.poll(*at("10:00:01.234"))
    history.load(row("10:00:00"), row("10:03:00"))
    history.forget_state()
    history.load(row("10:00:00"), row("10:03:00"))
    history.poll(*at("10:00:01.234", "10:03:00.500"))
    assert history.clock() == [("10:00:01.234", "a"), ("10:03:00.000", "a")]


def test_polled_with_another_state_after_the_import(history: History) -> None:
    """What is not reconciled."""
    history.load(row("10:00:00"))
    history.poll_elsewhere(*at("10:00:00.500"))
    assert len(history.clock()) == 2
    # The row that was counted stays where it is, and the polled play is free for the next one.
    history.load(row("10:00:00"), row("10:03:00"))
    assert len(history.clock()) == 2


def test_a_dry_run_says_the_same(history: History) -> None:
    history.poll_elsewhere(*at("10:00:01.234"))
    assert known(history.load(row("10:00:00"), row("11:00:00"), dry_run=True)) == (1, 0, 0)
    assert len(history.clock()) == 1


def test_what_an_import_covers(history: History) -> None:
    report = history.load(row("10:00:00"), row("12:00:00"), row("13:00:00", ms_played=10), minute("09:00"))
    assert [[f"{instant:%H:%M}" for instant in span] for span in report.covered] == [
        ["10:00", "12:00"],
        ["09:00", "09:00"],
    ]
    assert (report.first, report.last) == (report.covered[1][0], report.covered[0][1])
    assert history.load().first is None


def test_the_docs_name_every_case_and_no_other() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "import.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", docs))
    here = {name for name in globals() if name.startswith("test_")}
    assert named == here - {"test_the_docs_name_every_case_and_no_other", "test_what_an_import_covers"}
