"""Processes that are measured, and what the kernel says of them. Linux only."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.05
_ROOT = Path(__file__).parents[1]


class BenchmarkError(Exception):
    """There is no figure to show. The text says why."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a command took: seconds of the clock and of the cores together, and its memory (RSS) at most.

    Processes that it started and waited for are counted in; theirs is the memory that all held at one time.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def median(used: Sequence[Used]) -> Used:
    """Of several runs the median of each figure."""
    return Used(*(statistics.median(getattr(one, name) for one in used) for name in Used.__slots__))


def run_python(
    arguments: Sequence[str], log: Path, longest_seconds: float, environment: Mapping[str, str] | None = None
) -> Used:
    """Run Python as a process of its own, on two cores, its output to a file. Raises BenchmarkError."""
    what = " ".join(arguments[:3])
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
        )
    try:
        keep_to_two_cores(process.pid)
        peak, looked = 0.0, 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            if (now := time.monotonic()) > looked + _LOOK_SECONDS:
                # Not the usage that the kernel gives at the end: what this process holds is counted in there.
                peak, looked = max(peak, peak_mb(process.pid), tree_mb(process.pid)), now
            if now > began + longest_seconds:
                raise BenchmarkError(f"{what} did not end within {longest_seconds:.0f} s")
            time.sleep(0.005)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    seconds = time.monotonic() - began
    if process.returncode:
        raise BenchmarkError(f"{what} failed:\n{log.read_text()[-4000:]}")
    return Used(seconds, usage.ru_utime + usage.ru_stime, peak)


def peak_mb(pid: int) -> float:
    """The most memory it ever held at a time (RSS), in millions of bytes; 0 for one that has ended."""
    return _status(pid, "VmHWM:")


def tree_mb(pid: int) -> float:
    """The memory (RSS) that it and all processes below it hold now, in millions of bytes."""
    return sum(_status(one, "VmRSS:") for one in _tree(pid))


def cpu_seconds(pid: int) -> float:
    """What it took so far, all its threads together, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cpu_millis(pid: int) -> float:
    """What its threads that are still there took so far, in milliseconds: finer than ``cpu_seconds``."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def keep_to_two_cores(pid: int) -> None:
    """Let it run on two of the cores that there are, with all the threads that it starts from now on."""
    os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[:2])


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _status(pid: int, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
