"""The stream under every order of events that can happen to it: time is scripted, all else is real."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage

from pipelines.domain.instants import parse, rfc3339
from pipelines.domain.play import Artist, Source
from pipelines.storage.archive import Archive
from pipelines.streaming import counting
from pipelines.streaming.tally import Tally
from tests import oracle
from tests.builders import play, plays
from tests.streaming.running import Outcome, Script, run_stream

A, B, C = plays("abc")
DECEMBER = parse("2026-12-02T00:00:00Z")


def each_once(outcome: Outcome) -> list[str]:
    """The tracks in play_events, by time."""
    return [row["track_id"] for row in sorted(outcome.play_events, key=lambda row: row["played_at"])]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda: Script().plays(A, A, B), id="in one bundle"),
        pytest.param(lambda: Script().plays(A).plays(A, B), id="in two bundles"),
        pytest.param(lambda: Script().plays(A).early_pane().plays(A, B), id="after an early pane"),
        pytest.param(
            lambda: Script(parse("2026-12-02T00:00:00Z")).plays(A).watermark("2026-12-02T00:00:00Z").plays(A, B),
            id="after the on-time pane",
        ),
    ],
)
def test_a_play_that_comes_twice_counts_once(tmp_path: Path, script: type[Script]) -> None:
    outcome = run_stream(tmp_path, script())
    assert each_once(outcome) == ["a", "b"]
    assert outcome.counts()["2026-11"][-1] == 2
    assert len(outcome.archived) == 3


def test_plays_out_of_order_give_the_same_ten(tmp_path: Path) -> None:
    orders = {"abc": (A, B, C), "cba": (C, B, A), "bca": (B, C, A)}
    script = Script()
    for at_once in zip(*([replace(p, user_id=user) for p in order] for user, order in orders.items()), strict=True):
        script.plays(*at_once)
    outcome = run_stream(tmp_path, script)
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens(
        [replace(p, user_id=user) for user in orders for p in (A, B, C)]
    )


def test_a_play_counts_in_its_month_of_paris(tmp_path: Path) -> None:
    months = {
        "2026-01-31T22:59:59Z": "2026-01",
        "2026-01-31T23:00:00Z": "2026-02",
        "2026-07-31T21:59:59Z": "2026-07",
        "2026-07-31T22:00:00Z": "2026-08",
        # The day clocks go forward and the day they go back: either side of the change, and the month's ends.
        "2026-03-29T00:59:59Z": "2026-03",
        "2026-03-29T01:00:00Z": "2026-03",
        "2026-03-31T21:59:59Z": "2026-03",
        "2026-03-31T22:00:00Z": "2026-04",
        "2026-10-25T00:59:59Z": "2026-10",
        "2026-10-25T01:00:00Z": "2026-10",
        "2026-10-31T22:59:59Z": "2026-10",
        "2026-10-31T23:00:00Z": "2026-11",
    }
    outcome = run_stream(tmp_path, Script().plays(*map(play, months)), lateness=timedelta(days=400))
    assert outcome.counts() == {month: [n] for month, n in sorted(Counter(months.values()).items())}
    assert {rfc3339(row["played_at"])[:19] + "Z": f"{row['month']:%Y-%m}" for row in outcome.play_events} == months
    archive = Archive(str(tmp_path / "archive"))
    filed = {
        rfc3339(p.played_at)[:19] + "Z": path.split("/")[-2] for path in archive.files() for p in archive.read(path)
    }
    assert filed == {instant: f"month={month}" for instant, month in months.items()}


def test_the_time_zone_is_the_users_choice(tmp_path: Path) -> None:
    outcome = run_stream(tmp_path, Script().plays(play("2026-11-01T03:59:59Z")), time_zone="America/New_York")
    assert outcome.counts() == {"2026-10": [1]}


def test_an_early_pane_shows_the_month_so_far(tmp_path: Path) -> None:
    outcome = run_stream(tmp_path, Script().plays(A).early_pane().plays(B).early_pane().plays(C))
    assert outcome.counts() == {"2026-11": [1, 2, 3]}


def test_a_snapshot_that_says_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    script = Script().plays(A).early_pane().plays(A).early_pane()
    assert run_stream(tmp_path, script).counts() == {"2026-11": [1]}


def test_a_late_play_inside_the_allowance_corrects_its_month(tmp_path: Path) -> None:
    script = Script(parse("2026-12-05T00:00:00Z")).plays(A, B).watermark("2026-12-05T00:00:00Z").plays(C)
    outcome = run_stream(tmp_path, script)
    assert outcome.counts() == {"2026-11": [2, 3]}
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([A, B, C])
    assert outcome.counters.get("plays_too_late", 0) == 0


def test_a_play_after_the_allowance_is_archived_stored_and_counted_as_too_late(tmp_path: Path) -> None:
    script = Script(parse("2027-01-06T00:00:00Z")).watermark("2027-01-06T00:00:00Z").plays(C)
    outcome = run_stream(tmp_path, script)
    assert outcome.archived == [C]
    assert each_once(outcome) == ["c"]
    assert outcome.counts() == {}
    assert outcome.counters["plays_too_late"] == 1


def test_a_play_in_the_allowances_last_millisecond_still_counts(tmp_path: Path) -> None:
    # The clock says open; the watermark, which may be ahead of the clock, must not say otherwise.
    script = Script(parse("2027-01-04T22:59:59.999Z")).watermark("2027-01-04T23:00:00Z").plays(C)
    outcome = run_stream(tmp_path, script)
    assert outcome.counts() == {"2026-11": [1]}


def test_two_users_do_not_mix(tmp_path: Path) -> None:
    mine, yours = plays("aab"), plays("abb", user_id="you")
    outcome = run_stream(tmp_path, Script().plays(*mine, *yours))
    assert len(outcome.play_events) == 6
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([*mine, *yours])


def test_an_unreadable_message_is_kept_with_its_reason_and_the_stream_goes_on(tmp_path: Path) -> None:
    bad = PubsubMessage(b'{"user_id": "me"', {"user_id": "me", "played_at": "not a time"})
    good = [PubsubMessage(*p.to_message()) for p in (A, B)]
    outcome = run_stream(tmp_path, Script().messages(good[0], bad, good[1]))
    assert [(row["payload"], row["reason"]) for row in outcome.rejected] == [(b'{"user_id": "me"', "not JSON")]
    assert outcome.rejected[0]["attributes"] == '{"played_at": "not a time", "user_id": "me"}'
    assert each_once(outcome) == ["a", "b"]
    assert outcome.counters["messages_rejected"] == 1


def test_archive_and_live_with_an_overlap_count_each_play_once(tmp_path: Path) -> None:
    outcome = run_stream(tmp_path, Script().plays(B, C).early_pane().plays(C), archived=[A, B])
    assert outcome.counts()["2026-11"][-1] == 3
    assert each_once(outcome) == ["a", "b", "c"]
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens([A, B, C])


def test_a_launch_replays_open_months_only(tmp_path: Path) -> None:
    closed, open_ = play("2026-08-15T12:00:00Z", "old"), play("2026-10-15T12:00:00Z", "recent")
    outcome = run_stream(tmp_path, Script().plays(A), archived=[closed, open_])
    assert outcome.counts() == {"2026-10": [1], "2026-11": [1]}
    assert each_once(outcome) == ["recent", "a"]


def test_a_launch_finds_plays_filed_under_a_neighbouring_month(tmp_path: Path) -> None:
    # A job that counted in New York filed this November play of Paris under October.
    first_hours = play("2026-11-01T01:00:00Z", "early")
    run_stream(tmp_path / "new-york", Script().plays(first_hours), time_zone="America/New_York")
    (tmp_path / "paris").mkdir()
    (tmp_path / "new-york" / "archive").rename(tmp_path / "paris" / "archive")
    outcome = run_stream(tmp_path / "paris", Script(parse("2026-12-10T00:00:00Z")))
    assert outcome.counts() == {"2026-11": [1]}


def test_a_month_is_final_by_the_clock_not_by_the_pane(tmp_path: Path) -> None:
    # The end of the script closes every window, as draining does; the month is over only on the clock.
    during = run_stream(tmp_path / "during", Script(parse("2026-11-30T22:59:59Z")).plays(A))
    after = run_stream(tmp_path / "after", Script(parse("2026-11-30T23:00:00Z")).plays(A))
    assert {row["is_final"] for row in during.snapshots} == {False}
    assert {row["is_final"] for row in after.snapshots} == {True}


def test_tracks_artists_and_albums_each_have_their_ten(tmp_path: Path) -> None:
    some = [
        replace(p, artists=(Artist(f"Artist {n % 12}", f"ar{n % 12}"),), album_id=f"al{n % 11}")
        for n, p in enumerate(plays("abcdefghijklmn" * 3))
    ]
    outcome = run_stream(tmp_path, Script().plays(*some))
    assert {row["kind"]: len(row["items"]) for row in outcome.snapshots} == {
        "track": 10,
        "artist": 10,
        "album": 10,
    }
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens(some)


def test_fewer_than_ten_are_all_there(tmp_path: Path) -> None:
    outcome = run_stream(tmp_path, Script().plays(A, B))
    assert {len(row["items"]) for row in outcome.snapshots} == {2}


def test_of_equals_the_one_heard_last_is_first_on_every_path(tmp_path: Path) -> None:
    some = plays("abcabccab")
    outcome = run_stream(tmp_path, Script().plays(*some[5:]).early_pane().plays(*some[:5]))
    ten = next(row for row in outcome.snapshots if row["kind"] == "track" and row["plays_in_month"] == 9)
    assert [item["id"] for item in ten["items"]] == ["b", "a", "c"]


def test_the_copy_that_knows_most_is_shown_in_whatever_order_copies_come(tmp_path: Path) -> None:
    rich = replace(A, album_image_url="cover")
    poor = replace(A, source=Source.EXTENDED_EXPORT, album_id=None, artists=(Artist("Artist of a"),))
    for n, order in enumerate([(rich, poor), (poor, rich)]):
        outcome = run_stream(tmp_path / str(n), Script().plays(order[0]).early_pane().plays(order[1]))
        newest = outcome.snapshots[-3:] if n == 0 else [r for r in outcome.snapshots if r["items"][0]["image_url"]]
        tracks = [row for row in newest if row["kind"] == "track"]
        assert [(row["plays_in_month"], row["items"][0]["image_url"]) for row in tracks] == [(1, "cover")]


def test_a_thousand_plays_over_months_and_panes_are_all_there(tmp_path: Path) -> None:
    some = [
        play(parse("2026-09-20T00:00:00Z") + timedelta(hours=2 * n), f"t{n * n % 23}", user_id=f"u{n % 3}")
        for n in range(700)
    ]
    script = Script()
    for n in range(0, 700, 70):
        script.plays(*some[n : n + 70], *some[max(0, n - 20) : n])
        if n % 210 == 0:
            script.early_pane()
    outcome = run_stream(tmp_path, script, lateness=timedelta(days=60))
    assert len(outcome.play_events) == 700
    assert len(outcome.archived) == 700 + 9 * 20
    assert oracle.of_rows(outcome.snapshots) == oracle.top_tens(some)


@pytest.mark.long
def test_without_room_for_tallies_a_bundle_reads_them_again_and_counts_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [play(A.played_at + timedelta(minutes=n), f"t{n % 7}", user_id=f"u{n % 3}") for n in range(60)]
    reads: list[int] = []

    def run(folder: str) -> Outcome:
        return run_stream(tmp_path / folder, Script().plays(*some[:30]).plays(*some[20:]))

    class Read(Tally):
        def __init__(self, start: int, pieces: Iterable[bytes]) -> None:
            reads.append(start)
            super().__init__(start, pieces)

    monkeypatch.setattr(counting, "Tally", Read)
    with_room = run("room")
    often = len(reads)
    monkeypatch.setattr(counting, "_MOST_STATE", 0)
    without = run("none")
    assert oracle.of_rows(without.snapshots) == oracle.of_rows(with_room.snapshots) == oracle.top_tens(some)
    assert len(without.play_events) == len(with_room.play_events) == 60
    assert len(reads) - often > often
