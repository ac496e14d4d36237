"""What is read together, and by whom: every file once, and the tables come out the same however it is shared."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.domain.instants import parse
from pipelines.rebuilding import sharing
from pipelines.rebuilding.planning import Plan
from pipelines.rebuilding.sharing import shares_of
from tests import oracle
from tests.builders import play
from tests.rebuilding.rebuilds import archive, run, tracks
from tests.streaming.running import outcome

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MB = 1 << 20
OCTOBER = date(2026, 10, 1)


def plan(sizes: dict[str, int]) -> Plan:
    paths = {f"archive/plays/month={path}": size for path, size in sizes.items()}
    return Plan(NOW, None, paths, tuple(paths), {}, {})


@pytest.mark.parametrize("spread", [True, False])
def test_every_file_is_in_one_lot_and_only_whole_months_are_finished_there(spread: bool) -> None:
    sizes = {
        f"20{year}-{month:02}/{n}.avro": MB * (year - 15) for year in range(16, 27) for month in (3, 4) for n in (1, 2)
    }
    sizes |= {f"2026-10/{n:03}.avro": MB for n in range(60)}
    made = plan(sizes)
    shares = list(shares_of(made, spread=spread))
    lots = [lot for share in shares for lot in share.lots]
    assert sorted(path for lot in lots for path in lot.paths) == sorted(made.paths)
    assert all(share.pieces == {OCTOBER: 10} for share in shares)
    for lot in lots:
        of_months = {path for path in made.paths if any(f"month={month:%Y-%m}/" in path for month in lot.months)}
        assert set(lot.paths) == of_months or (not lot.months and all("2026-10" in path for path in lot.paths))
        assert lot.size == sum(made.paths[path] for path in lot.paths)
    assert len({month for lot in lots for month in lot.months}) == 22
    assert (len(shares) > 1) == spread


def test_ten_thousand_small_files_are_few_lots() -> None:
    made = plan(
        {f"{year}-{month:02}/{n}.avro": 900 for year in range(2016, 2026) for month in range(1, 13) for n in range(84)}
    )
    (share,) = shares_of(made, spread=True)
    assert len(share.lots) < 10


def test_lots_of_whole_months_are_about_as_large_as_each_other() -> None:
    sizes = {f"{year}-{month:02}/1.avro": 99_500 for year in range(2014, 2027) for month in range(1, 13)}
    (share,) = shares_of(plan(sizes), spread=False)
    found = [lot.size for lot in share.lots]
    assert len(found) == 8
    assert max(found) - min(found) <= 99_500


_LIMITS = {
    "months together": {},
    "months alone": {"_SMALL": 1},
    "large months": {"_LARGE": 0, "_SLICE": 1, "_PIECE": 900},
    "large and small": {"_LARGE": 2_500, "_SLICE": 1, "_PIECE": 900},
}


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
@pytest.mark.parametrize("limits", _LIMITS)
def test_tables_do_not_depend_on_how_the_work_is_shared(
    tmp_path: Path, limits: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _LIMITS[limits].items():
        monkeypatch.setattr(sharing, name, value)
    start = parse("2026-07-30T20:00:00Z")
    some = [play(start + timedelta(minutes=97 * n), f"t{n % 13}", user_id=f"user {n * n % 11}") for n in range(1_200)]
    some += [play(f"2026-08-31T{hour}:30:00Z", "at the end", user_id=user) for hour in (21, 22, 23) for user in "ab"]
    archive(tmp_path, some[:800], some[500:], some[1_000:1_050], zone=zone)
    assert run(tmp_path) == 0
    made = outcome(tmp_path)
    assert oracle.of_rows(made.snapshots) == oracle.top_tens(some)
    assert len(made.snapshots) == len(oracle.top_tens(some))
    assert len(made.play_events) == len(some)
    assert {row["month"] for row in made.play_events} == {row["month"] for row in made.snapshots}


def test_a_month_asked_for_alone_comes_out_as_with_the_others(tmp_path: Path) -> None:
    some = [play(parse("2026-08-30T00:00:00Z") + timedelta(hours=7 * n), f"t{n % 13}") for n in range(200)]
    archive(tmp_path, some, zone="America/New_York")
    assert run(tmp_path) == 0
    made = outcome(tmp_path).play_events
    assert run(tmp_path, "--months=2026-09") == 0
    assert sorted(outcome(tmp_path).play_events, key=str) == sorted(made, key=str)
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(some)


@pytest.mark.long
def test_workers_in_processes_of_their_own_make_the_same(tmp_path: Path) -> None:
    some = [play(parse("2026-10-20T00:00:00Z") + timedelta(hours=n), f"t{n % 13:02}") for n in range(500)]
    archive(tmp_path, some[:300], some[200:], zone="America/New_York")
    assert run(tmp_path, "--direct_running_mode=multi_processing", "--direct_num_workers=2") == 0
    assert tracks(tmp_path) == [p.track_id for p in some]
    assert oracle.of_rows(outcome(tmp_path).snapshots) == oracle.top_tens(some)
