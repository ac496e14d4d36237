"""The rebuild: the stream's tables again, whole months at a time, whatever happens on the way."""

import fcntl
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import forget
from pipelines.domain.instants import parse
from pipelines.domain.month import Calendar
from pipelines.domain.play import Artist, Play, Source
from pipelines.rebuild import main, rebuild
from pipelines.rebuilding.folder import FolderStaging
from pipelines.rebuilding.planning import Plan, Work, make_plan
from pipelines.rebuilding.reading import read_bytes
from pipelines.rebuilding.settings import RebuildOptions
from pipelines.rebuilding.sharing import Share, shares_of
from pipelines.runners import LOCAL_BATCH_RUNNER
from pipelines.storage.archive import Archive
from pipelines.storage.files import StorageError
from pipelines.warehouse.folder import FolderWarehouse
from tests import oracle
from tests.builders import play, plays
from tests.mounts import make_read_only, small_disk
from tests.rebuilding.rebuilds import OCTOBER_PLAY, A, B, C, archive, arguments, contents, leftovers, run, tracks, view
from tests.streaming.running import NOW, Script, outcome, rows, run_stream

# What it makes


def listening(seed: int) -> list[Play]:
    """Plays of four users over four months, few tracks, with ties, and with copies from every source."""
    dice = random.Random(seed)
    start = parse("2026-08-31T20:00:00Z")
    some = []
    for n in range(80):
        track = dice.choice("abcdefghijklm")
        source = dice.choice(list(Source))
        known = source is Source.RECENTLY_PLAYED
        one = play(
            start + timedelta(hours=n * 24 + dice.randrange(24)),
            track,
            user_id=dice.choice("uvwx"),
            source=source,
            # The same songs under other ids.
            track_name={"f": "TRACK  A", "g": "track b"}.get(track, f"Track {track}"),
            artists=(Artist(f"Artist {ord(track) % 5}", f"ar{ord(track) % 5}" if known else None),),
            album_id=f"al{ord(track) % 7}" if known else None,
            album_name=None if dice.random() < 0.1 else f"Album {ord(track) % 7}",
            album_image_url=dice.choice([None, f"cover {n % 3}"]),
            ingested_at=NOW - timedelta(seconds=n),
        )
        some.append(one)
        for copy in range(dice.choice((0, 0, 1, 2))):
            some.append(
                replace(
                    one,
                    source=dice.choice(list(Source)),
                    ingested_at=NOW + timedelta(seconds=copy + 1),
                    album_image_url="copy",
                )
            )
    dice.shuffle(some)
    return some


def _without_song(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("song_key", "song_id")}


@pytest.mark.parametrize("seed", [1, 2])
def test_stream_and_rebuild_make_equal_tables(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    some = listening(seed)
    script = Script()
    for n in range(0, len(some), 20):
        script.plays(*some[n : n + 20]).early_pane()
    # Of two snapshots that are equally full the newer one counts, so the clock has to go on.
    monkeypatch.setattr("tests.streaming.running._constant", _ticking)
    streamed = run_stream(tmp_path, script, archived=some[:10], lateness=timedelta(days=90))
    live = view(tmp_path, "SELECT * FROM plays")
    (tmp_path / "warehouse").rename(tmp_path / "live")

    again(tmp_path, NOW)
    rebuilt = outcome(tmp_path)
    in_order = partial(sorted, key=lambda row: (row["user_id"], row["played_at"]))
    assert in_order(view(tmp_path, "SELECT * FROM plays")) == in_order(live)
    # Each play is one row, not only in the view, which has its song in the place of the copy's own key.
    assert in_order(map(_without_song, rebuilt.play_events)) == in_order(map(_without_song, live))
    assert len(live) == len(oracle.distinct(some))
    assert fullest(rebuilt.snapshots) == fullest(streamed.snapshots)
    assert len(rebuilt.snapshots) == len(fullest(rebuilt.snapshots))
    assert oracle.of_rows(rebuilt.snapshots) == oracle.of_rows(streamed.snapshots) == oracle.top_tens(some)


def _ticking(now: datetime) -> datetime:
    return now + timedelta(milliseconds=next(_TICKS))


_TICKS = count()


def test_a_play_that_came_too_late_for_the_stream_counts_after_a_rebuild(tmp_path: Path) -> None:
    run_stream(tmp_path, Script(parse("2027-01-06T00:00:00Z")).plays(A))
    assert (tracks(tmp_path), outcome(tmp_path).counts()) == (["a"], {})
    assert run(tmp_path) == 0
    assert (tracks(tmp_path), outcome(tmp_path).counts()) == (["a"], {"2026-11": [1]})


def again(folder: Path, now: datetime) -> None:
    """A rebuild that begins at an instant."""
    options = RebuildOptions(str(folder / "archive"), str(folder / "warehouse"), Calendar())
    rebuild(options, PipelineOptions([], runner=LOCAL_BATCH_RUNNER), partial(_constant, now))


def _constant(now: datetime) -> datetime:
    return now


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """When a rebuild has listed what there is, and begins to read."""
    calls = count()

    def after(*arguments: Any) -> bytes:
        if not next(calls):
            happens()
        return read_bytes(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.rebuilding.reading.read_bytes", after)
        yield


def fullest(snapshots: Sequence[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The row that counts of each user, month and kind, with all it says but when."""
    ordered = sorted(snapshots, key=lambda row: (row["plays_in_month"], row["computed_at"]))
    return {(row["user_id"], row["month"], row["kind"]): row | {"computed_at": None} for row in ordered}


def test_many_users_and_files_finished_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.rebuilding.sharing._SMALL", 100)
    start = parse("2026-08-01T00:00:00Z")
    some = [play(start + timedelta(hours=n), f"t{n % 17}", user_id=f"user {n * n % 211}") for n in range(2_000)]
    archive(tmp_path, *(some[n : n + 90] for n in range(0, 2_000, 70)))  # with an overlap
    assert run(tmp_path) == 0
    made = outcome(tmp_path)
    assert len(made.play_events) == 2_000
    assert oracle.of_rows(made.snapshots) == oracle.top_tens(some)
    assert len(made.snapshots) == len(oracle.top_tens(some))


def test_a_second_rebuild_leaves_the_same_rows_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    first, files = outcome(folder), contents(folder).keys()
    assert run(folder) == 0
    second = outcome(folder)
    assert first.play_events == second.play_events
    assert tracks(folder) == ["october", "a", "b", "c"]
    assert fullest(first.snapshots) == fullest(second.snapshots)
    assert len(second.snapshots) == 6
    assert contents(folder).keys() & files == {"warehouse.json"}
    assert "Rebuilt 2 months, 2026-10 to 2026-11: 4 plays, each once, from 5 in the archive" in capsys.readouterr().err
    assert leftovers(folder) == []


def test_rows_of_a_stream_are_replaced_by_each_play_once(tmp_path: Path) -> None:
    run_stream(tmp_path, Script().plays(A, A).early_pane().plays(B, C).early_pane())
    assert outcome(tmp_path).counts() == {"2026-11": [1, 3]}
    assert run(tmp_path) == 0
    assert outcome(tmp_path).counts() == {"2026-11": [3]}
    assert tracks(tmp_path) == ["a", "b", "c"]


def test_months_that_were_not_asked_for_are_untouched(folder: Path) -> None:
    assert run(folder) == 0
    before = contents(folder)
    archive(folder, [play("2026-10-11T10:00:00Z", "more")], [play("2026-11-12T10:00:00Z", "new")])
    assert run(folder, "--months=2026-11") == 0
    after = contents(folder)
    assert {name for name in before if "2026-10" in name} == {name for name in after if "2026-10" in name}
    assert all(after[name] == before[name] for name in after if "2026-10" in name)
    assert tracks(folder) == ["october", "a", "b", "c", "new"]
    assert outcome(folder).counts() == {"2026-10": [1], "2026-11": [4]}


def test_plays_of_a_time_that_cannot_be_make_no_month_and_are_counted_by_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As versions before this one archived them.
    archive(folder, [play("2031-01-01T10:00:00Z", "f"), play("2031-02-01T10:00:00Z", "g")])
    assert run(folder) == 0
    assert tracks(folder) == ["october", "a", "b", "c"]
    assert sorted(outcome(folder).counts()) == ["2026-10", "2026-11"]
    said = "Passed over 2 plays of a time that cannot be: played_at is more than a day after it was read"
    assert said in capsys.readouterr().err
    assert run(folder, "--months=2031-01") == 1, "a month that nobody has lived in is not there"


def test_a_month_that_left_the_archive_leaves_the_tables(folder: Path) -> None:
    assert run(folder) == 0
    for path in (folder / "archive" / "plays" / "month=2026-10").iterdir():
        path.unlink()
    assert run(folder) == 0
    assert tracks(folder) == ["a", "b", "c"]


@pytest.mark.parametrize("more", [[], ["--months=2026-09"]], ids=["all months", "one month"])
def test_an_archive_filed_in_another_time_zone(tmp_path: Path, more: list[str]) -> None:
    first_hour = play("2026-08-31T23:30:00Z", "first")  # August in New York
    last_hour = play("2026-09-30T21:30:00Z", "last")
    archive(tmp_path, [first_hour, play("2026-09-10T10:00:00Z"), last_hour], zone="America/New_York")
    assert [f"{month:%Y-%m}" for month in Archive(str(tmp_path / "archive")).months()] == ["2026-08", "2026-09"]
    assert run(tmp_path, *more) == 0
    assert outcome(tmp_path).counts() == {"2026-09": [3]}


def test_the_tables_are_in_the_time_zone_asked_for(tmp_path: Path) -> None:
    archive(tmp_path, [play("2026-10-31T23:30:00Z")])
    assert run(tmp_path, "--time_zone=America/New_York") == 0
    (row,) = rows(tmp_path, "play_events")
    assert (row["month"], row["played_on"]) == (date(2026, 10, 1), date(2026, 10, 31))
    assert row["played_at_local"] == datetime(2026, 10, 31, 19, 30)  # noqa: DTZ001  a wall clock


# While others are at work


def test_what_a_stream_writes_during_a_rebuild_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = FolderWarehouse(folder / "warehouse", "Europe/Paris")
    warehouse.append("play_events", [p.to_row(Calendar()) for p in (A, A)])
    late = [play(f"2026-11-1{n}T10:00:00Z", f"late {n}") for n in range(9)]
    unheard = iter(late)

    def stream_goes_on() -> None:
        new = next(unheard)
        archive(folder, [new])
        warehouse.append("play_events", [new.to_row(Calendar())])

    def list_and_go_on(*arguments: Any) -> list[str]:
        listed = files(*arguments)
        stream_goes_on()
        return listed

    files = Archive.files
    with meanwhile(monkeypatch, stream_goes_on), monkeypatch.context() as patched:
        patched.setattr(Archive, "files", list_and_go_on)
        again(folder, NOW)
    rest = list(unheard)
    assert len(rest) < len(late) - 1
    heard = ["october", "a", "b", "c", *(p.track_id for p in late if p not in rest)]
    assert tracks(folder) == heard
    again(folder, NOW)
    assert tracks(folder) == heard


@pytest.mark.long
@pytest.mark.parametrize("when", ["before it is read", "before it is replaced"])
def test_who_is_forgotten_during_a_rebuild_does_not_come_back(
    folder: Path, when: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(folder, plays("xy", user_id="another"))
    assert run(folder) == 0
    take, forgotten, threads = FolderWarehouse.take, [], []

    def forget_me() -> None:
        """As another process does it: of the archive at once, of the tables when the rebuild has ended."""
        threads.append(Thread(target=lambda: forgotten.append(forget.main(["--user=me", *arguments(folder)]))))
        threads[0].start()
        archived = Archive(str(folder / "archive"))
        deadline = monotonic() + 60
        while any(p.user_id == "me" for path in archived.files() for p in _read(archived, path)):
            assert monotonic() < deadline
            sleep(0.02)

    def after_reading(*more: Any) -> str:
        if not threads:
            forget_me()
        return take(*more)

    with monkeypatch.context() as patched:
        if when == "before it is replaced":
            patched.setattr(FolderWarehouse, "take", after_reading)
        with meanwhile(monkeypatch, forget_me) if when == "before it is read" else nullcontext():
            assert run(folder) == 0
    threads[0].join(60)
    assert forgotten == [0]
    assert "files were removed from" in capsys.readouterr().err
    assert tracks(folder) == [*"xy"]


def _read(archived: Archive, path: str) -> list[Play]:
    """The plays of a file that may go at any moment."""
    try:
        return list(archived.read(path))
    except StorageError:
        return []


def test_an_archive_that_loses_files_all_the_time_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(folder, *([play(f"2026-11-0{n}T10:00:00Z", "more")] for n in range(1, 9)))

    def loses_another(work: Work) -> Plan:
        plan = make_plan(work)
        Path(plan.listed[0]).unlink()
        return plan

    monkeypatch.setattr("pipelines.rebuilding.graph.make_plan", loses_another)
    assert run(folder) == 1
    said = capsys.readouterr().err
    assert said.count("it begins again") == 2
    assert "files were removed from the archive during the rebuild, as when a person is forgotten; run it again" in said
    assert not list(rows(folder, "play_events"))


@pytest.mark.parametrize("times", [0, 2])
def test_files_that_two_plans_gave_to_two_workers_or_to_none_are_read_again(
    times: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [True]

    def shared_out(plan: Plan, *, spread: bool) -> list[Share]:
        shares = list(shares_of(plan, spread=spread))
        return shares * times if wrong and wrong.pop() else shares

    monkeypatch.setattr("pipelines.rebuilding.graph.shares_of", shared_out)
    assert run(folder) == 0
    assert capsys.readouterr().err.count("it begins again") == 1
    assert tracks(folder) == ["october", *"abc"]


def test_a_month_far_from_all_others_is_told_with_those_that_are_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--months=2031-01") == 1
    told = f"there are no plays of the months asked for in {folder / 'archive'}. Its files are of 2026-10 … 2026-11"
    assert capsys.readouterr().err == f"error: {told}\n"
    assert not (folder / "warehouse").exists()


def test_a_second_rebuild_waits_for_the_first(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(folder) == 0
    before = contents(folder)
    with (folder / "warehouse" / "warehouse.json").open("rb") as marker, ThreadPoolExecutor(1) as pool:
        fcntl.flock(marker, fcntl.LOCK_EX)
        second = pool.submit(run, folder)
        while "another rebuild is at work in" not in caplog.text:
            wait([second], timeout=0.05)
            assert not second.done()
        assert contents(folder) == before
        fcntl.flock(marker, fcntl.LOCK_UN)
        assert second.result() == 0
    assert contents(folder).keys() & before.keys() == {"warehouse.json"}


def test_two_rebuilds_at_once_leave_each_play_once(folder: Path) -> None:
    assert run(folder) == 0
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: again(folder, NOW), range(2)))
    assert tracks(folder) == ["october", *"abc"]
    assert len(outcome(folder).snapshots) == 6
    assert oracle.of_rows(outcome(folder).snapshots) == oracle.top_tens([A, B, C, OCTOBER_PLAY])
    assert leftovers(folder) == []


# When it is stopped


def test_an_interrupt_in_a_step_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder) == 0
    before = contents(folder)
    archive(folder, [play("2026-11-14T10:00:00Z", "new")])
    calls, write = count(1), FolderStaging.write

    def interrupted(*arguments: Any) -> Path:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStaging, "write", interrupted)
        capsys.readouterr()
        assert run(folder) == 130
    said = capsys.readouterr().err
    assert said.splitlines()[-1] == "stopped; what was written is whole, and the same command can be run again"
    assert "Traceback" not in said
    assert contents(folder) == before
    assert leftovers(folder) == []
    assert run(folder) == 0
    assert tracks(folder) == ["october", "a", "b", "c", "new"]


# Runs the command, which kills itself before it stages a month, or once it has removed what was there of it.
_KILLED = """
import os, signal, sys
from datetime import date
from pipelines.rebuild import main
from pipelines.rebuilding.folder import FolderStaging
from pipelines.warehouse.folder import FolderWarehouse
of = {"write": FolderStaging, "remove_files": FolderWarehouse}[sys.argv[1]]
method = getattr(of, sys.argv[1])
def killed(self, table, month, *arguments):
    is_last = (table, month) == ("play_events", date(2026, 11, 1))
    if is_last and of is FolderStaging:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = method(self, table, month, *arguments)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(of, sys.argv[1], killed)
main(sys.argv[2:])
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "replaced"),
    [("write", False), ("remove_files", True)],
    ids=["while making the tables", "while replacing them"],
)
def test_a_rebuild_that_is_killed_leaves_whole_tables_and_the_next_one_cleans_up(
    folder: Path, method: str, replaced: bool
) -> None:
    assert run(folder) == 0
    before = contents(folder)
    archive(folder, [play("2026-11-14T10:00:00Z", "new")])
    temporary = folder / "temporary"  # Beam's, which a killed process does not remove
    temporary.mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, method, *arguments(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [name[:9] for name in leftovers(folder)] == [".rebuild-"]
    seen = [row["track_id"] for row in view(folder, "SELECT * FROM plays ORDER BY played_at")]
    ranked = view(folder, "SELECT SUM(plays) AS n FROM monthly_top_tracks WHERE month = '2026-11-01'")
    assert ranked == [{"n": 3}]  # the top tens are replaced after the plays
    if replaced:
        assert seen == ["october", "a", "b", "c", "new"]
        assert before.items() & contents(folder).items() != before.items()
    else:
        assert seen == ["october", "a", "b", "c"]
        assert before.items() <= contents(folder).items()
    assert run(folder) == 0
    assert leftovers(folder) == []
    assert tracks(folder) == ["october", "a", "b", "c", "new"]
    assert outcome(folder).counts() == {"2026-10": [1], "2026-11": [4]}


# When it can't


def fails(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What the command says last when it ends with 1, having changed nothing and shown no stack trace."""
    before = contents(folder)
    capsys.readouterr()
    assert run(folder, *more) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert contents(folder) == before
    if (folder / "warehouse").is_dir():
        assert leftovers(folder) == []
    return said.partition("error: ")[2]


def test_broken_files_are_all_named_and_their_months_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    first, _, last = sorted((folder / "archive").rglob("*.avro"))
    first.write_bytes(first.read_bytes()[:-20])
    last.write_bytes(b"")
    archive(folder, [play("2026-11-14T10:00:00Z", "new")])
    said = fails(folder, capsys)
    assert f"{first} cannot be read (" in said
    assert f"{last} cannot be read (" in said
    assert said.endswith("\n2026-10, 2026-11 stay as before; nothing was replaced\n")
    assert tracks(folder) == ["october", "a", "b", "c"]


@pytest.mark.parametrize("months", ["all", "changed", "2026-06,2026-10,2026-11"])
def test_months_that_a_broken_file_cannot_belong_to_are_replaced(
    folder: Path, months: str, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(folder, [play("2026-06-10T10:00:00Z", "june")])
    assert run(folder) == 0
    archive(folder, [play("2026-06-11T10:00:00Z", "new")], [play("2026-11-14T10:00:00Z", "new")])
    broken = folder / "archive" / "plays" / "month=2026-11" / "plays-broken.avro"
    broken.write_bytes(b"not Avro")
    capsys.readouterr()
    assert run(folder, f"--months={months}") == 1
    said = capsys.readouterr().err
    assert f"{broken} cannot be read (" in said
    assert "Rebuilt 1 months, 2026-06 to 2026-06: 2 plays" in said
    assert said.count("2026-11 stay") == 1
    assert tracks(folder) == ["june", "new", "october", *"abc"]
    broken.unlink()
    assert run(folder, "--months=changed") == 0
    assert tracks(folder) == ["june", "new", "october", *"abc", "new"]


def test_a_file_that_goes_before_it_is_read_makes_the_rebuild_list_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Archive(str(folder / "archive"))
    with meanwhile(monkeypatch, lambda: made.remove(made.files([date(2026, 10, 1)])[0])):
        assert run(folder) == 0
    assert "1 files were removed from" in capsys.readouterr().err
    assert tracks(folder) == [*"abc"]


def test_a_broken_file_of_another_month_does_not_matter(folder: Path) -> None:
    archive(folder, [play("2026-06-10T10:00:00Z")])
    for path in (folder / "archive" / "plays" / "month=2026-06").iterdir():
        path.write_bytes(b"")
    assert run(folder, "--months=2026-11") == 0


def test_a_month_without_plays_is_named_and_nothing_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder) == 0
    said = fails(folder, capsys, "--months=2026-09,2026-11,2026-12")
    assert said == (
        "the archive has no plays of 2026-09, 2026-12; nothing was replaced. Its files are of 2026-10 … 2026-11\n"
    )


def test_an_archive_and_tables_in_one_folder_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"--archive={folder / 'archive'}", f"--warehouse={folder / 'warehouse' / '..' / 'archive'}"])
    assert "the tables need a folder of their own" in capsys.readouterr().err
    assert not (folder / "archive" / "warehouse.json").exists()


@pytest.mark.parametrize("what", ["nothing", "an empty folder", "a file without plays", "a mistyped month"])
def test_an_archive_without_plays_makes_no_warehouse(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if what == "an empty folder":
        (tmp_path / "archive" / "plays" / "month=2026-11").mkdir(parents=True)
    if what == "a file without plays":
        FolderWarehouse(tmp_path / "warehouse", "Europe/Paris").append("play_events", [A.to_row(Calendar())])
        Archive(str(tmp_path / "archive")).write(date(2026, 11, 1), [])
    more = ["--months=2019-11"] if what == "a mistyped month" else []
    assert fails(tmp_path, capsys, *more).startswith(f"there are no plays in {tmp_path / 'archive'}; ")
    assert (tmp_path / "warehouse").exists() == (what == "a file without plays")


def test_an_archive_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "archive").write_text("")
    assert f"there are no plays in {tmp_path / 'archive'}" in fails(tmp_path, capsys)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        (
            '{"version": 1, "time_zone": "Asia/Kolkata"}',
            "counts months in Asia/Kolkata, not Europe/Paris: use --time-zone",
        ),
        ('{"version": 2, "time_zone": "Europe/Paris"}', "was written by a newer Heavy Rotation"),
        ("{", "is damaged"),
    ],
)
def test_a_warehouse_that_is_not_for_this(
    folder: Path, marker: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "warehouse").mkdir()
    (folder / "warehouse" / "warehouse.json").write_text(marker)
    assert told in fails(folder, capsys)


def test_a_warehouse_that_is_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "warehouse").write_text("")
    assert "warehouse is a file, and a folder is needed there" in fails(folder, capsys)


def test_a_full_disk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(folder / "warehouse"):
        assert run(folder) == 0
        dice = random.Random(1)
        archive(folder, [play(f"2026-11-15T10:00:00.{n:03}Z", dice.randbytes(300).hex()) for n in range(1_000)])
        assert "the disk is full" in fails(folder, capsys)
        assert tracks(folder) == ["october", "a", "b", "c"]


def test_a_read_only_disk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(folder / "warehouse") as disk:
        assert run(folder) == 0
        make_read_only(disk)
        assert f"no permission for {disk}" in fails(folder, capsys)


# As a process


def test_a_failing_command_ends_with_1_and_says_why(folder: Path) -> None:
    (folder / "archive" / "plays" / "month=2026-10" / "plays-0.avro").write_bytes(b"")
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines.rebuild", *arguments(folder)], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "plays-0.avro cannot be read (" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_step_that_fails_ends_the_command_without_a_stack_trace(folder: Path) -> None:
    limited = 'ulimit -f 1; exec "$0" -m pipelines.rebuild "$@"'  # no file above a kilobyte
    ended = subprocess.run(["bash", "-c", limited, sys.executable, *arguments(folder)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.search(r"^error: .*: File too large$", ended.stderr, re.MULTILINE)
    assert "Traceback" not in ended.stderr
    assert contents(folder).keys() == {"warehouse.json"}


_WITHOUT_NETWORK = """
import runpy, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        print("NETWORK", event, arguments, file=sys.stderr)
sys.addaudithook(hook)
runpy.run_module("pipelines.rebuild", run_name="__main__", alter_sys=True)
"""


def test_the_direct_runner_does_not_touch_the_network(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT_NETWORK, *arguments(folder, "--runner=DirectRunner")],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "NETWORK" not in ended.stderr
    assert tracks(folder) == ["october", "a", "b", "c"]
