"""The rebuild beside those who make the same outputs of the same plays by other means."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import archives
from benchmarks.answers import check_equal
from benchmarks.archives import Made, Shape
from benchmarks.process import Used, median, run_python
from benchmarks.results import Measured, Row
from benchmarks.settings import Settings

_LONGEST_SECONDS = 3600
_ABOUT = """\
Whole processes, from the start of Python to the last file: each play once, as Parquet by month, and the top tens of
every listener's month. They run by turns on the same archive; figures are medians over the runs. Answers are the same
to the row, or there is no table. `nothing` is the same command on an archive of one play. DuckDB reads Parquet that was
made of the archive beforehand, the others its Avro. What only the rebuild does: check every file, pass over impossible
times and people who were forgotten, rank plays without ids, replace months whole beside a running stream, and note what
it made of which file."""
NAMES = {
    "rebuild": "**rebuild**",
    "nothing": "nothing",
    "duck": "DuckDB",
    "frames": "Polars",
    "loop": "fastavro, plain loop",
    "idiomatic": "Beam, idiomatic",
}


@dataclass(frozen=True, slots=True)
class Case:
    """An archive, who is asked, and how often at most."""

    shape: Shape
    rivals: tuple[str, ...]
    runs: int


def cases(settings: Settings) -> list[Case]:
    """The archives of a run; the large ones once each."""
    fast = ("duck", "frames")
    found = [
        Case(Shape(100_000, 200, 24), (*fast, "loop", "idiomatic"), 1),
        Case(Shape(1_000_000, 200, 24), fast, settings.runs),
        Case(Shape(1_000_000, 100_000, 24), fast, settings.runs),
        Case(Shape(300_000, 1, 150), fast, settings.runs),
        Case(Shape(1_000_000, 800, 1), fast, 1),
        Case(Shape(100_000, 1, 24, plays_in_file=10), fast, 1),
        Case(Shape(10_000_000, 200, 24), fast, 1),
    ]
    if settings.long:
        found.append(Case(Shape(5_000_000, 800, 1, first_share=0.2), fast, 1))
        found.append(Case(Shape(50_000_000, 200, 24, first_share=0.2, last_share=0.1), fast, 1))
    return [case for case in found if case.shape.plays <= settings.most]


def measure(settings: Settings) -> Iterator[Measured]:
    """One table, which grows. Raises BenchmarkError."""
    rows: list[Row] = []
    with settings.folder() as folder:
        nothing = archives.make(Shape(1, 1, 1), folder / "nothing", settings.seed)
        for case in cases(settings):
            shape = case.shape.scaled(settings.share)
            settings.say(f"rebuild: {shape}")
            made = archives.make(shape, folder / "archive", settings.seed)
            rows += _compare(case, made, nothing, folder)
            shutil.rmtree(made.folder)
            # After each archive what there is so far: the large ones take long.
            yield Measured("rebuild", "Rebuild", _ABOUT, list(rows))


def _compare(case: Case, made: Made, nothing: Made, folder: Path) -> Iterator[Row]:
    parquet = folder / "parquet"
    run_python(["-m", "benchmarks.parquet", str(made.folder), str(parquet)], folder / "parquet.log", _LONGEST_SECONDS)
    used: dict[str, list[Used]] = {}
    for _ in range(case.runs):
        used.setdefault("rebuild", []).append(_rebuild(made, folder / "warehouse"))
        for rival in case.rivals:
            source = parquet if rival == "duck" else made.folder
            used.setdefault(rival, []).append(_ask(rival, source, folder / rival))
        used.setdefault("nothing", []).append(_rebuild(nothing, folder / "warehouse of nothing"))
    plays = tens = 0
    for rival in case.rivals:
        plays, tens = check_equal(str(folder / "warehouse"), str(folder / rival), NAMES[rival])
    about = f"{made.shape}; {plays:,} once, {tens:,} ranks of {made.data_bytes / 1e6:,.0f} MB in {made.files:,} files"
    for name, runs in used.items():
        middle = median(runs)
        yield {
            "archive": about,
            "by": NAMES[name],
            "runs": len(runs),
            "wall s": middle.seconds,
            "CPU s": middle.cpu_seconds,
            "µs CPU a play": middle.cpu_seconds / made.plays * 1e6 if name != "nothing" else None,
            "peak MB": round(middle.peak_mb),
        }
        about = ""
    for name in ("parquet", "warehouse", *case.rivals):
        shutil.rmtree(folder / name)


def _rebuild(made: Made, warehouse: Path) -> Used:
    shutil.rmtree(warehouse, ignore_errors=True)
    # What an earlier run noted of the archive would spare the next one work.
    shutil.rmtree(made.folder / "rebuilt", ignore_errors=True)
    arguments = ["-m", "heavy_rotation", "rebuild", "--archive", str(made.folder), "--warehouse", str(warehouse)]
    return run_python(arguments, warehouse.with_suffix(".log"), _LONGEST_SECONDS)


def _ask(rival: str, source: Path, out: Path) -> Used:
    shutil.rmtree(out, ignore_errors=True)
    return run_python(
        ["-m", f"benchmarks.rivals.{rival}", str(source), str(out)], out.with_suffix(".log"), _LONGEST_SECONDS
    )
