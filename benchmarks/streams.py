"""The stream's graph beside plain ones, on Beam's local runner."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.process import BenchmarkError, run_python
from benchmarks.results import Measured, Row
from benchmarks.settings import Settings

_LONGEST_SECONDS = 1800
_ABOUT = """\
CPU for a play in the whole graph, from a message to the archive's files, `play_events` and top tens, with sinks that do
nothing; on `FnApiRunner`, by turns, each in a process of its own, the same messages. `floor` parses, keys bytes by
listener and writes state once in a hundred plays; `plumbing` counts each play in a listener's state; `idiomatic` has a
key for each play, `DeduplicatePerKey`, months, counts and `Top`. Starting is not counted, nor what a process's first
pipeline loads. The quotient is the median of those of the runs, each of which has a floor of its own a moment before:
what else the machine does falls out."""
# Plays, and how many of them are one listener's; the last says whether it is worth a minute to be idiomatic.
_CASES = (
    (20_000, 20, False),
    (100_000, 20, False),
    (20_000, 2_000, True),
    (100_000, 2_000, False),
    (100_000, 50_000, False),
)


def measure(settings: Settings) -> Iterator[Measured]:
    """One table. Raises BenchmarkError."""
    rows: list[Row] = []
    for plays, of_a_listener, with_idiomatic in _CASES:
        count = max(2_000, settings.count(plays))
        settings.say(f"stream: {count:,} plays, {of_a_listener:,} of a listener")
        graphs = ("floor", "plumbing", "stream") + (("idiomatic",) if with_idiomatic else ())
        found: dict[str, list[float]] = {graph: [] for graph in graphs}
        with settings.folder() as folder:
            for run in range(settings.runs):
                for graph in graphs:
                    if graph != "idiomatic" or run == 0:
                        found[graph].append(_micros(graph, count, of_a_listener, folder / "log"))
        middle = {graph: statistics.median(each) for graph, each in found.items()}
        rows.append(
            {
                "plays": count,
                "of a listener": of_a_listener,
                **{f"{graph} µs": middle[graph] for graph in graphs},
                "stream / floor": statistics.median(
                    stream / floor for stream, floor in zip(found["stream"], found["floor"], strict=True)
                ),
            }
        )
    yield Measured("stream", "Stream", _ABOUT, rows)


def _micros(graph: str, plays: int, of_a_listener: int, log: Path) -> float:
    run_python(["-m", "benchmarks.graphs", graph, str(plays), str(of_a_listener)], log, _LONGEST_SECONDS)
    try:
        return float(log.read_text().splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchmarkError(f"the graph {graph} says no figure:\n{log.read_text()[-4000:]}") from None
