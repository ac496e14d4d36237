"""The same rebuild on other engines that run Beam's batch pipelines."""

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import archives
from benchmarks.answers import check_same_tables
from benchmarks.archives import Shape
from benchmarks.clusters import ROOT, DaskCluster, prism_options
from benchmarks.process import BenchmarkError, cpu_seconds
from benchmarks.results import Measured, Row
from benchmarks.settings import Settings

_SHAPE = Shape(300_000, 200, 24)
_LONGEST_SECONDS = 900
_ABOUT = """\
The same command with another `--runner`; the answers are the same to the row, or there is no table. Prism and the local
runner start with the command. The cluster of Dask is there beforehand, a scheduler and two workers of one thread, each
a process; their CPU is counted in. `one killed`: a worker is killed when the first finished file is there. What an
engine costs beside the work itself is much at this size, and little at a hundred times it."""


def measure(settings: Settings) -> Iterator[Measured]:
    """One table; an engine that is not installed is told, and has no row. Raises BenchmarkError."""
    rows: list[Row] = []
    with settings.folder() as folder:
        shape = _SHAPE.scaled(settings.share)
        settings.say(f"engines: {shape}")
        made = archives.make(shape, folder / "archive", settings.seed)
        rows.append(_row("local runner", *_run(folder, "local", [])))
        if options := prism_options():
            rows.append(_row("Prism", *_run(folder, "prism", options)))
        else:
            settings.say("Beam's Prism is not installed: make prism")
        for name in ("Dask, two workers", "Dask, one killed"):
            with DaskCluster(folder / name) as cluster:
                kill = cluster.workers[0].kill if name.endswith("killed") else None
                before = sum(map(cpu_seconds, cluster.pids))
                wall, own = _run(folder, "dask", cluster.options, kill)
                # What a killed worker took is nowhere any more.
                spent = None if kill else own + sum(map(cpu_seconds, cluster.pids)) - before
            rows.append(_row(name, wall, spent))
    yield Measured("engines", "Engines", f"{_ABOUT} {made.shape}.", rows)


def _row(engine: str, wall: float, cpu: float | None) -> Row:
    return {"engine": engine, "wall s": wall, "CPU s": cpu}


def _run(folder: Path, name: str, options: list[str], kill: Callable[[], None] | None = None) -> tuple[float, float]:
    """Seconds of the clock, and of the cores in the command and what it waited for."""
    warehouse = folder / name
    for old in (warehouse, folder / "archive" / "rebuilt"):
        shutil.rmtree(old, ignore_errors=True)
    places = [f"--archive={folder / 'archive'}", f"--warehouse={warehouse}"]
    log, before, began = folder / f"{name}.log", _children(), time.monotonic()
    with log.open("wb") as output:
        command = [sys.executable, "-m", "heavy_rotation", "rebuild", *places, *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            while kill and process.poll() is None:
                if list(warehouse.glob(".rebuild-*/**/*.parquet")):
                    kill()
                    break
                time.sleep(0.01)
            process.wait(_LONGEST_SECONDS)
        finally:
            process.kill()
            process.wait()
    wall = time.monotonic() - began
    if process.returncode:
        raise BenchmarkError(f"the rebuild failed, {name}:\n{log.read_text()[-4000:]}")
    if name != "local":
        check_same_tables(str(folder / "local"), str(warehouse), name)
    return wall, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
