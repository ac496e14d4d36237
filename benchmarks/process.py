"""Processes that are measured, and what the kernel says of them. Linux only."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """There is no figure to show. The text says why."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a command took: seconds of the clock and of the cores together, and its memory (RSS) at most."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_python(arguments: Sequence[str], log: Path, longest_seconds: float) -> Used:
    """Run Python as a process of its own, on two cores, its output to a file. Raises BenchmarkError."""
    what = " ".join(arguments[:3])
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT)
    try:
        keep_to_two_cores(process.pid)
        peak = 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            # Not the usage that the kernel gives at the end: what this process holds is counted in there.
            peak = max(peak, peak_mb(process.pid))
            if time.monotonic() > began + longest_seconds:
                raise BenchmarkError(f"{what} did not end within {longest_seconds:.0f} s")
            time.sleep(0.02)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    seconds = time.monotonic() - began
    if process.returncode:
        raise BenchmarkError(f"{what} failed:\n{log.read_text()}")
    return Used(seconds, usage.ru_utime + usage.ru_stime, peak)


def peak_mb(pid: int) -> float:
    """The most memory it ever held at a time (RSS), in millions of bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def cpu_seconds(pid: int) -> float:
    """What it took so far, all its threads together, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def keep_to_two_cores(pid: int) -> None:
    """Let it run on two of the cores that there are, with all the threads that it starts from now on."""
    os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[:2])
