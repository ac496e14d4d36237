"""The benchmarks' own promises: invented archives are archives, rivals give our answers, and documents keep tables."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from benchmarks.answers import check_equal
from benchmarks.archives import Shape, check, make
from benchmarks.process import BenchmarkError, run_python
from benchmarks.results import BEGIN, END, Measured, write_into
from pipelines.domain.play import Play
from pipelines.storage.archive import Archive

SHAPE = Shape(plays=3_000, listeners=7, months=3, plays_in_file=500)


def plays_of(folder: Path) -> list[Play]:
    archive = Archive(str(folder))
    return [play for path in archive.files() for play in archive.read(path)]


@pytest.mark.long
def test_an_invented_archive_is_read_as_any_other(tmp_path: Path) -> None:
    made = make(SHAPE, tmp_path / "archive")
    check(made)
    plays = plays_of(made.folder)
    times = Counter((play.user_id, play.played_at) for play in plays)
    assert len(plays) == made.plays == 3_300
    assert len(times) == 3_000
    assert len({play.ingested_at - play.played_at for play in plays}) == 2, "no copy came from a later poll"
    assert len({play.album_artist_name for play in plays} & {"Various Artists"}) == 1


@pytest.mark.long
def test_the_same_seed_gives_the_same_plays_and_another_one_others(tmp_path: Path) -> None:
    one, same, other = (
        plays_of(make(SHAPE, tmp_path / name, seed).folder) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == same
    assert one != other


def test_a_listener_has_the_share_and_a_month_the_size_that_were_asked_for(tmp_path: Path) -> None:
    shape = Shape(plays=4_000, listeners=100, months=4, first_share=0.2, last_share=0.5)
    plays = plays_of(make(shape, tmp_path / "archive").folder)
    users = Counter(play.user_id for play in plays)
    assert 0.15 < users["listener000000"] / len(plays) < 0.27
    assert 0.45 < sum(play.played_at.month in (9, 10) for play in plays) / len(plays) < 0.8


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, the same as Parquet, and the warehouse that was made of it."""
    folder = tmp_path_factory.mktemp("rivals")
    archive = str(make(SHAPE, folder / "archive").folder)
    places = [f"--archive={archive}", f"--warehouse={folder / 'warehouse'}"]
    run_python(["-m", "heavy_rotation", "rebuild", *places], folder / "log", 120)
    run_python(["-m", "benchmarks.parquet", archive, str(folder / "parquet")], folder / "log", 120)
    return folder


@pytest.mark.long
@pytest.mark.xdist_group("engines")
@pytest.mark.parametrize("rival", ["duck", "frames", "loop", "idiomatic"])
def test_a_rival_gives_our_answers_and_is_told_where_it_does_not(rival: str, rebuilt: Path, tmp_path: Path) -> None:
    source = rebuilt / ("parquet" if rival == "duck" else "archive")
    out = tmp_path / "out"
    run_python(["-m", f"benchmarks.rivals.{rival}", str(source), str(out)], tmp_path / "log", 240)
    plays, ranks = check_equal(str(rebuilt / "warehouse"), str(out), rival)
    assert plays == 3_000
    assert ranks == 3 * 3 * 7 * 10
    tens = pl.read_parquet(out / "tens.parquet")
    plus_one = pl.when(pl.col("rank") == 10).then(pl.col("plays") + 1).otherwise("plays")
    tens.with_columns(plus_one.alias("plays")).write_parquet(out / "tens.parquet")
    with pytest.raises(BenchmarkError, match=f"{rival} has not"):
        check_equal(str(rebuilt / "warehouse"), str(out), rival)


def test_a_table_measured_anew_takes_its_old_one_s_place_and_leaves_the_others(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n\n{BEGIN}\n{END}\n\nafter\n", encoding="utf-8")
    start, rebuild = (
        Measured(name, name.title(), "About.", [{"what": "it", "CPU s": 1.0}]) for name in ("start", "rebuild")
    )
    write_into(document, [start, rebuild])
    write_into(document, [Measured("start", "Start", "About.", [{"what": "it", "CPU s": 0.25}])])
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert text.index("### Rebuild") < text.index("### Start")
    assert "0.25 |" in text
    assert text.count("1.00 |") == 1


def test_a_table_that_has_no_place_in_the_order_comes_last(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    write_into(document, [Measured(name, name.title(), "About.", [{"CPU s": 1.0}]) for name in ("new", "start")])
    text = document.read_text(encoding="utf-8")
    assert 0 < text.index("### Start") < text.index("### New")


def test_a_document_without_a_place_for_tables_is_left_as_it_is(tmp_path: Path) -> None:
    document = tmp_path / "other.md"
    document.write_text("nothing here\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for it"):
        write_into(document, [Measured("start", "Start", "About.")])
    assert document.read_text(encoding="utf-8") == "nothing here\n"


def test_a_process_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="it went wrong"):
        run_python(["-c", "raise SystemExit('it went wrong')"], tmp_path / "log", 30)


def test_what_a_process_and_its_children_took_is_counted(tmp_path: Path) -> None:
    child = (
        "b = bytearray(60_000_000); b[::4096] = bytes(len(b[::4096])); sum(range(10**7))"  # held while it is looked at
    )
    alone = run_python(["-c", "pass"], tmp_path / "log", 30)
    used = run_python(
        ["-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"], tmp_path / "log", 60
    )
    assert used.cpu_seconds > alone.cpu_seconds + 0.1
    assert used.peak_mb > alone.peak_mb + 40


@pytest.mark.long
@pytest.mark.parametrize("hash_seed", ["1", "5", "8"])
def test_no_play_is_lost_on_the_runner_of_batches_in_whatever_order_it_fuses_steps(hash_seed: str) -> None:
    """The command counts what the archive's files have, and gives no figure where that is not every play."""
    measured = subprocess.run(
        [sys.executable, "-m", "benchmarks.graphs", "stream", "1100", "20"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert measured.returncode == 0, measured.stderr
